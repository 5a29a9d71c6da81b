"""The answer of a question as a file, through the approval and the file of an export: encrypted, fetched once, each row
with its reference and the last line saying openly where it comes from.

What runs is the question that was approved, with the rights its requester has by then; with more rows than a question
may have, or when it can't be answered any more, there is no file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from chime import approvals, exports
from chime.approvals import Approval, Ending, StandsNoMore, State
from chime.clock import as_datetime, rfc3339
from chime.data_queries.asking import answer, need_everything
from chime.data_queries.model import Period
from chime.db import Db
from chime.db.questions import Answer
from chime.errors import Forbidden
from chime.ids import Ids
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM, Actor

EXPORT = "data_queries.export"
KIND = "query_export"


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of an approved export."""

    name: str
    sql: str
    since: str
    until: str
    masked: bool


async def run(work: Work, export_id: str) -> None:
    """Run it, if it is to be run."""
    async with work.workspace.write(SYSTEM) as tx:
        row = await approvals.begin(tx, export_id)
        if row is None:
            return
        made = await exports.new_file(tx, work.workspace.vault, row.id)
    try:
        await _run(work, row, made)
    except StandsNoMore:
        return
    except Forbidden:
        await _fail(work, row, Ending.REQUESTER_LOST_RIGHT)


async def _run(work: Work, row: Approval, made: exports.NewFile) -> None:
    frozen = msgspec.convert(row.parameters, Frozen)
    now = work.clock.real_now()
    actor = await approvals.must_stand(work.control.db, work.workspace, row, now)
    need_everything(actor)
    masked = frozen.masked or not actor.sees_numbers
    found = await answer(work.workspace, work.control, sql=frozen.sql, masked=masked,
                         period=Period(since=frozen.since, until=frozen.until))
    if found.problem or found.is_cut:
        await _fail(work, row, Ending.TOO_MANY_ROWS if found.is_cut else Ending.CHANGED)
        return
    content = await asyncio.to_thread(_table, found, row, made.marker, now)
    written = await exports.folder(work.workspace, made.key).write(row.id, _once(content))
    # Whoever was removed while it ran gets no file.
    await approvals.must_stand(work.control.db, work.workspace, row, work.clock.real_now())
    async with work.workspace.write(_on_behalf(row)) as tx:
        await tx.execute("UPDATE export_file SET filename = ?, media_type = ?, size = ?, rows = ?, masked = ? "
                         "WHERE id = ?", f"chime-question-{as_datetime(row.requested_at):%Y-%m-%d}.csv",
                         exports.MEDIA_TYPES["csv"], written.size, len(found.rows), int(masked), row.id)
        await approvals.finish(tx, row.id, with_file=True, done=len(found.rows))


def _table(found: Answer, row: Approval, marker: bytes, now: int) -> bytes:
    """Every cell guarded, so that no spreadsheet takes one for a formula."""
    ids = Ids()
    columns = (*found.columns, "reference")
    lines = [exports.csv_line(columns)]
    lines += [exports.csv_line((*map(exports.cell_text, cells), exports.reference(marker, ids)))
              for cells in found.rows]
    approved = f", approved by {row.approver_name}" if row.approver_name else ""
    told = (f"#chime-export {row.id}", f"requested by {row.requester_name}{approved}", rfc3339(now))
    return "".join([*lines, exports.csv_line((*told, *[""] * (len(columns) - len(told))))]).encode()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _on_behalf(row: Approval) -> Actor:
    return msgspec.structs.replace(SYSTEM, on_behalf=row.person_id or row.key_id or "")


async def _fail(work: Work, row: Approval, ending: Ending) -> None:
    async with work.workspace.write(_on_behalf(row)) as tx:
        current = await approvals.found(tx, row.id)
        if current.ended_at is None:
            await approvals.end(tx, current, State.FAILED, ending)


async def due(db: Db, now: int) -> list[str]:
    return await approvals.due(db, EXPORT, now)


JOBS = [JobKind(EXPORT, run, due, at_once=1)]
