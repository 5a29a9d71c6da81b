"""The account: every event that was received, against what became of it.

`received` is found by parsing the journal again; the other side is what applying wrote down in the transaction of the
effects. The two sides come from two files and two moments, which is what makes their agreement a proof.

Days that are over for a week (Meta repeats for so long) are summed up once and kept with a checksum over what the sum
was made of; a full count looks at every body again and compares those checksums too.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import msgspec

from chime.clock import DAY
from chime.inbound import queries
from chime.inbound.model import Account, Counted, DayAccount, Segment, day_of
from chime.inbound.slices import SLICE, StoredBody, events_of, give_way, stored_bodies
from chime.workspaces import Workspace

# A body may be repeated by Meta for seven days; until then a day's repeats are not all counted.
CLOSED_AFTER = 8 * DAY


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
    is_settled: bool

    def add_to(self, checksum: hashlib._Hash) -> None:
        """What a summary stands for. Neither repeats nor today's parser change it, only a change behind our back."""
        told = self.account
        checksum.update(msgspec.json.encode((self.id, self.key.hex(), told.applied, told.rejected)))


async def count(workspace: Workspace, *, now: int, since: int = 0, full: bool = False) -> Counted:
    """The account of everything received since a moment; kept summaries stand for whole days unless `full`."""
    upto = await queries.applied_upto(workspace.db)
    newest = await queries.newest_body(workspace.journal_db)
    position = await queries.last_body_before(workspace.journal_db, since, newest) if since else 0
    kept = [segment for segment in await queries.segments(workspace.db) if segment.first_id > position]
    days: dict[int, Account] = {}
    check = _SummaryCheck(kept if full else [])
    for segment in [] if full else kept:
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
        summaries_of=min((segment.computed_at for segment in kept), default=None) if not full else None)


async def _add(days: dict[int, Account], bodies: AsyncIterator[BodyAccount], check: _SummaryCheck) -> None:
    async for body in bodies:
        days[body.day] = days.get(body.day, Account()).plus(body.account)
        check.see(body)


class _SummaryCheck:
    """Compares kept summaries with the bodies they were made of, as these pass by."""

    def __init__(self, segments: list[Segment]) -> None:
        self._open = {segment.first_id: segment for segment in segments}
        self._current: Segment | None = None
        self._checksum = hashlib.sha256()
        self._seen = 0

    @property
    def changed(self) -> int:
        return len(self._open) + (self._current is not None) + self._seen

    def see(self, body: BodyAccount) -> None:
        if self._current is None and body.id in self._open:
            self._current, self._checksum = self._open.pop(body.id), hashlib.sha256()
        if self._current is None:
            return
        body.add_to(self._checksum)
        if body.id >= self._current.last_id:
            self._seen += body.id != self._current.last_id or self._checksum.digest() != self._current.checksum
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
    repeats = events * (body.copies - 1)
    if kept is not None:
        told = kept.applied + kept.duplicate + kept.rejected
        account = Account(received=events * body.copies, applied=kept.applied, duplicate=kept.duplicate + repeats,
                          rejected=kept.rejected, difference=abs(events - told) + abs(kept.rejected - kept.rows))
    elif body.id > upto:
        account = Account(received=events * body.copies, duplicate=repeats, waiting=events)
    else:
        account = Account(received=events * body.copies, duplicate=repeats, difference=events)
    return BodyAccount(id=body.id, key=body.key, day=day_of(body.received_at), account=account,
                       is_settled=kept is not None)


def _account_of_lost(kept: Kept) -> BodyAccount:
    told = kept.applied + kept.duplicate + kept.rejected
    account = Account(applied=kept.applied, duplicate=kept.duplicate, rejected=kept.rejected, difference=told)
    return BodyAccount(id=kept.journal_id, key=b"", day=day_of(kept.at), account=account, is_settled=True)


async def new_segments(workspace: Workspace, *, now: int) -> AsyncIterator[Segment]:
    """Summaries of the finished days that have none yet. Days with a difference get none: they are to be looked at
    each time."""
    upto = await queries.applied_upto(workspace.db)
    newest = await queries.newest_body(workspace.journal_db)
    last = await queries.last_body_before(workspace.journal_db, day_of(now - CLOSED_AFTER) + DAY, newest)
    position = 0
    for segment in await queries.segments(workspace.db):
        async for found in _segments(account_of_bodies(workspace, position, segment.first_id - 1, upto), now):
            yield found
        position = segment.last_id
    async for found in _segments(account_of_bodies(workspace, position, min(last, upto), upto), now):
        yield found


async def _segments(bodies: AsyncIterator[BodyAccount], now: int) -> AsyncIterator[Segment]:
    run: list[BodyAccount] = []
    total, checksum = Account(), hashlib.sha256()
    first = latest = None
    async for body in bodies:
        if first is not None and latest is not None and body.day != first.day:
            if found := _segment(first, latest, total, checksum, now):
                yield found
            first, total, checksum = None, Account(), hashlib.sha256()
        first = first or body
        latest = body
        total = total.plus(body.account)
        body.add_to(checksum)
    if first is not None and latest is not None and (found := _segment(first, latest, total, checksum, now)):
        yield found
    run.clear()


def _segment(first: BodyAccount, latest: BodyAccount, total: Account, checksum: hashlib._Hash,
             now: int) -> Segment | None:
    if total.difference or total.waiting or day_of(now) - first.day < CLOSED_AFTER:
        return None
    return Segment(first_id=first.id, last_id=latest.id, day=first.day, received=total.received,
                   applied=total.applied, duplicate=total.duplicate, rejected=total.rejected,
                   checksum=checksum.digest(), computed_at=now)
