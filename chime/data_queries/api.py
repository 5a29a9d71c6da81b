"""Questions for scripts: the saved ones, and asking; the answer as JSON or CSV.

The same rules as on the page: views only, in a process of its own, written down before a row is shown, numbers masked
for a key that sees them so; and as many rows as the page shows. All rows leave through an export, which a second person
approves. An answer is worked out anew each time and kept nowhere, so a repeated call needs no `Idempotency-Key`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.response import Response
from msgspec import Meta

from chime import accounts, exports
from chime.clock import rfc3339
from chime.data_queries import queries
from chime.data_queries.asking import NotAnswered, ask, need_everything
from chime.data_queries.model import LONGEST, MOST_SHOWN, Saved, Wish, checked
from chime.db.questions import Answer
from chime.errors import Invalid, NotFound
from chime.security import limits
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_ALL = "/api/v1/queries"


class QueryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A saved question. `owner` saved it; a shared one is for everybody who may ask."""

    id: str
    name: str
    sql: str
    is_shared: bool
    owner: str
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: Saved) -> QueryAnswer:
        return cls(id=one.id, name=one.name, sql=one.sql, is_shared=one.is_shared, owner=one.owner_name,
                   created_at=rfc3339(one.created_at), updated_at=rfc3339(one.updated_at))


class AskQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either `sql` or the `query_id` of a saved question. The days are what `:from` and `:to` stand for; the last one
    is included."""

    sql: Annotated[str, Meta(max_length=LONGEST)] = ""
    query_id: Annotated[str, Meta(max_length=40)] = ""
    first_day: Annotated[str, Meta(max_length=10)] = ""
    last_day: Annotated[str, Meta(max_length=10)] = ""


class RowsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The first 500 rows, cell by cell as `columns` names them. `is_cut`: there are more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    is_cut: bool
    milliseconds: int


_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0q", "name": "Contacts by tag",
            "sql": "SELECT tag, count(*) AS contacts FROM contact_tags GROUP BY tag", "is_shared": True,
            "owner": "Alice", "created_at": "2026-11-21T09:30:00.000Z", "updated_at": "2026-11-21T09:30:00.000Z"}
_BODY = {"sql": "SELECT date(at) AS day, count(*) AS messages FROM messages WHERE at >= :from AND at < :to "
                "GROUP BY day", "first_day": "2026-11-01", "last_day": "2026-11-20"}
_GONE = {404: "There is no such saved question."}
_RULES = ("Read-only SQL over the documented views, five seconds, 384 MB, the first 500 rows; four questions in ten "
          "seconds. That it was asked is in the audit log.")


@get(_ALL, opt=api(Permission.DATA_QUERY, Operation(
    tag="queries", summary="List saved questions", answer=Page[QueryAnswer], parameters=PAGED,
    description="Shared ones, and those of the person behind the key; by the moment they were saved.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_queries(here: Here) -> Page[QueryAnswer]:
    need_everything(here.actor)
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = sorted(await queries.saved(here.db, await _person(here)), key=lambda row: (row.created_at, row.id))
    rows = [row for row in rows if after is None or (row.created_at, row.id) > after]
    return page_of(rows[:limit + 1], limit, place=lambda row: (row.created_at, row.id), told=QueryAnswer.of)


async def _person(here: Here) -> str:
    """Whose own questions a script has: of whoever stands behind its key."""
    return (await accounts.requester_of(here.services.control.db, here.actor)).person_id or ""


@post(_ALL + "/answers", status_code=200, opt=api(Permission.DATA_QUERY, Operation(
    tag="queries", summary="Ask a question", description=_RULES, body=AskQuestion, answer=RowsAnswer,
    only_reads=True, refusals=_GONE,
    request_example=_BODY, response_example={
        "columns": ["day", "messages"], "rows": [["2026-11-01", 214], ["2026-11-02", 187]], "is_cut": False,
        "milliseconds": 41})))
async def create_query_answer(here: Here) -> RowsAnswer:
    found = await _answered(here)
    return RowsAnswer(columns=found.columns, rows=found.rows, is_cut=found.is_cut, milliseconds=found.took)


@post(_ALL + "/answers/csv", status_code=200, opt=api(Permission.DATA_QUERY, Operation(
    tag="queries", summary="Ask a question, answered as CSV", body=AskQuestion, answer=bytes, request_example=_BODY,
    only_reads=True, refusals=_GONE,
    description=f"{_RULES} No cell is a formula to a spreadsheet; the header Chime-Is-Cut says whether there are more "
                "rows.")))
async def create_query_answer_file(here: Here) -> Response[bytes]:
    found = await _answered(here)
    lines = [exports.csv_line(found.columns), *(exports.csv_line(map(exports.cell_text, row)) for row in found.rows)]
    return Response("".join(lines).encode(), media_type="text/csv; charset=utf-8", headers={
        "Content-Disposition": 'attachment; filename="chime-answer.csv"', "Cache-Control": "no-store",
        "Chime-Is-Cut": "true" if found.is_cut else "false"})


async def _answered(here: Here) -> Answer:
    need_everything(here.actor)
    # As for people; the limits of a key alone would allow a hundred a minute.
    here.services.limiter.need(limits.QUESTION.of(here.record.id, here.actor.id or ""))
    asked = await json_body(here.request, AskQuestion)
    if bool(asked.sql) is bool(asked.query_id):
        raise Invalid.field("sql", "Give either sql or query_id.")
    sql = asked.sql or await _saved(here, asked.query_id)
    period = checked(Wish(sql=sql, first_day=asked.first_day, last_day=asked.last_day))
    try:
        found = await ask(here.workspace, here.services.control, here.actor, sql=sql, period=period,
                          query_id=asked.query_id, people_of=here.record.people_of)
    except NotAnswered as error:
        raise Invalid.field("sql", _told(error)) from error
    return msgspec.structs.replace(found, rows=found.rows[:MOST_SHOWN],
                                   is_cut=found.is_cut or len(found.rows) > MOST_SHOWN)


async def _saved(here: Here, query_id: str) -> str:
    found = await queries.saved_one(here.db, await _person(here), query_id)
    if found is None:
        raise NotFound("There is no such question.")
    return found.sql


def _told(error: NotAnswered) -> str:
    answer = error.answer
    where = f"Line {answer.line}, character {answer.column}: " if answer.line else ""
    return f"{where}{error}{f' ({answer.detail})' if answer.detail else ''}"


ROUTES: list[Any] = [list_queries, create_query_answer, create_query_answer_file]
