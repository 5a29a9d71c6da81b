"""The approvals of a workspace: what waits for me, what I asked for, what was. Works without a script."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts
from chime.accounts import Requester
from chime.approvals import actions, queries
from chime.approvals.mails import mail_decided
from chime.approvals.model import Approval, State
from chime.errors import Conflict, Forbidden, Invalid
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

SEE = {"permission": Permission.WORKSPACE_READ}
_PAGE = "/w/{slug:str}/settings/approvals"
_ONE = _PAGE + "/{approval_id:str}"
SHOWN = 25
DECIDING = (Permission.APPROVALS_DECIDE, Permission.DATA_ERASE)


async def _values(here: Here, **more: Any) -> dict[str, Any]:
    asker = await asking(here)
    decides = [permission.value for permission in DECIDING if here.actor.may(permission)]
    before = here.request.query_params.get("before", "")
    rows = await queries.page(here.db, before=before or queries.LATEST_ID, limit=SHOWN + 1) if decides else []
    return {
        "waiting": await queries.waiting(here.db, decides, asker.person_id or ""),
        "delayed": [row for row in await queries.delayed(here.db) if row.decided_by in decides],
        "mine": await queries.of_person(here.db, asker.person_id or ""),
        "history": [row for row in rows[:SHOWN] if row.ended_at is not None], "decides": bool(decides),
        "older": rows[SHOWN - 1].id if rows[SHOWN:] else "", "before": before, "names": await _names(here),
        "said": here.request.query_params.get("said", ""), "errors": {}, "now": here.services.clock.real_now(),
    } | more


async def asking(here: Here) -> Requester:
    """Who this is, for a request or a decision."""
    return await accounts.requester_of(here.services.control.db, here.actor)


async def _names(here: Here) -> dict[str, str]:
    """What the tags and numbers that a request names are called."""
    found = await here.db.rows("SELECT id, name FROM tag UNION ALL SELECT id, display_phone FROM channel LIMIT 1000")
    return {row[0]: row[1] for row in found}


@get(_PAGE, opt=SEE)
async def list_approvals(here: Here) -> Response[bytes]:
    return here.page("approvals/index.html", **await _values(here))


@get(_PAGE + "/mine", opt=SEE)
async def list_own_approvals(here: Here) -> Response[bytes]:
    """The part of the page that waits for something to be done."""
    return here.page("approvals/_mine.html", **await _values(here))


@post(_ONE + "/decision", opt={"permission": Permission.APPROVALS_DECIDE, "step_up": True}, status_code=303)
async def create_decision(here: Here, approval_id: str) -> Response[Any]:
    """Agree or refuse."""
    return await _decided(here, approval_id, Permission.APPROVALS_DECIDE)


@post(_ONE + "/erasure-decision", opt={"permission": Permission.DATA_ERASE, "step_up": True}, status_code=303)
async def create_erasure_decision(here: Here, approval_id: str) -> Response[Any]:
    """The same about forgetting a person, for whoever may do that."""
    return await _decided(here, approval_id, Permission.DATA_ERASE)


async def _decided(here: Here, approval_id: str, permission: Permission) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        await decide(here, approval_id, permission, decision=fields.get("decision", ""),
                     fingerprint=fields.get("fingerprint", ""), reason=fields.get("reason", ""))
    except (Conflict, Forbidden, Invalid) as error:
        errors = {"": "; ".join(here.problems(error).values())}
        return here.page("approvals/index.html", status=error.status, **await _values(here, errors=errors))
    return Redirect(f"{here.base}/settings/approvals?said={fields['decision']}d", status_code=303)


async def decide(here: Here, approval_id: str, permission: Permission, *, decision: str, fingerprint: str,
                 reason: str) -> Approval:
    """Agree to exactly what was shown, or refuse. Raises NotFound, Forbidden, Conflict, Invalid."""
    if decision not in ("approve", "reject"):
        raise Invalid.field("decision", "Choose approve or reject.")
    decider = await asking(here)
    async with here.workspace.write(here.actor) as tx:
        if (await actions.found(tx, approval_id)).decided_by != permission.value:
            raise Conflict("This request is decided by other people.")
        if decision == "approve":
            row = await actions.approve(tx, approval_id, decider=decider, fingerprint=fingerprint)
        else:
            row = await actions.reject(tx, approval_id, decider=decider, reason=reason)
    if row.state is State.APPROVED:
        here.services.runner.start(here.record.id, row.job, row.id)
    await mail_decided(here.services.mailer, here.services.control.db, here.record, row)
    return row


@post(_ONE + "/cancellation", opt=SEE, status_code=303)
async def create_cancellation(here: Here, approval_id: str) -> Response[Any]:
    """Whoever asked does not want it any more."""
    asker = await asking(here)
    try:
        async with here.workspace.write(here.actor) as tx:
            await actions.cancel(tx, approval_id, asker=asker)
    except Conflict as error:
        return here.page("approvals/index.html", status=409, **await _values(here, errors=here.problems(error)))
    return Redirect(f"{here.base}/settings/approvals?said=cancelled", status_code=303)


ROUTES = [list_approvals, list_own_approvals, create_decision, create_erasure_decision, create_cancellation]
