"""General settings, the security policy, and the first page for those who have no inbox. Works without a script."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import member_queries, workspace_settings
from chime.accounts.changes import changing
from chime.accounts.model import Policy
from chime.errors import ChimeError, Invalid
from chime.security.permissions import PRESETS, Permission, Role
from chime.web import permission_words
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here
from chime.web.permission_words import ROLES

EDIT = {"permission": Permission.WORKSPACE_EDIT}
SECURE = {"permission": Permission.SECURITY_EDIT, "step_up": True}
_SETTINGS = "/w/{slug:str}/settings"


@get("/w/{slug:str}", opt={"permission": Permission.WORKSPACE_READ}, include_in_schema=False)
async def show_workspace(here: Here) -> Redirect:
    """To the first page that this person may see."""
    first = "inbox" if here.actor.may(Permission.INBOX_READ) else "home"
    return Redirect(f"{here.base}/{first}", status_code=303)


@get("/w/{slug:str}/home", opt={"permission": Permission.WORKSPACE_READ})
async def show_workspace_home(here: Here) -> Response[bytes]:
    """What somebody without an inbox finds: who they are here, and what they may do."""
    named = ROLES.get(here.actor.role)
    found = await member_queries.member(here.services.control.db, here.record.id, here.actor.id or "")
    held = [(group, [one for one in permissions if one.key in here.actor.permissions])
            for group, permissions in permission_words.PERMISSIONS]
    return here.page(
        "accounts/home.html", held=[(group, permissions) for group, permissions in held if permissions],
        role=here.words(named.words) if named else found.custom_name if found else "",
        about=here.words(named.about) if named else "",
        offer=await member_queries.offer(here.services.control.db, here.record.id, here.now))


@get(_SETTINGS + "/general", opt=EDIT)
async def show_general(here: Here) -> Response[bytes]:
    return _general(here, {"name": here.record.name, "time_zone": here.record.time_zone})


def _general(here: Here, values: dict[str, str], *, status: int = 200, errors: dict[str, str] | None = None
             ) -> Response[bytes]:
    return here.page("accounts/general.html", status=status, errors=errors or {}, values=values,
                     zones=workspace_settings.time_zones(), said=here.request.query_params.get("said", ""))


@post(_SETTINGS + "/general", opt=EDIT, status_code=303)
async def edit_general(here: Here) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        async with changing(here) as tx:
            await workspace_settings.edit(tx, here.record.id, name=fields.get("name", ""),
                                          time_zone=fields.get("time_zone", ""))
    except Invalid as error:
        return _general(here, fields, status=422, errors=here.problems(error))
    return Redirect(f"{here.base}/settings/general?said=saved", status_code=303)


@get(_SETTINGS + "/security", opt=SECURE)
async def show_security_policy(here: Here) -> Response[bytes]:
    saved = await member_queries.saved_policy(here.services.control.db, here.record.id)
    return await _policy(here, saved.policy)


async def _policy(here: Here, policy: Policy, *, status: int = 200, errors: dict[str, str] | None = None,
                  typed_minutes: str | None = None) -> Response[bytes]:
    control = here.services.control.db
    saved = await member_queries.saved_policy(control, here.record.id)
    roles = [(role.value, here.words(ROLES[role.value].words)) for role in Role
             if role in PRESETS[saved.policy.role_preset] or role.value in policy.second_factor_roles]
    roles += [(role.id, role.name) for role in await member_queries.custom_roles(control, here.record.id)]
    minutes = typed_minutes if typed_minutes is not None else str(policy.idle_minutes or "")
    return here.page(
        "accounts/security.html", status=status, errors=errors or {}, policy=policy, roles=roles,
        values={"idle_minutes": minutes, "addresses": "\n".join(policy.addresses)},
        bound=here.actor.role != Role.OWNER and saved.owner_policy is not None,
        own_address=here.actor.origin.address, said=here.request.query_params.get("said", ""))


@post(_SETTINGS + "/security", opt=SECURE, status_code=303)
async def edit_security_policy(here: Here) -> Response[Any]:
    fields, lists = await form_fields(here.request), await form_lists(here.request, "second_factor_role")
    minutes = fields.get("idle_minutes", "").strip()
    policy = Policy(
        second_factor_roles=tuple(lists["second_factor_role"]),
        addresses=tuple(dict.fromkeys(line.strip() for line in fields.get("addresses", "").splitlines()
                                      if line.strip())),
        idle_minutes=None if not minutes else int(minutes) if minutes.isascii() and minutes.isdigit()
        and len(minutes) < 6 else 0,
        members_masked=_ticked(fields, "members_masked"), mask_in_text=_ticked(fields, "mask_in_text"),
        exports_need_approval=_ticked(fields, "exports_need_approval"),
        support_allowed=_ticked(fields, "support_allowed"))
    try:
        async with changing(here) as tx:
            await workspace_settings.save_policy(tx, here.record.id, policy)
    except ChimeError as error:
        if error.status != 422:
            raise
        return await _policy(here, policy, status=422, errors=here.problems(error), typed_minutes=minutes)
    return Redirect(f"{here.base}/settings/security?said=saved", status_code=303)


def _ticked(fields: dict[str, str], name: str) -> bool:
    return fields.get(name) == "yes"


ROUTES = [show_workspace, show_workspace_home, show_general, edit_general, show_security_policy,
          edit_security_policy]
