"""The one kind of audited transaction: the change, its audit row, its jobs and its live nudges, together or not at all.

After-commit work (ringing the queue, telling browsers) carries ids only and may be lost in a crash: the rows are the
truth and the sweep finds them again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from chime.clock import Clock
from chime.db import DatabaseFile, GroupCommit, Insert, RawTransaction
from chime.errors import ChimeError
from chime.ids import Ids
from chime.security.audit_hash import FIRST, FORM, agent_hash, hash_of
from chime.security.permissions import SYSTEM, Actor

T = TypeVar("T")
MOST_TOGETHER = 64
WORKS_BETWEEN_BREATHS = 4
# After so many audit rows a checkpoint is signed, by this job; the sweep sees to it when there are fewer.
ROWS_TO_CHECKPOINT = 1_000
CHECKPOINT = "audit.checkpoint"
TRAIL = "trail"


class Unaudited(ChimeError):
    """A programming error: something was changed and no audit row says who did what. Nothing was committed."""


class JobNudge(msgspec.Struct, frozen=True):
    """Ring the queue for this job after the commit; `at` for later."""

    kind: str
    id: str
    at: int | None = None


class LiveNudge(msgspec.Struct, frozen=True):
    """Tell open browsers that this thing changed; those of one person, when it concerns nobody else. No content: they
    fetch it through the ordinary, checked path."""

    topic: str
    id: str
    conversation_id: str | None = None
    user_id: str | None = None


class Committed(msgspec.Struct, frozen=True):
    """What a transaction leaves to do once it is durable."""

    jobs: tuple[JobNudge, ...]
    nudges: tuple[LiveNudge, ...]


AfterCommit = Callable[[Committed], None]


class Transaction(RawTransaction):
    """`tx`: reads, writes, and what goes with a write. `now` is the same moment throughout."""

    actor: Actor
    now: int
    audited_at: int
    """The machine's time, which no simulated clock moves: what audit rows carry"""

    def __init__(self, raw: RawTransaction, actor: Actor, clock: Clock, ids: Ids) -> None:
        super().__init__(raw._connection, raw._path, raw._errors)
        self.actor = actor
        self.now = clock.now()
        self.audited_at = clock.real_now()
        self._ids = ids
        self.audited = 0
        self._gathered: dict[str, list[str]] | None = None
        self._jobs: dict[JobNudge, None] = {}
        self._nudges: dict[LiveNudge, None] = {}
        self.journal_rows: list[tuple[Insert, tuple[Any, ...]]] = []

    def new_id(self) -> str:
        return self._ids.new(self.now)

    async def audit(self, action: str, object_kind: str, object_id: str, **details: Any) -> None:
        """Say who did what to which thing. `details` hold ids, states and counts, never a customer's words."""
        if self._gathered is not None:
            self._gathered.setdefault(action, []).append(object_id)
            return
        await self.audit_for(self.actor, action, object_kind, object_id, details)

    @asynccontextmanager
    async def audited_together(self, action: str, object_kind: str, object_id: str, **details: Any
                               ) -> AsyncIterator[None]:
        """One act on many things leaves one row, which tells of each action the ids of what it was done to."""
        gathered: dict[str, list[str]] = {}
        self._gathered = gathered
        try:
            yield
        finally:
            self._gathered = None
        await self.audit_for(self.actor, action, object_kind, object_id, details | {"done": gathered})

    async def audit_for(self, actor: Actor, action: str, object_kind: str, object_id: str, details: dict[str, Any], *,
                        denied: bool = False) -> None:
        """The same for an act of somebody else than the one whose transaction this is, or for one that was refused."""
        last = await self.rows("SELECT sequence, hash FROM audit_event ORDER BY sequence DESC LIMIT 1")
        sequence, previous = (last[0][0] + 1, last[0][1]) if last else (1, FIRST)
        text = msgspec.json.encode(details, order="deterministic").decode()
        row = (sequence, FORM, self.audited_at, actor.kind, actor.id, actor.name, actor.on_behalf,
               actor.origin.session_id, actor.origin.address, agent_hash(actor.origin.agent), action, object_kind,
               object_id, "denied" if denied else "done", text, previous)
        await self.execute(
            "INSERT INTO audit_event (sequence, form, at, actor_kind, actor_id, actor_name, on_behalf, session_id, "
            "address, agent_hash, action, object_kind, object_id, result, details_json, previous_hash, hash) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *row, hash_of(row))
        self.audited += 1
        if sequence % ROWS_TO_CHECKPOINT == 0:
            self.enqueue(CHECKPOINT, TRAIL)

    def enqueue(self, kind: str, object_id: str, *, at: int | None = None) -> None:
        """Have the queue run this job after the commit (or `at` a later moment). Said twice, it is rung once."""
        self._jobs[JobNudge(kind, object_id, at)] = None

    def publish(self, topic: str, object_id: str, *, conversation_id: str | None = None,
                user_id: str | None = None) -> None:
        """Tell open browsers after the commit, or only those of one person. Said twice, it is sent once."""
        self._nudges[LiveNudge(topic, object_id, conversation_id, user_id)] = None

    def journal(self, insert: Insert, *values: Any) -> None:
        """Have this row durable in the journal before the commit: a restore of the workspace must not forget it."""
        self.journal_rows.append((insert, values))

    async def savepoint(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; when it raises, its changes, jobs, nudges and journal rows are undone and the rest goes on."""
        jobs, nudges, rows = dict(self._jobs), dict(self._nudges), list(self.journal_rows)
        try:
            return await super().savepoint(work)
        except BaseException:
            self._jobs, self._nudges, self.journal_rows = jobs, nudges, rows
            raise

    def committed(self) -> Committed:
        return Committed(tuple(self._jobs), tuple(self._nudges))


class Writes:
    """Opens the transactions of one file."""

    def __init__(self, file: DatabaseFile, clock: Clock, ids: Ids, after_commit: AfterCommit,
                 journal: GroupCommit | None = None) -> None:
        self._file = file
        self._clock = clock
        self._ids = ids
        self._after_commit = after_commit
        self._journal = journal

    @asynccontextmanager
    async def write(self, actor: Actor) -> AsyncIterator[Transaction]:
        """An audited transaction. Raises Unaudited, and commits nothing, when rows changed and nothing was audited."""
        async with self._open(actor) as tx:
            before = tx.changes
            yield tx
            if tx.changes > before and not tx.audited:
                raise Unaudited("a transaction changed rows and audited nothing")

    @asynccontextmanager
    async def ingest(self, source: str) -> AsyncIterator[Transaction]:
        """For machine facts that are their own log (webhooks, results of jobs). `source` says which."""
        actor = msgspec.structs.replace(SYSTEM, id=source)
        async with self._open(actor) as tx:
            yield tx

    @asynccontextmanager
    async def _open(self, actor: Actor) -> AsyncIterator[Transaction]:
        async with self._file.transaction() as raw:
            tx = Transaction(raw, actor, self._clock, self._ids)
            yield tx
            tx.must_be_open()  # nothing goes into the journal for what cannot be committed
            await self._into_journal(tx.journal_rows)
        self._after_commit(tx.committed())

    async def _into_journal(self, rows: list[tuple[Insert, tuple[Any, ...]]]) -> None:
        if not rows:
            return
        if self._journal is None:
            raise ChimeError("this file has no journal")
        await self._journal.append_all(rows)


class Together:
    """Small pieces of machine work share one transaction: whoever comes while one is being committed is in the next.

    A send is claimed and settled by a few rows each; a commit of its own for each of them would be bound by the disk
    at some hundred sends a second. Each piece has a savepoint: one that raises is undone alone and its caller told.
    """

    def __init__(self, writes: Writes, source: str) -> None:
        self._writes = writes
        self._source = source
        self._pending: deque[tuple[Callable[[Transaction], Awaitable[Any]], asyncio.Future[Any]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """The result of `work`, once it is committed. It must wait for nothing but its own statements."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append((work, done))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        return await done

    async def _drain(self) -> None:
        while self._pending:
            batch = [self._pending.popleft() for _ in range(min(len(self._pending), MOST_TOGETHER))]
            results: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
            failure: BaseException | None = None
            try:
                async with self._writes.ingest(self._source) as tx:
                    for index, (work, done) in enumerate(batch):
                        results.append((done, *await _attempt(tx, work)))
                        if index % WORKS_BETWEEN_BREATHS == WORKS_BETWEEN_BREATHS - 1:
                            await asyncio.sleep(0)
            except BaseException as error:
                failure = error
            _tell(batch, results, failure)
            if failure is not None and not isinstance(failure, Exception):
                raise failure

    async def close(self) -> None:
        """Wait for what is pending."""
        if self._running is not None:
            await asyncio.wait([self._running])


async def _attempt(tx: Transaction, work: Callable[[Transaction], Awaitable[Any]]) -> tuple[Any, Exception | None]:
    try:
        return await tx.savepoint(lambda: work(tx)), None
    except Exception as error:  # it is the caller's, who waits for it
        return None, error


def _tell(batch: list[Any], results: list[Any], failure: BaseException | None) -> None:
    if failure is not None:
        # Nothing was committed, so nobody's work is done.
        results = [(done, None, failure) for _, done in batch]
    for done, result, error in results:
        if done.cancelled():
            continue
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error if isinstance(error, Exception) else ChimeError("the transaction was given up"))
