"""How long things are kept, on a page: what each choice would remove now is counted before anything is saved."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.erasure import retention
from chime.erasure.retention import DEFAULTS, Kind
from chime.erasure.retention_jobs import APPLY
from chime.errors import Invalid, Sentence
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

_PAGE = "/w/{slug:str}/settings/retention"
EDIT = {"permission": Permission.DATA_RETENTION, "step_up": True}


async def _page(here: Here, *, wanted: dict[Kind, int | None] | None = None, error: Invalid | None = None,
                typed: dict[str, str] | None = None) -> Response[bytes]:
    """`wanted`: what somebody is about to save, with what it would remove."""
    now = here.services.clock.real_now()
    rules = await retention.rules(here.db)
    days = {rule.kind: rule.days for rule in rules} | (wanted or {})
    counts = {kind.value: await retention.count(here.workspace, kind, days[kind], now=now) for kind in Kind}
    return here.page("erasure/retention.html", status=422 if error else 200, rules=rules, counts=counts,
                     days={kind.value: days[kind] for kind in Kind}, asks=wanted is not None,
                     errors=here.problems(error) if error else {}, typed=typed or {},
                     said=here.request.query_params.get("said", ""))


@get(_PAGE, opt={"permission": Permission.DATA_RETENTION})
async def show_retention(here: Here) -> Response[bytes]:
    return await _page(here)


@post(_PAGE, opt=EDIT, status_code=200)
async def edit_retention(here: Here) -> Response[Any]:
    """Count first; with `sure`, save and let the rules run."""
    fields = await form_fields(here.request)
    try:
        wanted = _wanted(fields)
        if "sure" not in fields:
            return await _page(here, wanted=wanted)
        async with here.workspace.write(here.actor) as tx:
            await retention.save(tx, wanted)
            for kind, days in wanted.items():
                if days is not None:
                    tx.enqueue(APPLY, kind.value)
    except Invalid as error:
        return await _page(here, error=error, typed=fields)
    return Redirect(f"{here.base}/settings/retention?said=saved", status_code=303)


def _wanted(fields: dict[str, str]) -> dict[Kind, int | None]:
    """The days of every kind; nothing keeps for ever. Raises Invalid."""
    found: dict[Kind, int | None] = {}
    wrong = []
    for kind in Kind:
        text = fields.get(kind.value, "").strip()
        fewest = DEFAULTS[kind].fewest
        if not text:
            found[kind] = None
        elif text.isascii() and text.isdigit() and fewest <= int(text[:9]) <= retention.LONGEST:
            found[kind] = int(text[:9])
        else:
            wrong.append((kind.value, Sentence("From %(fewest)s to %(most)s days, or nothing to keep for ever.",
                                               fewest=fewest, most=retention.LONGEST)))
    if wrong:
        raise Invalid(wrong)
    return found


ROUTES = [show_retention, edit_retention]
