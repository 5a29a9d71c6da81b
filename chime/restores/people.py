"""Single people out of a copy: who was deleted or changed since, and bringing them back into the workspace.

Promise: nobody who was forgotten comes back, no decision about marketing is loosened, and nothing is sent: what waited
for them is on hold until somebody says that it goes. Their conversations were never gone, and are in the lists again
with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import msgspec

from chime import contacts, erasure, inbox
from chime.checked import words
from chime.contacts import Earlier, Identity, Lost
from chime.db import DatabaseFile, Db, StorageUnavailable
from chime.db.rekey import fits
from chime.inbox import Why
from chime.workspaces import Control, Transaction, Workspace
from chime.workspaces.registry import workspace_folder

KIND = "contacts_from_copy"
BROUGHT_BACK = words("This contact was brought back from a copy. Send it all the same?")
MOST = 100
"""So many are brought back at once."""
AT_ONCE = 200
MOST_SEEN = 5_000
SECONDS = 5.0
# Those that were in the lists then; a group is no person.
_THEN = ("SELECT id FROM contact WHERE id > ?1 AND deleted_at IS NULL AND (phone IS NOT NULL OR user_id IS NOT NULL) "
         "AND instr(lower(name || ' ' || profile_name || ' ' || username), lower(?2)) > 0 ORDER BY id LIMIT ?3")


class People(msgspec.Struct, frozen=True, kw_only=True):
    """A page of those of whom something is lost. `after`: go on from this id; None at the end."""

    found: list[Lost]
    after: str | None


async def people(copy: Workspace, current: Workspace, control: Control, *, named: str = "", after: str = "") -> People:
    """In the copy's order. Some thousands are looked at for one page."""
    found: list[Lost] = []
    seen = 0
    while len(found) < MOST // 2 and seen < MOST_SEEN:
        rows, _ = await copy.db.long_reads.rows(_THEN, after, named, AT_ONCE, seconds=SECONDS)
        if not rows:
            return People(found=found, after=None)
        found += await lost(copy.db, [row[0] for row in rows], current, control)
        seen, after = seen + len(rows), rows[-1][0]
        await asyncio.sleep(0)
    return People(found=found, after=after)


async def lost(copy: Db, contact_ids: Collection[str], current: Workspace, control: Control) -> list[Lost]:
    """Of these contacts of the copy, those that something can be given back to."""
    then = [one for one in await contacts.as_they_are(copy, contact_ids) if not one.deleted_at]
    found = await contacts.lost(current.db, then)
    forgotten = await erasure.forgotten_of(current, control, {one.then.id: _ids(one.then) for one in found})
    return [one for one in found if one.then.id not in forgotten]


def _ids(one: Earlier) -> list[Identity]:
    person = one.person
    return [Identity(kind, value) for kind, value in (
        ("phone", person.phone), ("user_id", person.user_id), ("user_id", person.parent_user_id)) if value]


async def bring_back(tx: Transaction, found: Sequence[Lost], *, copy_id: str, restore_id: str) -> int:
    """All of them, and what waited for them waits for a person. How many that were. Raises Invalid."""
    for one in found:
        contact_id = await contacts.bring_back(tx, one, copy_id=copy_id)
        if "contact" in one.what:
            await _hold(tx, contact_id, restore_id)
    return len(found)


async def _hold(tx: Transaction, contact_id: str, restore_id: str) -> None:
    """While they were deleted nothing could be sent to them."""
    for (message_id,) in await tx.rows(
            "SELECT message.id FROM message JOIN conversation ON conversation.id = message.conversation_id "
            "WHERE conversation.contact_id = ? AND message.status = 'queued'", contact_id):
        await inbox.settle_or_hold(tx, message_id, [], restore_id=restore_id, why=Why.WAITED)
    await tx.execute("UPDATE scheduled_message SET state = 'held', trouble = ? WHERE state = 'waiting' "
                     "AND conversation_id IN (SELECT id FROM conversation WHERE contact_id = ?)", BROUGHT_BACK,
                     contact_id)


@asynccontextmanager
async def copy_of(control: Control, copy_id: str) -> AsyncIterator[Db]:
    """A copy's file, to be read by a job, which has no other workspace than its own. Raises StorageUnavailable."""
    keys = await control.workspace_keys(copy_id)
    path = workspace_folder(control.keys.data_dir, copy_id) / "workspace.db"
    for key in keys.workspace_files:
        if await asyncio.to_thread(fits, path, key):
            file = await DatabaseFile.open(path, key)
            try:
                yield file
            finally:
                await file.close()
            return
    raise StorageUnavailable("the copy cannot be opened")
