"""After a restore: whoever was forgotten since the copy was made is forgotten again.

The tombstones of the journal and of control.db are laid together. A contact is meant by its id, or by the hash of one
of the ids it is known by, if it was there before the erasure: somebody who came back since is somebody new. A restore
calls `reapply` before it opens the workspace to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from chime import contacts
from chime.contacts import Identity
from chime.erasure import actions, journal, queries
from chime.erasure.model import Meant, Tombstone
from chime.erasure.run import forget, forget_said, leave_nothing, tell_control, thoroughly
from chime.security.permissions import SYSTEM
from chime.workspaces import Control, Workspace

IDENTITIES_AT_ONCE = 5_000


async def reapply(workspace: Workspace, control: Control, *, copied_from: str | None = None) -> int:
    """Forget again; how many contacts that were. May be called at any time and twice. In a copy of a workspace those
    are forgotten who were forgotten in the workspace it is a copy of."""
    known = {(one.erasure_id, one.contact_id, one.mark): one for one in await journal.tombstones(workspace)}
    away = {(one.erasure_id, one.contact_id, one.mark): one
            for one in await queries.tombstones_of(control.db, copied_from or workspace.id)}
    lost = [one for place, one in away.items() if place not in known]
    if copied_from is None:
        await tell_control(control, workspace.id, [one for place, one in known.items() if place not in away])
    stones = sorted({**away, **known}.values(), key=lambda one: (one.erasure_id, one.mark))
    if not stones:
        return 0
    await journal.put_back(workspace, lost)
    await _keep_refusals(workspace, stones)
    for erasure_id in await queries.unfinished(workspace.db):
        await forget(workspace, erasure_id, _quietly)
    count = 0
    for contact_id in await _came_back(workspace, stones):
        await _forget_again(workspace, contact_id)
        count += 1
    if lost:
        await _clean_journal(workspace, lost)
    if lost:
        await leave_nothing(workspace)
    return count


async def forgotten_of(workspace: Workspace, control: Control, known: Mapping[str, Sequence[Identity]]) -> set[str]:
    """Which of these contacts, each with the ids they are known by, were forgotten in the workspace: nobody may bring
    them back."""
    stones = [*await journal.tombstones(workspace), *await queries.tombstones_of(control.db, workspace.id)]
    marks, gone = {one.mark for one in stones}, {one.contact_id for one in stones}
    key = contacts.marking_key(workspace.callback_key)
    return {contact_id for contact_id, ids in known.items() if stones and (
        contact_id in gone or any(contacts.mark(key, one) in marks for one in ids))}


async def _quietly(messages: int) -> None:
    return None


async def _keep_refusals(workspace: Workspace, stones: Sequence[Tombstone]) -> None:
    key = contacts.marking_key(workspace.callback_key)
    refused = [one for one in stones if one.opted_out]
    async with workspace.ingest("erasure") as tx:
        for one in refused:
            await contacts.keep_refusal(tx, key, [one.mark], at=one.at)


async def _came_back(workspace: Workspace, stones: Sequence[Tombstone]) -> list[str]:
    """The contacts that a restore brought back."""
    key = contacts.marking_key(workspace.callback_key)
    gone_at = {one.contact_id: one.at for one in stones}
    marked_at = {one.mark: one.at for one in stones}
    found = {row[0]: None for contact_id in gone_at for row in await workspace.db.rows(
        "SELECT id FROM contact WHERE id = ? AND created_at <= ?", contact_id, gone_at[contact_id])}
    after = ("", "")
    while rows := await workspace.db.rows(
            "SELECT contact_identity.kind, contact_identity.value, contact.id, contact.created_at "
            "FROM contact_identity JOIN contact ON contact.id = contact_identity.contact_id "
            "WHERE (contact_identity.kind, contact_identity.value) > (?, ?) "
            "ORDER BY contact_identity.kind, contact_identity.value LIMIT ?", *after, IDENTITIES_AT_ONCE):
        for kind, value, contact_id, created_at in rows:
            if created_at <= marked_at.get(contacts.mark(key, Identity(kind, value)), -1):
                found[contact_id] = None
        after = rows[-1][:2]
    return list(found)


async def _forget_again(workspace: Workspace, contact_id: str) -> None:
    key = contacts.marking_key(workspace.callback_key)
    contact_ids = await contacts.same_person(workspace.db, contact_id)
    known = await contacts.identities(workspace.db, contact_ids)
    refused = await contacts.refused_marketing(workspace.db, contact_ids)
    async with thoroughly(workspace, SYSTEM) as tx:
        erasure_id = tx.new_id()
        await actions.begin(tx, erasure_id, contact_ids=contact_ids, known=known, key=key, refused=refused, again=True)
    await forget(workspace, erasure_id, _quietly)


async def _clean_journal(workspace: Workspace, lost: Sequence[Tombstone]) -> None:
    """A journal from a backup holds the bodies again, and who was in them is known by hashes only. Its sends stay:
    which of them were to this person it does not say, and of the others a restore has to know."""
    key = contacts.marking_key(workspace.callback_key)
    await journal.forget_sends(workspace, (), {one.contact_id for one in lost})
    for erasure_id, group in groupby(lost, key=lambda one: one.erasure_id):
        stones = list(group)
        at = stones[0].at
        last = int(await workspace.journal_db.value("SELECT max(id) FROM webhook_body WHERE received_at <= ?", at) or 0)
        meant = Meant((), marks=[one.mark for one in stones], key=key)
        async for found in journal.take_out(workspace, meant, after=0, last=last):
            if await queries.erasure(workspace.db, erasure_id) is not None:
                await forget_said(workspace, erasure_id, found)
