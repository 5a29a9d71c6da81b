"""What was agreed to begins: a take-over, or contacts brought back out of a copy."""

from __future__ import annotations

import msgspec

from chime import approvals
from chime.approvals import Ending, StandsNoMore, State
from chime.db import Db
from chime.errors import Conflict, Invalid, NotFound
from chime.jobs import JobKind, Work
from chime.restores import actions, people, queries
from chime.restores.model import MUTED
from chime.security.permissions import SYSTEM

TAKE_OVER = "restores.take_over"
BRING_BACK = "restores.bring_back"


async def take_over(work: Work, approval_id: str) -> None:
    """Written down under the approval's own id, so that doing it twice is doing it once."""
    workspace = work.workspace
    async with workspace.write(SYSTEM) as tx:
        row = await approvals.begin(tx, approval_id)
    if row is None:
        return
    try:
        await approvals.must_stand(work.control.db, workspace, row, work.clock.real_now())
    except StandsNoMore:
        return
    actor = msgspec.structs.replace(SYSTEM, on_behalf=row.person_id or "")
    failed = False
    try:
        async with work.control.write(actor) as tx:
            await actions.ask_take_over(tx, row.parameters["copy_id"], restore_id=approval_id,
                                        asked_by=row.person_id or "", asked_name=row.requester_name)
    except (Conflict, NotFound):
        failed = True
    async with workspace.write(actor) as tx:
        if failed:
            await approvals.end(tx, await approvals.found(tx, approval_id), State.FAILED, Ending.SUBJECT_GONE)
        else:
            await approvals.finish(tx, approval_id, with_file=False, done=0)


async def bring_back(work: Work, approval_id: str) -> None:
    """All of the contacts, or none; what is not lost any more by then is left as it is."""
    workspace, control = work.workspace, work.control
    async with workspace.write(SYSTEM) as tx:
        row = await approvals.begin(tx, approval_id)
    if row is None:
        return
    try:
        await approvals.must_stand(control.db, workspace, row, work.clock.real_now())
    except StandsNoMore:
        return
    actor = msgspec.structs.replace(SYSTEM, on_behalf=row.person_id or "")
    copy = await queries.copy(control.db, row.parameters["copy_id"])
    try:
        if copy is None or copy.state != MUTED or copy.copied_from != workspace.id:
            raise NotFound("The copy is not there any more.")
        async with people.copy_of(control, copy.id) as then, workspace.write(actor) as tx:
            found = await people.lost(then, row.parameters["contact_ids"], workspace, control)
            done = await people.bring_back(tx, found, copy_id=copy.id, restore_id=approval_id)
            await approvals.finish(tx, approval_id, with_file=False, done=done)
    except (Invalid, NotFound):
        async with workspace.write(actor) as tx:
            await approvals.end(tx, await approvals.found(tx, approval_id), State.FAILED, Ending.SUBJECT_GONE)


async def due(db: Db, now: int) -> list[str]:
    return await approvals.due(db, TAKE_OVER, now)


async def due_people(db: Db, now: int) -> list[str]:
    return await approvals.due(db, BRING_BACK, now)


JOBS = [JobKind(TAKE_OVER, take_over, due, at_once=1), JobKind(BRING_BACK, bring_back, due_people, at_once=1)]
