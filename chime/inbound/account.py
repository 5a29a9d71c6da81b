"""The account: every event that was received, against what became of it.

`received` is found by parsing the journal again; the other side is what applying wrote down in the transaction of the
effects. The two sides come from two files and two moments, which is what makes their agreement a proof.

Days that are over are summed up once and kept with a checksum over what the sum was made of; a full count looks at
every body again and compares those checksums too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from chime.clock import DAY, HOUR
from chime.inbound import queries
from chime.inbound.model import Account, Counted, DayAccount, Segment, day_of
from chime.inbound.slices import SLICE, StoredBody, events_of, give_way, stored_bodies
from chime.security.crypto import digest
from chime.workspaces import Workspace, applied_upto

# After midnight, UTC, so that what was under way then is stored and applied.
CLOSED_AFTER = DAY + HOUR


class Kept(msgspec.Struct, frozen=True):
    """What applying wrote down of one body. `rows` are its rejected events, counted one by one."""

    journal_id: int
    applied: int
    duplicate: int
    rejected: int
    rows: int
    at: int


class BodyAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One body of the journal, or (with no `key`) what was applied of a body the journal has lost."""

    id: int
    key: bytes
    day: int
    account: Account

    def chained(self, checksum: bytes) -> bytes:
        """The checksum of a summary with this body in it. A newer parser does not change it, only somebody who changes
        the files behind our back."""
        return digest(checksum + msgspec.json.encode((self.id, self.key.hex(), self.account.applied,
                                                      self.account.rejected)))


async def count(workspace: Workspace, *, now: int, since: int = 0, full: bool = False) -> Counted:
    """The account of everything received since a moment; kept summaries stand for whole days unless `full`."""
    upto = await applied_upto(workspace.db)
    newest = await queries.newest_body(workspace.journal_db)
    position = await queries.last_body_before(workspace.journal_db, since, newest) if since else 0
    kept = [segment for segment in await queries.segments(workspace.db) if segment.first_id > position
            and (segment.removed_at is None or segment.day + DAY > since)]
    days: dict[int, Account] = {}
    # Of days whose deliveries are not kept any more the sum is all there is, also for a full count.
    counted_again = [segment for segment in kept if full and segment.removed_at is None]
    summed = kept if not full else [segment for segment in kept if segment.removed_at is not None]
    check = _SummaryCheck(counted_again)
    for segment in summed:
        await _add(days, account_of_bodies(workspace, position, segment.first_id - 1, upto), check)
        days[segment.day] = days.get(segment.day, Account()).plus(segment.account)
        position = segment.last_id
    await _add(days, account_of_bodies(workspace, position, max(newest, upto), upto), check)
    total = Account()
    for account in days.values():
        total = total.plus(account)
    return Counted(
        total=total, counted_at=now, since=since, changed_summaries=check.changed,
        days=tuple(DayAccount(day=day, **msgspec.structs.asdict(days[day])) for day in sorted(days)),
        summaries_of=min((segment.computed_at for segment in summed), default=None))


async def _add(days: dict[int, Account], bodies: AsyncIterator[BodyAccount], check: _SummaryCheck) -> None:
    async for body in bodies:
        days[body.day] = days.get(body.day, Account()).plus(body.account)
        check.see(body)


class _SummaryCheck:
    """Compares kept summaries with the bodies they were made of, as these pass by."""

    def __init__(self, segments: list[Segment]) -> None:
        self._awaited = {segment.first_id: segment for segment in segments}
        self._current: Segment | None = None
        self._checksum = b""
        self._wrong = 0

    @property
    def changed(self) -> int:
        """How many are not what they were: one whose bodies never came, or came otherwise."""
        return self._wrong + len(self._awaited) + (self._current is not None)

    def see(self, body: BodyAccount) -> None:
        if self._current is None and body.id in self._awaited:
            self._current, self._checksum = self._awaited.pop(body.id), b""
        if self._current is None:
            return
        self._checksum = body.chained(self._checksum)
        if body.id >= self._current.last_id:
            self._wrong += self._checksum != self._current.checksum
            self._current = None


