"""The replay: the whole journal applied again, into a scratch file, by the very code that applied it first; then the
two files are compared.

Each body is applied with the clock standing where it stood then, so that nothing differs for the time's sake. Only what
the journal cannot know is lent from the live file: our numbers, and our own messages that statuses and reactions speak
of. Nothing leaves: a scratch transaction has no jobs, no nudges, no journal, and dispatch sees no network.

What legally differs is recognised by a rule, and counted:

* `number_not_connected`: set aside because its number was not connected then; it is not applied in the replay either.
* `tried_again`: set aside first and put into effect by a person later, so its body's figures have moved.
* `sent_again`, `discarded`: a status of a message of ours that a person sent again under another id, or discarded.
* `erased`: the event was about somebody who was forgotten; the journal says which events were taken out of it.
* `delivery_removed`, `kept_long_enough`: retention removed the delivery that brought it, or the message.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec

from chime.clock import Clock
from chime.db import Db
from chime.db.snapshot import snapshot
from chime.inbound import queries
from chime.inbound.compare import Comparison
from chime.inbound.dispatch import dispatch
from chime.inbound.lending import Lender
from chime.inbound.model import Difference, Removed, Replayed
from chime.inbound.slices import SLICE, StoredBody, events_of, give_way, stored_bodies
from chime.security.permissions import SYSTEM
from chime.whatsapp import Event, event_key
from chime.whatsapp.events import HistoryReceived, MessageReacted
from chime.workspaces import Transaction, Workspace, applied_upto
from chime.workspaces.scratch import Scratch, scratch_workspace

Progress = Callable[[int, int], Awaitable[None]]
# Bodies in one transaction of the scratch file, which nobody else waits for.
TOGETHER = 200
EVENTS_BETWEEN_BREATHS = 4
# Bodies that may be left for the end, when the live file is held still.
REMAINDER = 500
MOST_ROUNDS = 10
MOST_TOLD = 20
ACTOR = msgspec.structs.replace(SYSTEM, id="webhook")


class _Applied(msgspec.Struct, frozen=True):
    """What the live file says of a body."""

    applied: int
    duplicate: int
    rejected: int
    at: int


class _SetAside(msgspec.Struct, frozen=True):
    """A rejected event of the live file. What Meta repeats is not set aside a second time, so it may be the row of an
    earlier copy of the body."""

    journal_id: int
    path: str
    reason: str
    settled_at: int | None

    @property
    def lacked_its_number(self) -> bool:
        return self.reason.startswith("NoChannel:")


def _at(path: str, rows: list[_SetAside]) -> _SetAside | None:
    return next((row for row in rows if path == row.path or path.startswith(f"{row.path}.")), None)


class _Accepted(Exception):
    """In the replay it could be applied; raised to undo it, because in the live file it is not in effect."""


class Findings:
    """Differences, the first ones kept; and what was recognised as legal, by rule."""

    def __init__(self) -> None:
        self.told: list[Difference] = []
        self.left_out = 0
        self.recognised: Counter[str] = Counter()

    def differs(self, what: str, column: str, *, journal_id: int | None = None, path: str = "") -> None:
        if len(self.told) < MOST_TOLD:
            self.told.append(Difference(what=what, column=column, journal_id=journal_id, path=path))
        else:
            self.left_out += 1


async def replay(workspace: Workspace, *, folder: Path | None = None, progress: Progress | None = None) -> Replayed:
    """Replay the journal of a workspace and compare. `folder` is where the scratch file may lie."""
    clock = Clock()
    started = clock.monotonic()
    findings = Findings()
    async with scratch_workspace(folder or workspace.folder) as scratch:
        work = _Replay(workspace, scratch, findings, progress)
        await work.begin()
        for _ in range(MOST_ROUNDS):
            upto = await applied_upto(workspace.db)
            if upto - work.position > REMAINDER:
                await work.go_to(upto, workspace.db)
        async with snapshot(workspace.db) as live:
            await work.go_to(await applied_upto(live), live)
            comparison = Comparison(live, scratch.db, findings, lambda: give_way(workspace),
                                    await queries.removed(live))
            compared = work.bodies + await comparison.run()
    return Replayed(ok=not findings.told, bodies=work.bodies, compared=compared, differences=tuple(findings.told),
                    left_out=findings.left_out, recognised=dict(findings.recognised),
                    milliseconds=round((clock.monotonic() - started) * 1000))


class _Replay:
    """The way through the journal. `position` is the newest body that is in the scratch file."""

    def __init__(self, workspace: Workspace, scratch: Scratch, findings: Findings, progress: Progress | None) -> None:
        self._workspace = workspace
        self._scratch = scratch
        self._findings = findings
        self._progress = progress
        self._lender = Lender()
        self._removed = Removed()
        self._since_breath = 0
        self.position = 0
        self.bodies = 0

    async def begin(self) -> None:
        async with self._scratch.transaction(ACTOR) as tx:
            await self._lender.prepare(tx, self._workspace.db)
        self._removed = await queries.removed(self._workspace.db)

    async def go_to(self, last: int, live: Db) -> None:
        """Apply what was applied up to this body."""
        bodies = stored_bodies(self._workspace, self.position, last)
        while batch := await _take(bodies):
            async with self._scratch.transaction(ACTOR) as tx:
                await self._lender.renew(tx, live)
                await self._apply(tx, batch, live)
            self.position = batch[-1].id
            self.bodies += len(batch)
            if self._progress is not None:
                await self._progress(self.position, last)
        self.position = max(self.position, last)

    async def _apply(self, tx: Transaction, batch: list[StoredBody], live: Db) -> None:
        first, last = batch[0].id, batch[-1].id
        applied = {row[0]: _Applied(*row[1:]) for row in await live.rows(
            "SELECT journal_id, applied, duplicate, rejected, at FROM applied_body WHERE journal_id BETWEEN ? AND ?",
            first, last)}
        erased: dict[int, dict[str, bool]] = {}
        for journal_id, path, partial in await self._workspace.journal_db.rows(
                "SELECT journal_id, path, partial FROM erased_event WHERE journal_id BETWEEN ? AND ?", first, last):
            erased.setdefault(journal_id, {})[path] = bool(partial)
        for body in batch:
            aside = [_SetAside(*row) for row in await live.rows(
                "SELECT journal_id, path, reason, settled_at FROM rejected_event WHERE body_key = ? "
                "AND journal_id <= ?", body.key, body.id)]
            await self._body(tx, body, applied.get(body.id), aside, erased.get(body.id, {}), live)

    async def _body(self, tx: Transaction, body: StoredBody, applied: _Applied | None, aside: list[_SetAside],
                    erased: dict[str, bool], live: Db) -> None:
        if applied is None:
            self._findings.differs("body", "never applied", journal_id=body.id)
        became: Counter[str] = Counter()
        met: set[str] = set()
        tx.now = applied.at if applied else body.received_at
        # What has no key of its own is found again by the moment it was written at, which begins every id.
        await _remember(tx, body.id, "", f"at:{tx.new_id()[:10]}")
        own = [row for row in aside if row.journal_id == body.id]
        earlier = [row for row in aside if row.journal_id < body.id]
        for event in await events_of(body.body):
            await self._breathe()
            tx.now = applied.at if applied else body.received_at
            if event.path in erased:
                met.update(row.path for row in own if row.path == event.path)
                if erased[event.path]:
                    await self._event(tx, body.id, event, None, live)
                became["erased"] += 1
            elif known := _at(event.path, own):
                met.add(known.path)
                tx.now = known.settled_at or tx.now
                became[await self._event(tx, body.id, event, known, live)] += 1
            elif known := _at(event.path, earlier):
                became[await self._repeated(tx, body.id, event, known, applied, live)] += 1
            else:
                became[await self._event(tx, body.id, event, None, live)] += 1
        for row in own:
            if row.path not in met:
                self._findings.differs("rejected", "unexpected", journal_id=body.id, path=row.path)
        if applied is not None:
            self._compare_figures(body.id, applied, became, any(row.settled_at for row in aside))

    def _compare_figures(self, journal_id: int, applied: _Applied, became: Counter[str], tried_again: bool) -> None:
        if (applied.applied, applied.duplicate, applied.rejected) == (
                became["applied"], became["duplicate"], became["rejected"]):
            return
        told = applied.applied + applied.duplicate + applied.rejected
        if became["erased"] and told == became.total():
            self._findings.recognised["erased"] += became["erased"]
            return
        if self._removed.deliveries_before and told == became.total() and applied.rejected == became["rejected"]:
            # The first copy of something that Meta repeated is not kept any more.
            self._findings.recognised["delivery_removed"] += 1
            return
        if tried_again and applied.applied + applied.duplicate + applied.rejected == became.total():
            self._findings.recognised["tried_again"] += 1
            return
        for name in ("applied", "duplicate", "rejected"):
            if getattr(applied, name) != became[name]:
                self._findings.differs("body", name, journal_id=journal_id)

    async def _event(self, tx: Transaction, journal_id: int, event: Event, known: _SetAside | None, live: Db) -> str:
        """What becomes of one event here: as when it was first applied, applied, duplicate or rejected."""
        is_aside = known is not None and known.settled_at is None
        if is_aside and known is not None and known.lacked_its_number:
            self._findings.recognised["number_not_connected"] += 1
            return "rejected"
        try:
            if not is_aside:
                return await self._dispatched(tx, journal_id, event, live)
            await tx.savepoint(lambda: self._must_fail(tx, event, live))
        except _Accepted:
            self._findings.differs("rejected", "can be applied now", journal_id=journal_id, path=event.path)
        except Exception:  # what failed then fails here too, for whatever reason
            if not is_aside:
                self._findings.differs("rejected", "missing", journal_id=journal_id, path=event.path)
        return "rejected"

    async def _repeated(self, tx: Transaction, journal_id: int, event: Event, known: _SetAside,
                        applied: _Applied | None, live: Db) -> str:
        """What becomes of an event whose first copy was set aside: this one was not set aside again."""
        was_open = known.settled_at is None or applied is None or applied.at < known.settled_at
        if known.lacked_its_number and was_open and (applied is None or applied.applied == 0):
            self._findings.recognised["number_not_connected"] += 1
            return "duplicate"
        try:
            return await self._dispatched(tx, journal_id, event, live)
        except Exception:  # as the first copy did
            return "duplicate"

    async def _dispatched(self, tx: Transaction, journal_id: int, event: Event, live: Db) -> str:
        async def apply() -> bool:
            await self._lender.lend(tx, live, event)
            new = await dispatch(tx, self._workspace.callback_key, event)
            await _remember(tx, journal_id, event.path, *_keys(event))
            return new

        return "applied" if await tx.savepoint(apply) else "duplicate"

    async def _must_fail(self, tx: Transaction, event: Event, live: Db) -> None:
        await self._lender.lend(tx, live, event)
        await dispatch(tx, self._workspace.callback_key, event)
        raise _Accepted

    async def _breathe(self) -> None:
        self._since_breath += 1
        if self._since_breath % EVENTS_BETWEEN_BREATHS == 0:
            await give_way(self._workspace)


async def _take(bodies: AsyncIterator[list[StoredBody]]) -> list[StoredBody]:
    """Some of the next bodies: many small ones, or few large ones."""
    taken: list[StoredBody] = []
    size = 0
    while len(taken) < TOGETHER and size < SLICE * 32:
        more = await anext(bodies, None)
        if more is None:
            break
        taken += more
        size += sum(len(body.body) for body in more)
        await asyncio.sleep(0)
    return taken


def _keys(event: Event) -> list[str]:
    if isinstance(event, HistoryReceived):
        return [f"message:{event.phone_number_id}:{old.wamid}" for old in event.messages]
    if isinstance(event, MessageReacted):
        return [f"reaction:{event.phone_number_id}:{event.target_wamid}"]
    return [event_key(event)]


async def _remember(tx: Transaction, journal_id: int, path: str, *keys: str) -> None:
    """Where in the journal this was said first, to name the place of a difference."""
    for key in filter(None, keys):
        await tx.execute("INSERT OR IGNORE INTO replayed_event (key, journal_id, path) VALUES (?, ?, ?)",
                         key, journal_id, path)
