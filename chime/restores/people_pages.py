"""Single contacts out of a copy, on a page: who was deleted or changed since is chosen and asked for; another agrees.
"""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import approvals
from chime.errors import ChimeError, Conflict, Invalid, Sentence, TooMany
from chime.restores import people, queries
from chime.restores.jobs import BRING_BACK
from chime.restores.model import MUTED, Copy
from chime.restores.pages import COPY, RESTORE, copy_here, short_moment
from chime.security.permissions import Permission
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here

_LONGEST_SEARCH = 80


@get(COPY + "/people", opt=RESTORE)
async def list_lost(here: Here, copy_id: str) -> Response[bytes]:
    """Who is in the copy and has lost something since."""
    return await _show(here, await copy_here(here, copy_id))


async def _show(here: Here, copy: Copy, error: ChimeError | None = None, typed: dict[str, str] | None = None,
                chosen: list[str] | None = None) -> Response[bytes]:
    asked = here.request.query_params
    named = asked.get("q", "").strip()[:_LONGEST_SEARCH]
    found = people.People(found=[], after=None)
    if copy.state == MUTED:
        async with here.services.registry.use(copy.id) as opened:
            found = await people.people(opened, here.workspace, here.services.control, named=named,
                                        after=asked.get("after", ""))
    return here.page("restores/people.html", status=error.status if error else 200, copy=copy, found=found.found,
                     after=found.after, named=named, chosen=chosen or [], most=people.MOST, values=typed or {},
                     errors=here.problems(error) if error else {})


@post(COPY + "/people", opt=RESTORE, status_code=303)
async def create_bringing_back(here: Here, copy_id: str) -> Response[Any]:
    """Ask for it; another person agrees."""
    copy = await copy_here(here, copy_id)
    fields = await form_fields(here.request)
    chosen = sorted(set((await form_lists(here.request, "contact"))["contact"]))
    try:
        await _must_be_possible(here, copy, chosen)
        await approvals.ask(here.services, here.record, here.workspace, here.actor, second=True, wanted=_wanted(
            copy, chosen, subject=f"{short_moment(here, copy.as_of)} ({len(chosen)})", reason=fields.get("reason", "")))
    except (Conflict, Invalid, TooMany) as error:
        return await _show(here, copy, error, fields, chosen)
    return Redirect(f"{here.base}/settings/approvals?said=requested", status_code=303)


def _wanted(copy: Copy, chosen: list[str], *, subject: str, reason: str) -> approvals.Wanted:
    """By ids and without names: a request is kept longer than who is forgotten."""
    return approvals.Wanted(
        kind=people.KIND, job=BRING_BACK, permission=Permission.BACKUPS_RESTORE.value,
        decided_by=Permission.APPROVALS_DECIDE.value, parameters={"copy_id": copy.id, "contact_ids": chosen},
        subject=subject, reason=reason)


async def _must_be_possible(here: Here, copy: Copy, chosen: list[str]) -> None:
    """Raises Conflict, Invalid."""
    control = here.services.control
    if copy.state != MUTED or await queries.under_way(control.db, here.record.id) is not None:
        raise Conflict("Something is under way with this workspace; wait for its end.")
    if not 1 <= len(chosen) <= people.MOST:
        raise Invalid.field("contact", Sentence("Choose at least one contact, and at most %(most)s.", most=people.MOST))
    async with here.services.registry.use(copy.id) as opened:
        found = await people.lost(opened.db, chosen, here.workspace, control)
    if {one.then.id for one in found} != set(chosen):
        raise Conflict("The contacts have changed meanwhile. Look at the list again.")


ROUTES = [list_lost, create_bringing_back]
