"""Bulk changes of many: on in short transactions, with the rights their asker has at that moment; and forgotten, as
merges of contacts and of tags are, once nobody can undo them."""

from __future__ import annotations

from chime import accounts
from chime.accounts import Requester
from chime.db import Db
from chime.errors import Conflict, Forbidden, Invalid, NotFound
from chime.inbox import bulk, filter_queries, merging, tag_changes
from chime.inbox.bulk import BULK, FORGET_BULK, UNDO_FOR, Act, People
from chime.inbox.merging import FORGET_MERGE
from chime.inbox.tag_changes import FORGET_TAG
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM
from chime.security.scope import viewer

BATCH = 100
# What a verb says to a change that cannot be made: the same tomorrow, so nobody need try it again.
_REFUSALS = (NotFound, Invalid, Forbidden, Conflict)


async def run(work: Work, bulk_id: str) -> None:
    """Until all are done, its asker may not any more, or it is refused. Run twice, it goes on where it was."""
    try:
        while await _batch(work, bulk_id):
            pass
    except _REFUSALS:
        # The tag was deleted meanwhile, or the team. What is done already can be undone once the change is over.
        await _give_up(work, bulk_id)


async def _batch(work: Work, bulk_id: str) -> bool:
    """Whether there may be more."""
    db = work.workspace.db
    known = await bulk.change(db, bulk_id)
    if known is None or known.state != "running":
        return False
    asker = Requester(person_id=known.person_id, key_id=known.key_id, name=known.person_name)
    actor = await accounts.actor_of_requester(work.control.db, work.workspace.id, asker, work.clock.real_now())
    if actor is None or not actor.may(known.act.permission):
        await _give_up(work, bulk_id)
        return False
    rows = await db.rows("SELECT conversation_id FROM bulk_item WHERE bulk_id = ? AND done_at IS NULL LIMIT ?",
                         bulk_id, BATCH)
    ids = [row[0] for row in rows]
    may = set(await filter_queries.held(db, viewer(actor, known.act.permission), ids,
                                        with_queue=known.act in (Act.ASSIGN, Act.TEAM)))
    people = await people_of(work.control.db, work.workspace.id)
    async with work.workspace.write(actor) as tx:
        await tx.execute("DELETE FROM bulk_item WHERE bulk_id = ?1 AND conversation_id IN "
                         "(SELECT value FROM json_each(?2))", bulk_id, bulk.as_json(sorted(set(ids) - may)))
        await bulk.apply(tx, bulk_id, known.value, [one for one in ids if one in may], people=people,
                         passed_over=len(ids) - len(may) if ids else known.total - known.done)
    return bool(ids)


async def _give_up(work: Work, bulk_id: str) -> None:
    async with work.workspace.write(SYSTEM) as tx:
        await bulk.give_up(tx, bulk_id)


async def people_of(control: Db, workspace_id: str) -> People:
    """Names by id."""
    return People(members={one.id: one.name for one in await accounts.members(control, workspace_id)},
                  teams=await accounts.team_names(control, workspace_id))


async def due(db: Db, now: int) -> list[str]:
    """Those a crash left in the middle."""
    return [row[0] for row in await db.rows("SELECT id FROM bulk_change WHERE state = 'running' LIMIT 100")]


async def forget(work: Work, bulk_id: str) -> None:
    async with work.workspace.ingest("bulk") as tx:
        await bulk.forget(tx, bulk_id)


async def to_forget(db: Db, now: int) -> list[str]:
    return [row[0] for row in await db.rows("SELECT id FROM bulk_change WHERE ended_at < ? LIMIT 100", now - UNDO_FOR)]


async def forget_merge(work: Work, merge_id: str) -> None:
    async with work.workspace.ingest("merge") as tx:
        await merging.forget(tx, merge_id)


async def forget_tag(work: Work, change_id: str) -> None:
    async with work.workspace.ingest("tags") as tx:
        await tag_changes.forget(tx, change_id)


JOBS = [JobKind(BULK, run, due, at_once=1), JobKind(FORGET_BULK, forget, to_forget),
        JobKind(FORGET_MERGE, forget_merge, merging.to_forget),
        JobKind(FORGET_TAG, forget_tag, tag_changes.to_forget)]