async def account_of_bodies(workspace: Workspace, after: int, last: int, upto: int) -> AsyncIterator[BodyAccount]:
    """Each body after one id up to another, in the journal's order. `upto` is how far applying had come before the
    first of them was read: what lies beyond is waiting, whatever is written down of it by now."""
    parsed = 0
    async for bodies in stored_bodies(workspace, after, last):
        kept = await _kept(workspace, after, min(bodies[-1].id, upto))
        after = bodies[-1].id
        for body in bodies:
            events = len(await events_of(body.body))
            parsed += len(body.body)
            if parsed > SLICE:
                parsed = 0
                await give_way(workspace)
            yield _account_of(body, events, kept.pop(body.id, None), upto)
        for lost in kept.values():
            yield _account_of_lost(lost)
        await give_way(workspace)
    for lost in (await _kept(workspace, after, min(last, upto))).values():
        yield _account_of_lost(lost)


async def _kept(workspace: Workspace, after: int, last: int) -> dict[int, Kept]:
    # One statement, so that a retry that moves a figure is seen wholly or not at all.
    rows = await workspace.db.rows(
        "SELECT journal_id, applied, duplicate, rejected, (SELECT count(*) FROM rejected_event "
        "WHERE rejected_event.journal_id = applied_body.journal_id AND settled_at IS NULL), at FROM applied_body "
        "WHERE journal_id > ? AND journal_id <= ? ORDER BY journal_id", after, last)
    return {row[0]: Kept(*row) for row in rows}


def _account_of(body: StoredBody, events: int, kept: Kept | None, upto: int) -> BodyAccount:
    if kept is not None:
        told = kept.applied + kept.duplicate + kept.rejected
        account = Account(received=events, applied=kept.applied, duplicate=kept.duplicate, rejected=kept.rejected,
                          difference=abs(events - told) + abs(kept.rejected - kept.rows))
    elif body.id > upto:
        account = Account(received=events, waiting=events)
    else:
        account = Account(received=events, difference=events)
    return BodyAccount(id=body.id, key=body.key, day=day_of(body.received_at), account=account)


def _account_of_lost(kept: Kept) -> BodyAccount:
    told = kept.applied + kept.duplicate + kept.rejected
    account = Account(applied=kept.applied, duplicate=kept.duplicate, rejected=kept.rejected, difference=told)
    return BodyAccount(id=kept.journal_id, key=b"", day=day_of(kept.at), account=account)


async def new_segments(workspace: Workspace, *, now: int) -> AsyncIterator[Segment]:
    """Summaries of the finished days that have none yet. Days with a difference get none: they are to be looked at
    each time."""
    upto = await applied_upto(workspace.db)
    newest = await queries.newest_body(workspace.journal_db)
    last = await queries.last_body_before(workspace.journal_db, day_of(now - HOUR), newest)
    position = 0
    for segment in await queries.segments(workspace.db):
        async for found in _segments(account_of_bodies(workspace, position, segment.first_id - 1, upto), now):
            yield found
        position = segment.last_id
    async for found in _segments(account_of_bodies(workspace, position, min(last, upto), upto), now):
        yield found


async def _segments(bodies: AsyncIterator[BodyAccount], now: int) -> AsyncIterator[Segment]:
    first: BodyAccount | None = None
    latest: BodyAccount | None = None
    total, checksum = Account(), b""
    async for body in bodies:
        if first is not None and latest is not None and body.day != first.day:
            if found := _segment(first, latest, total, checksum, now):
                yield found
            first, total, checksum = None, Account(), b""
        first, latest = first or body, body
        total, checksum = total.plus(body.account), body.chained(checksum)
    if first is not None and latest is not None and (found := _segment(first, latest, total, checksum, now)):
        yield found


def _segment(first: BodyAccount, latest: BodyAccount, total: Account, checksum: bytes, now: int) -> Segment | None:
    if total.difference or total.waiting or now - first.day < CLOSED_AFTER:
        return None
    return Segment(first_id=first.id, last_id=latest.id, day=first.day, received=total.received,
                   applied=total.applied, duplicate=total.duplicate, rejected=total.rejected, checksum=checksum,
                   computed_at=now)
