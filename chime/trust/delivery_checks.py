"""Self-checks of messages and trails: the account of what came in balances, nothing went out twice, who said stop is
known everywhere, and every audit trail is the one that was signed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from chime import audit
from chime.audit import Trail
from chime.clock import DAY
from chime.db import DatabaseFile
from chime.errors import Unavailable
from chime.inbound.proof import newest_count
from chime.trust.ground import Ground
from chime.trust.model import Broken, Skipped
from chime.trust.places import some_workspaces

# Rows that are examined anew each time; of a longer trail the weekly examination and the signer's alarm count.
EXAMINED = 20_000
VERDICT_GOOD_FOR = 8 * DAY
NEWEST_SENDS = 50_000
NEWEST_CONSENTS = 5_000
# Lines of a journal that are read at a time, and seconds for which that is waited for.
AT_ONCE = 1_000
PATIENCE = 20.0
# Of the lines up to one, the first message that a line of whatever age knows under another id of theirs. Each is looked
# up in an index: to group them all would keep them all in memory.
_ACCEPTED_TWICE = (
    "SELECT message_id FROM send_event AS one WHERE id > ? AND id <= ? AND outcome = 'accepted' AND EXISTS "
    "(SELECT 1 FROM send_event AS other WHERE other.message_id = one.message_id AND other.outcome = 'accepted' "
    "AND other.wamid <> one.wamid) LIMIT 1")
_NOT_STOPPED = ("SELECT id FROM contact WHERE id IN (SELECT value FROM json_each(?)) "
                "AND marketing_consent <> 'opted_out' LIMIT 1")
Read = Callable[..., Awaitable[list[tuple[Any, ...]]]]


async def account(ground: Ground) -> str:
    """Everything WhatsApp delivered is applied, known already, set aside or parked: the delivery proof balances."""
    counted = events = 0
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            found = await newest_count(workspace, now=ground.clock.now())
            if found is None:
                continue
            if not found.ok:
                raise Broken(f"the account of {record.slug} does not balance: {found.total.difference} missing, "
                             f"{found.changed_summaries} days changed")
            counted += 1
            events += found.total.received
    if not counted:
        raise Skipped("nothing was counted yet")
    return f"{events} events in {counted} workspaces"


async def sends(ground: Ground) -> str:
    """No message was accepted by WhatsApp twice: the journal of sends knows one message id of theirs for each of ours.
    """
    looked = 0
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            newest = int(await workspace.journal_db.value("SELECT max(id) FROM send_event") or 0)
            async with _through(workspace.journal_db) as read:
                for upto in range(newest, max(0, newest - NEWEST_SENDS), -AT_ONCE):
                    twice = await read(_ACCEPTED_TWICE, upto - AT_ONCE, upto)
                    if twice:
                        raise Broken(f"a message of {record.slug} was accepted twice: {twice[0][0]}")
            looked += min(newest, NEWEST_SENDS)
    if not looked:
        raise Skipped("nothing was sent yet")
    return f"{looked} lines of the journal of sends"


async def stops(ground: Ground) -> str:
    """Whoever said stop last is stopped in the workspace's state too, whatever was restored since: the journal, which
    no restore takes back, knows."""
    looked = 0
    for record in await some_workspaces(ground):
        async with (ground.registry.use(record.id) as workspace, _through(workspace.db) as state,
                    _through(workspace.journal_db) as journal):
            newest = int(await workspace.journal_db.value("SELECT max(id) FROM consent_event") or 0)
            async for stopped in _last_stops(journal, newest):
                going = await state(_NOT_STOPPED, msgspec.json.encode(stopped).decode())
                if going:
                    raise Broken(f"a contact of {record.slug} said stop and is not stopped: {going[0][0]}")
                looked += len(stopped)
    if not looked:
        raise Skipped("nobody said stop yet")
    return f"{looked} people who said stop"


async def _last_stops(journal: Read, newest: int) -> AsyncIterator[list[str]]:
    """Of those whose consent changed last, some at a time, the contacts whose last word was stop."""
    seen: set[str] = set()
    before = newest + 1
    while len(seen) < NEWEST_CONSENTS:
        rows = await journal("SELECT id, contact_id, marketing FROM consent_event WHERE id < ? ORDER BY id DESC "
                             "LIMIT ?", before, AT_ONCE)
        if not rows:
            return
        last: dict[str, str] = {}
        for _, contact_id, marketing in rows:
            if contact_id not in seen:
                last.setdefault(contact_id, marketing)
        seen.update(last)
        yield [contact_id for contact_id, marketing in last.items() if marketing == "opted_out"]
        before = rows[-1][0]


@asynccontextmanager
async def _through(db: DatabaseFile) -> AsyncIterator[Read]:
    """To look through much of a file: beside the loop, keeping few of its pages in memory, and in the end none."""
    async def read(sql: str, *values: Any) -> list[tuple[Any, ...]]:
        rows, whole = await db.long_reads.rows(sql, *values, seconds=PATIENCE, sparingly=True)
        if not whole:
            raise Unavailable(f"{db.path.name} takes too long to read now.")
        return rows

    try:
        yield read
    finally:
        await db.long_reads.let_go()


async def trails(ground: Ground) -> str:
    """Every audit trail is whole: each row hashes to what it carries, follows the one before, and is under a root that
    was signed."""
    rows = await _examined(ground, "the installation", audit.installation_trail(ground.control))
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            rows += await _examined(ground, record.slug, audit.trail_of(workspace, ground.control))
    return f"{rows} rows"


async def _examined(ground: Ground, name: str, trail: Trail) -> int:
    size = int(await trail.db.value("SELECT max(sequence) FROM audit_event") or 0)
    if size <= EXAMINED:
        verdict = await audit.examine(trail, ground.clock)
    else:
        found = await audit.last_verdict(trail.db)
        if found is None or ground.clock.real_now() - found.checked_at > VERDICT_GOOD_FOR:
            raise Broken(f"the trail of {name} was not examined for a week")
        verdict = found
    if not verdict.ok:
        raise Broken(f"the trail of {name} is not whole from row {verdict.first_bad}: {verdict.reason}")
    if await trail.db.value("SELECT 1 FROM meta WHERE key = 'audit_alarm'"):
        raise Broken(f"the trail of {name} could not be signed")
    return size
