"""The page of questions: write one, run it, save it, take its answer along as a file. Works without a script."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts, approvals
from chime.approvals import Wanted
from chime.data_queries import actions, api, queries
from chime.data_queries.asking import NotAnswered, ask, need_everything
from chime.data_queries.catalogue import CATALOGUE, EXAMPLES
from chime.data_queries.jobs import EXPORT, KIND, Frozen
from chime.data_queries.model import MOST_SHOWN, Saved, Wish, checked
from chime.db.questions import MOST_ROWS
from chime.errors import ChimeError, NotFound
from chime.security import limits
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

QUERY: dict[str, Any] = {"permission": Permission.DATA_QUERY}
_PAGE = "/w/{slug:str}/settings/queries"
_ONE = _PAGE + "/{query_id:str}"


@get(_PAGE, opt=QUERY)
async def show_queries(here: Here) -> Response[bytes]:
    """An empty page, an example, or a saved question to run."""
    need_everything(here.actor)
    asked = here.request.query_params
    number = asked.get("example", "")
    wish = Wish(sql=EXAMPLES[int(number)].sql) if number in map(str, range(len(EXAMPLES))) else Wish()
    chosen = await _chosen(here, asked.get("query", ""))
    if chosen is not None:
        wish = Wish(sql=chosen.sql, name=chosen.name)
    return await _page(here, wish, chosen, said=asked.get("said", ""))


async def _chosen(here: Here, query_id: str) -> Saved | None:
    """Raises NotFound."""
    if not query_id:
        return None
    found = await queries.saved_one(here.db, here.actor.id or "", query_id)
    if found is None:
        raise NotFound("There is no such question.")
    return found


async def _page(here: Here, wish: Wish, chosen: Saved | None, *, status: int = 200, answer: Any = None,
                error: ChimeError | None = None, said: str = "") -> Response[bytes]:
    problem = error.answer if isinstance(error, NotAnswered) else None
    errors = {} if error is None else {"sql": here.words(error.said)} if problem else here.problems(error)
    return here.page(
        "data_queries/index.html", status=status, wish=wish, chosen=chosen, answer=answer, problem=problem,
        errors=errors, said=said, saved=await queries.saved(here.db, here.actor.id or ""), catalogue=CATALOGUE,
        examples=EXAMPLES, most_shown=MOST_SHOWN, most_rows=MOST_ROWS, sees_numbers=here.actor.sees_numbers,
        approved=await accounts.exports_need_approval(here.services.control.db, here.record.id))


async def _typed(here: Here) -> tuple[dict[str, str], Wish, Saved | None]:
    need_everything(here.actor)
    fields = await form_fields(here.request)
    wish = Wish(sql=fields.get("sql", "").replace("\r\n", "\n"), first_day=fields.get("first_day", ""),
                last_day=fields.get("last_day", ""), name=fields.get("name", ""))
    return fields, wish, await _chosen(here, fields.get("query_id", ""))


async def _refused(here: Here, wish: Wish, chosen: Saved | None, error: ChimeError) -> Response[bytes]:
    if error.status not in (409, 422, 429):
        raise error
    return await _page(here, wish, chosen, status=error.status, error=error)


@post(_PAGE + "/answer", opt=QUERY | {"rate": limits.QUESTION}, status_code=200)
async def create_answer(here: Here) -> Response[bytes]:
    """Run it. That somebody asked is written down first, so this is no GET."""
    _, wish, chosen = await _typed(here)
    try:
        found = await ask(here.workspace, here.services.control, here.actor, sql=wish.sql, period=checked(wish),
                          query_id=chosen.id if chosen else "", people_of=here.record.people_of)
    except ChimeError as error:
        return await _refused(here, wish, chosen, error)
    return await _page(here, wish, chosen, answer=found)


@post(_PAGE, opt=QUERY, status_code=303)
async def create_query(here: Here) -> Response[Any]:
    """Save it: a new one, or the one that was opened."""
    fields, wish, chosen = await _typed(here)
    try:
        checked(wish)
        async with here.workspace.write(here.actor) as tx:
            query_id = await actions.save(tx, name=wish.name, sql=wish.sql, is_shared="is_shared" in fields,
                                          query_id=chosen.id if chosen and "as_new" not in fields else "")
    except ChimeError as error:
        return await _refused(here, wish, chosen, error)
    return Redirect(f"{here.base}/settings/queries?query={query_id}&said=saved", status_code=303)


@post(_ONE + "/deletion", opt=QUERY, status_code=303)
async def delete_query(here: Here, query_id: str) -> Response[Any]:
    need_everything(here.actor)
    async with here.workspace.write(here.actor) as tx:
        await actions.delete(tx, query_id)
    return Redirect(f"{here.base}/settings/queries?said=deleted", status_code=303)


@post(_PAGE + "/export", opt=QUERY | {"step_up": True, "rate": limits.EXPORT}, status_code=303)
async def create_query_export(here: Here) -> Response[Any]:
    """Its answer as a file. It is tried first: nobody should have to approve what cannot run."""
    fields, wish, chosen = await _typed(here)
    control = here.services.control
    try:
        period = checked(wish)
        name = chosen.name if chosen else ""
        await ask(here.workspace, control, here.actor, sql=wish.sql, period=period,
                  query_id=chosen.id if chosen else "")
    except ChimeError as error:
        return await _refused(here, wish, chosen, error)
    frozen = Frozen(name=name, sql=wish.sql, since=period.since or "", until=period.until or "",
                    masked=not here.actor.sees_numbers)
    second = await accounts.exports_need_approval(control.db, here.record.id)
    await approvals.ask(here.services, here.record, here.workspace, here.actor, second=second, wanted=Wanted(
        kind=KIND, job=EXPORT, permission=Permission.DATA_QUERY.value, decided_by=Permission.APPROVALS_DECIDE.value,
        parameters=msgspec.to_builtins(frozen), subject="", reason=fields.get("reason", "")))
    return Redirect(f"{here.base}/settings/approvals?said=requested", status_code=303)


ROUTES = [show_queries, create_answer, create_query, create_query_export, delete_query, *api.ROUTES]
