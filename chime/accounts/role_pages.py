"""What each role may do, and the workspace's own roles. Works without a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import custom_roles, member_queries
from chime.accounts.authority import covers
from chime.accounts.changes import changing
from chime.accounts.custom_roles import RoleWish
from chime.accounts.member_queries import CustomRole
from chime.errors import ChimeError, Invalid, NotFound
from chime.security.permissions import GRANTS, PRESETS, Grants, Permission, Reach
from chime.web import permission_words
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.permission_words import REACHES, ROLES
from chime.workspaces import Transaction

READ = {"permission": Permission.MEMBERS_READ}
EDIT = {"permission": Permission.ROLES_EDIT, "step_up": True}
_ROLES = "/w/{slug:str}/settings/roles"
_ONE = _ROLES + "/{role_id:str}"
_BY_KEY = {named.key: reach for reach, named in REACHES.items()}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One role of the table. `grants` by the name of the permission."""

    id: str
    name: str
    about: str
    is_custom: bool
    grants: dict[str, Any]
    holders: int = 0


def _column(here: Here, role: str, grants: Grants) -> Column:
    named = ROLES[role]
    return Column(id=role, name=here.words(named.words), about=here.words(named.about), is_custom=False,
                  grants={permission.value: grant for permission, grant in grants.items()})


@get(_ROLES, opt=READ)
async def list_roles(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, status: int = 200, errors: dict[str, str] | None = None) -> Response[bytes]:
    control, workspace_id = here.services.control.db, here.record.id
    saved = await member_queries.saved_policy(control, workspace_id)
    own = await member_queries.custom_roles(control, workspace_id)
    columns = [_column(here, role.value, GRANTS[role]) for role in PRESETS[saved.policy.role_preset]]
    columns += [Column(id=role.id, name=role.name, about="", is_custom=True, holders=role.holders,
                       grants={permission.value: grant for permission, grant in role.known_grants.items()})
                for role in own]
    return here.page(
        "accounts/roles.html", status=status, errors=errors or {}, columns=columns, custom=own,
        groups=permission_words.PERMISSIONS, reaches={reach.value: named.words for reach, named in REACHES.items()},
        presets=permission_words.PRESETS, preset=saved.policy.role_preset,
        said=here.request.query_params.get("said", ""))


@get(_ROLES + "/new", opt=EDIT)
async def new_role(here: Here) -> Response[bytes]:
    return await _form(here, None)


@get(_ONE, opt=EDIT)
async def show_role(here: Here, role_id: str) -> Response[bytes]:
    return await _form(here, await _role(here, role_id))


async def _role(here: Here, role_id: str) -> CustomRole:
    found = await member_queries.custom_role(here.services.control.db, here.record.id, role_id)
    if found is None:
        raise NotFound("There is no such role.")
    return found


async def _form(here: Here, role: CustomRole | None, *, typed: dict[str, str] | None = None, status: int = 200,
                errors: dict[str, str] | None = None) -> Response[bytes]:
    """The editor; `typed` is what could not be taken."""
    offered = {permission.value: [(REACHES[reach].key, REACHES[reach].words) for reach in reaches]
               for permission, reaches in custom_roles.offered(here.actor).items()}
    held = {} if role is None else {permission.value: REACHES[grant.reach].key
                                    for permission, grant in role.known_grants.items()}
    chosen = typed if typed is not None else {f"may-{name}": key for name, key in held.items()}
    masked = typed.get("masked") == "yes" if typed is not None else (
        role is not None and Permission.NUMBERS_READ.value not in role.grants)
    return here.page(
        "accounts/role.html", status=status, errors=errors or {}, role=role, offered=offered, chosen=chosen,
        groups=permission_words.PERMISSIONS, masked=masked,
        typed_name=(typed or {}).get("name", role.name if role else ""),
        sees_numbers=here.actor.sees_numbers, edits=role is None or covers(here.actor, role.known_grants))


async def _wish(here: Here) -> tuple[RoleWish, dict[str, str]]:
    """The role of the form, and the form. Raises Invalid."""
    fields = await form_fields(here.request)
    reaches: dict[Permission, Reach] = {}
    for name, key in fields.items():
        if not name.startswith("may-") or not key:
            continue
        if name[4:] not in set(Permission) or key not in _BY_KEY:
            raise Invalid.field("grants", "You can grant only what you hold yourself, and no farther.")
        reaches[Permission(name[4:])] = _BY_KEY[key]
    return RoleWish(name=fields.get("name", ""), reaches=reaches, masked=fields.get("masked") == "yes"), fields


async def _saved(here: Here, verb: Callable[[Transaction, RoleWish], Awaitable[object]], said: str,
                 role: CustomRole | None) -> Response[Any]:
    try:
        wish, _ = await _wish(here)
        async with changing(here) as tx:
            await verb(tx, wish)
    except ChimeError as error:
        if error.status not in (403, 409, 422):
            raise
        return await _form(here, role, typed=await form_fields(here.request), status=error.status,
                           errors=here.problems(error))
    return _back(here, said)


def _back(here: Here, said: str) -> Response[Any]:
    there = "/settings/roles" if here.actor.may(Permission.MEMBERS_READ) else "/settings"
    return Redirect(f"{here.base}{there}?said={said}", status_code=303)


@post(_ROLES, opt=EDIT, status_code=303)
async def create_role(here: Here) -> Response[Any]:
    return await _saved(here, lambda tx, wish: custom_roles.create(tx, here.record.id, wish), "created", None)


@post(_ONE, opt=EDIT, status_code=303)
async def edit_role(here: Here, role_id: str) -> Response[Any]:
    role = await _role(here, role_id)
    return await _saved(here, lambda tx, wish: custom_roles.edit(tx, here.record.id, role_id, wish), "saved", role)


@post(_ONE + "/removal", opt=EDIT, status_code=303)
async def create_role_removal(here: Here, role_id: str) -> Response[Any]:
    role = await _role(here, role_id)
    try:
        async with changing(here) as tx:
            await custom_roles.delete(tx, here.record.id, role_id)
    except ChimeError as error:
        if error.status not in (403, 409):
            raise
        return await _form(here, role, status=error.status, errors=here.problems(error))
    return _back(here, "deleted")


@post("/w/{slug:str}/settings/role-preset", opt=EDIT, status_code=303)
async def edit_role_preset(here: Here) -> Response[Any]:
    preset = (await form_fields(here.request)).get("preset", "")
    async with changing(here) as tx:
        await custom_roles.choose_preset(tx, here.record.id, preset)
    return _back(here, "preset")


ROUTES = [list_roles, new_role, show_role, create_role, edit_role, create_role_removal, edit_role_preset]
