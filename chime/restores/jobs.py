"""A take-over that was agreed to begins."""

from __future__ import annotations

import msgspec

from chime import approvals
from chime.approvals import Ending, StandsNoMore, State
from chime.db import Db
from chime.errors import Conflict, NotFound
from chime.jobs import JobKind, Work
from chime.restores import actions
from chime.security.permissions import SYSTEM

TAKE_OVER = "restores.take_over"


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


async def due(db: Db, now: int) -> list[str]:
    return await approvals.due(db, TAKE_OVER, now)


JOBS = [JobKind(TAKE_OVER, take_over, due, at_once=1)]
