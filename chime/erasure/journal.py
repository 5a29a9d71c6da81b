"""The journal without a person: their events are taken out of the stored bodies, their sends and consent are removed,
and hashes of who they were are put down so that a restore forgets them again.

Bodies are read beside the loop and rewritten in transactions of a few, because webhooks wait for the same file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import msgspec

from chime.db import Insert, RawTransaction
from chime.erasure.cutting import Cut, cut, may_concern
from chime.erasure.model import Meant, Tombstone
from chime.errors import Unavailable
from chime.log import Log
from chime.whatsapp import parse
from chime.workspaces import Workspace

ERASED_SUBJECT = Insert("erased_subject", ("erasure_id", "contact_id", "mark", "opted_out", "at"))
MOST_BODIES = 500
MOST_BYTES = 4 * 1024 * 1024
REWRITTEN_AT_ONCE = 16
PATIENCE = 30.0
_log = Log("erasure")
Body = tuple[int, bytes]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken out of one stretch of the journal: how many bodies, up to which; the keys of the events, the
    messages they brought, and those they spoke of."""

    upto: int
    bodies: int = 0
    remains: int = 0
    keys: tuple[str, ...] = ()
    wamids: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


async def bodies(workspace: Workspace, after: int, last: int) -> AsyncIterator[list[Body]]:
    """The bodies after one id up to another, few large ones or many small ones at a time."""
    reads = workspace.journal_db.long_reads
    while after < last:
        sizes, whole = await reads.rows("SELECT id, length(body) FROM webhook_body WHERE id > ? AND id <= ? "
                                        "ORDER BY id LIMIT ?", after, last, MOST_BODIES, seconds=PATIENCE)
        if not whole:
            raise Unavailable("The journal takes too long to read now.")
        if not sizes:
            return
        weight, upto = 0, sizes[0][0]
        for body_id, size in sizes:
            weight += size
            if weight > MOST_BYTES and body_id != sizes[0][0]:
                break
            upto = body_id
        rows, _ = await reads.rows("SELECT id, body FROM webhook_body WHERE id > ? AND id <= ? ORDER BY id",
                                   after, upto, seconds=PATIENCE)
        yield [(row[0], row[1]) for row in rows]
        after = upto


async def take_out(workspace: Workspace, meant: Meant, *, after: int, last: int) -> AsyncIterator[Found]:
    """Take the person out of these bodies; what was found, stretch by stretch. May be done twice."""
    async for stretch in bodies(workspace, after, last):
        cuts = await asyncio.to_thread(_cut_all, meant, stretch)
        for start in range(0, len(cuts), REWRITTEN_AT_ONCE):
            async with thorough(workspace) as tx:
                for body_id, found in cuts[start:start + REWRITTEN_AT_ONCE]:
                    await _rewrite(tx, body_id, found)
        yield Found(upto=stretch[-1][0] if stretch else last, bodies=len(cuts),
                    remains=sum(found.remains for _, found in cuts),
                    keys=tuple(key for _, found in cuts for key in found.keys),
                    wamids=tuple(wamid for _, found in cuts for wamid in found.wamids),
                    targets=tuple(target for _, found in cuts for target in found.targets))


def _cut_all(meant: Meant, stretch: Sequence[Body]) -> list[tuple[int, Cut]]:
    cuts = []
    for body_id, body in stretch:
        found = cut(meant, body) if body and may_concern(meant, body) else None
        if found is not None:
            if len(parse(found.body)) != len(parse(body)):
                # The account would not balance; the person goes all the same, and the proof says where to look.
                _log.error("erasure.events_lost", body=body_id)
            cuts.append((body_id, found))
    return cuts


async def _rewrite(tx: RawTransaction, body_id: int, found: Cut) -> None:
    await tx.execute("UPDATE webhook_body SET body = ? WHERE id = ?", found.body, body_id)
    for paths, partial in ((found.whole, 0), (found.partial, 1)):
        for path in paths:
            await tx.execute("INSERT INTO erased_event (journal_id, path, partial) VALUES (?1, ?2, ?3) "
                             "ON CONFLICT (journal_id, path) DO UPDATE SET partial = min(partial, ?3)",
                             body_id, path, partial)


@asynccontextmanager
async def thorough(workspace: Workspace) -> AsyncIterator[RawTransaction]:
    """A transaction of the journal whose deletions overwrite what they delete."""
    async with workspace.journal_db.transaction() as tx:
        await tx.execute("PRAGMA secure_delete = ON")
        yield tx


async def forget_sends(workspace: Workspace, message_ids: Collection[str], contact_ids: Collection[str]) -> None:
    """Sends to the person, and what they said about marketing: the refusal lives on as a hash."""
    async with thorough(workspace) as tx:
        await tx.execute("DELETE FROM send_event WHERE message_id IN (SELECT value FROM json_each(?))",
                         msgspec.json.encode(list(message_ids)).decode())
        await tx.execute("DELETE FROM consent_event WHERE contact_id IN (SELECT value FROM json_each(?))",
                         msgspec.json.encode(list(contact_ids)).decode())


async def tombstones(workspace: Workspace) -> list[Tombstone]:
    return await workspace.journal_db.all(Tombstone, "SELECT erasure_id, contact_id, mark, opted_out, at "
                                          "FROM erased_subject ORDER BY at, erasure_id")


async def put_back(workspace: Workspace, lost: Sequence[Tombstone]) -> None:
    """Tombstones that a journal from a backup does not know."""
    async with workspace.journal_db.transaction() as tx:
        for one in lost:
            await tx.execute("INSERT OR IGNORE INTO erased_subject (erasure_id, contact_id, mark, opted_out, at) "
                             "VALUES (?, ?, ?, ?, ?)", one.erasure_id, one.contact_id, one.mark, int(one.opted_out),
                             one.at)
