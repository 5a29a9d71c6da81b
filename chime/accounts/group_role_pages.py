"""Rules from groups to roles: operators write them at `/installation/sign-in`, the people of a workspace agree to them
or not at `/w/{slug}/settings/sign-in`. Works without a script."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import group_roles
from chime.accounts.notify import notify_owners
from chime.accounts.oidc import ANSWERS
from chime.errors import ChimeError, Invalid
from chime.security.permissions import Actor, Permission, Role
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.language import catalogue
from chime.web.permission_words import ROLES
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]
OPERATE = {"permission": Permission.INSTALLATION}
PROVEN = OPERATE | {"step_up": True}
AGREE = {"permission": Permission.MEMBERS_EDIT, "step_up": True}
_PAGE = "/installation/sign-in"
_SETTING = "/w/{slug:str}/settings/sign-in"


def _actor(request: AnyRequest) -> Actor:
    found: Actor = request.scope["state"]["identity"].actor
    return found


@get(_PAGE, opt=OPERATE, include_in_schema=False)
async def show_sign_in_rules(request: AnyRequest) -> Response[bytes]:
    return await _shown(request)


async def _shown(request: AnyRequest, *, status: int = 200, errors: dict[str, str] | None = None,
                 values: dict[str, str] | None = None) -> Response[bytes]:
    services = Services.of(request)
    db, config = services.control.db, services.config
    return services.pages.answer(
        request, "oidc/installation.html", status=status, oidc=_settings(services), errors=errors or {},
        values=values or {}, rules=await group_roles.rules(db), said=request.query_params.get("said", ""),
        answers=f"{config.public_url or 'https://…'}{ANSWERS}", roles=[(role.value, ROLES[role].words)
                                                                       for role in reversed(Role)],
        workspaces=[(one.id, one.name) for one in await services.control.workspaces() if one.state == "active"],
        role_words={role.value: ROLES[role].words for role in Role},
        break_glass=[row[0] for row in await db.rows("SELECT email FROM user WHERE break_glass AND disabled_at IS NULL "
                                                     "ORDER BY email LIMIT 50")])


def _settings(services: Services) -> dict[str, Any] | None:
    """What is configured; of the secret only whether there is one."""
    found = services.config.oidc
    return None if found is None else {
        "issuer": found.issuer, "client_id": found.client_id, "has_secret": bool(found.client_secret),
        "groups_claim": found.groups_claim, "only": found.only, "trusts_mfa": found.trusts_mfa}


@post(_PAGE + "/rules", opt=PROVEN, status_code=303, include_in_schema=False)
async def create_sign_in_rule(request: AnyRequest) -> Response[Any]:
    """It waits, unless the operator is of that workspace and could give the role there."""
    services = Services.of(request)
    fields = await form_fields(request)
    workspace_id = fields.get("workspace_id", "")
    try:
        async with services.control.write(_actor(request)) as tx:
            rule_id = await group_roles.propose(tx, workspace_id=workspace_id, group_name=fields.get("group", ""),
                                                role=fields.get("role", ""))
            holds = await tx.value("SELECT agreed_at FROM group_role WHERE id = ?", rule_id) is not None
            if not holds:
                await notify_owners(services, tx, workspace_id, "group_rule_waits")
    except ChimeError as error:
        if error.status not in (409, 422):
            raise
        return await _shown(request, status=error.status, errors=_problems(request, error), values=fields)
    return Redirect(f"{_PAGE}?said={'holds' if holds else 'waits'}", status_code=303)


def _problems(request: AnyRequest, error: ChimeError) -> dict[str, str]:
    words = catalogue(request.scope["state"]["identity"].locale).gettext
    if isinstance(error, Invalid):
        return {problem.field: words(problem.message) for problem in error.errors}
    return {"": words(error.said)}


@post(_PAGE + "/rules/{rule_id:str}/removal", opt=PROVEN, status_code=303, include_in_schema=False)
async def delete_sign_in_rule(request: AnyRequest, rule_id: str) -> Response[Any]:
    async with Services.of(request).control.write(_actor(request)) as tx:
        await group_roles.withdraw(tx, rule_id)
    return Redirect(f"{_PAGE}?said=deleted", status_code=303)


@get(_SETTING, opt={"permission": Permission.MEMBERS_EDIT}, include_in_schema=False)
async def list_sign_in_groups(here: Here) -> Response[bytes]:
    return here.page("oidc/workspace.html", rules=await group_roles.rules_of(here.services.control.db, here.record.id),
                     role_words={role.value: ROLES[role].words for role in Role},
                     said=here.request.query_params.get("said", ""))


@post(_SETTING + "/{rule_id:str}/agreement", opt=AGREE, status_code=303, include_in_schema=False)
async def create_group_agreement(here: Here, rule_id: str) -> Response[Any]:
    async with here.services.control.write(here.actor) as tx:
        await group_roles.agree(tx, here.record.id, rule_id)
    return Redirect(f"{here.base}/settings/sign-in?said=agreed", status_code=303)


@post(_SETTING + "/{rule_id:str}/refusal", opt=AGREE, status_code=303, include_in_schema=False)
async def delete_group_rule(here: Here, rule_id: str) -> Response[Any]:
    async with here.services.control.write(here.actor) as tx:
        await group_roles.refuse(tx, here.record.id, rule_id)
    return Redirect(f"{here.base}/settings/sign-in?said=refused", status_code=303)


ROUTES = [show_sign_in_rules, create_sign_in_rule, delete_sign_in_rule, list_sign_in_groups, create_group_agreement,
          delete_group_rule]
