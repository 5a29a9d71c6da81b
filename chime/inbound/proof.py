"""The proof as a whole, as the command line, the page and scripts tell it: the accounts of workspaces and installation,
what was set aside, and a replay when one was made."""

from __future__ import annotations

from pathlib import Path

import msgspec

from chime.inbound import queries
from chime.inbound.account import count
from chime.inbound.items import described, parked, parked_events
from chime.inbound.model import Account, Counted, DayAccount, Parked, Replayed, SetAside, Task
from chime.inbound.replay import replay
from chime.workspaces import Control, Workspace, WorkspaceRecord

MOST_ITEMS = 1000
# Bodies that are counted while somebody waits for the page; of more than these the kept result is shown.
COUNTED_AT_ONCE = 2000


class WorkspaceProof(Account, frozen=True, kw_only=True):
    """One workspace. `parked` stays 0: what is parked is no workspace's yet. `items` are the rejected events."""

    workspace_id: str
    name: str
    ok: bool
    summaries_of: int | None = None
    changed_summaries: int = 0
    days: tuple[DayAccount, ...] = ()
    items: tuple[SetAside, ...] = ()
    items_left_out: int = 0
    replay: Replayed | None = None


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The whole installation, or one workspace of it."""

    since: int
    total: Account
    workspaces: tuple[WorkspaceProof, ...]
    parked: tuple[Parked, ...] = ()
    parked_left_out: int = 0

    @property
    def ok(self) -> bool:
        return all(one.ok and (one.replay is None or one.replay.ok) for one in self.workspaces)


async def prove_workspace(workspace: Workspace, record: WorkspaceRecord, *, now: int, since: int = 0,
                          full: bool = False, with_replay: bool = False, scratch: Path | None = None
                          ) -> WorkspaceProof:
    """Count, list and, if wished, replay."""
    counted = await count(workspace, now=now, since=since, full=full)
    rows = [row for row in await queries.unsettled(workspace.db, limit=MOST_ITEMS + 1) if row.at >= since]
    replayed = await replay(workspace, folder=scratch) if with_replay else None
    return WorkspaceProof(
        **msgspec.structs.asdict(counted.total), workspace_id=record.id, name=record.name, ok=counted.ok,
        summaries_of=counted.summaries_of, changed_summaries=counted.changed_summaries, days=counted.days,
        items=tuple(await described(workspace, rows[:MOST_ITEMS])),
        items_left_out=max(0, counted.total.rejected - MOST_ITEMS), replay=replayed)


async def account_of_parked(control: Control, *, since: int = 0) -> Account:
    """Deliveries that are nobody's, as a part of the installation's account: received, and parked."""
    events = await parked_events(control, since=since)
    return Account(received=events, parked=events)


async def installation(control: Control, workspaces: list[WorkspaceProof], *, since: int = 0) -> Proof:
    """The proofs of all workspaces together with what belongs to none."""
    total = await account_of_parked(control, since=since)
    for one in workspaces:
        total = total.plus(one)
    shown = await parked(control, since=since, limit=MOST_ITEMS)
    return Proof(since=since, total=total, workspaces=tuple(workspaces), parked=tuple(shown),
                 parked_left_out=await queries.parked_count(control.db, since=since) - len(shown))


async def newest_count(workspace: Workspace, *, now: int) -> Counted | None:
    """The account for a page: counted now when that is quick, else as it was counted last; None before that."""
    kept = await queries.segments(workspace.db)
    newest = await queries.newest_body(workspace.journal_db)
    if newest - (kept[-1].last_id if kept else 0) <= COUNTED_AT_ONCE:
        return await count(workspace, now=now)
    run = await queries.run_of(workspace.db, Task.COUNT)
    return msgspec.convert(run.result, Counted) if run and run.result else None
