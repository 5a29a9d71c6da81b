"""The settings page on which a workspace defines its fields. Works without a script."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime.contacts import field_actions, field_queries
from chime.contacts.custom_fields import CHOOSES, FieldKind, FieldSubject, NewField
from chime.errors import ChimeError
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

_EDIT = {"permission": Permission.WORKSPACE_EDIT}
_SMALL = {"small": True}
_PAGE = "/w/{slug:str}/settings/fields"
_ONE = _PAGE + "/{field_id:str}"


@get(_PAGE, opt=_EDIT)
async def list_fields(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, status: int = 200, errors: dict[str, str] | None = None, open_id: str = "",
                typed: dict[str, str] | None = None) -> Response[bytes]:
    fields = await field_queries.custom_fields(here.db)
    return here.page("contacts/fields.html", status=status, errors=errors or {}, open_id=open_id, typed=typed or {},
                     said=here.request.query_params.get("said", ""), kinds=[kind.value for kind in FieldKind],
                     chooses=[kind.value for kind in CHOOSES],
                     groups=[(subject.value, [field for field in fields if field.subject is subject])
                             for subject in FieldSubject])


def _meant(fields: dict[str, str]) -> NewField:
    named = msgspec.convert({name: fields[name] for name in ("subject", "kind") if fields.get(name)}, NewField)
    return msgspec.structs.replace(
        named, label=fields.get("label", ""), hint=fields.get("hint", ""),
        options=tuple(fields.get("options", "").splitlines()), is_required="is_required" in fields,
        is_on="is_on" in fields)


@post(_PAGE, opt=_EDIT, status_code=303)
async def create_field(here: Here) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        new = msgspec.structs.replace(_meant(fields), is_on=True)
        async with here.workspace.write(here.actor) as tx:
            await field_actions.create_field(tx, new)
    except (ChimeError, msgspec.ValidationError) as error:
        return await _page(here, status=422, errors=_problems(here, error), open_id="new", typed=fields)
    return _back(here, "created")


def _problems(here: Here, error: Exception) -> dict[str, str]:
    if isinstance(error, ChimeError):
        return here.problems(error)
    return {"kind": here.words("Choose what kind of field it is.")}


def _back(here: Here, said: str) -> Response[Any]:
    return Redirect(f"{here.base}/settings/fields?said={said}", status_code=303)


@post(_ONE, opt=_EDIT, status_code=303)
async def update_field(here: Here, field_id: str) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        new = _meant({name: value for name, value in fields.items() if name not in ("subject", "kind")})
        async with here.workspace.write(here.actor) as tx:
            await field_actions.edit_field(tx, field_id, new)
    except ChimeError as error:
        if error.status == 404:
            raise
        return await _page(here, status=422, errors=here.problems(error), open_id=field_id, typed=fields)
    return _back(here, "saved")


@post(_ONE + "/place", opt=_EDIT | _SMALL, status_code=303)
async def update_field_place(here: Here, field_id: str) -> Response[Any]:
    """`by` is up or down."""
    by = -1 if (await form_fields(here.request)).get("by") == "up" else 1
    async with here.workspace.write(here.actor) as tx:
        await field_actions.move_field(tx, field_id, by=by)
    return _back(here, "moved")


@post(_ONE + "/removal", opt=_EDIT | _SMALL, status_code=303)
async def delete_field(here: Here, field_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await field_actions.delete_field(tx, field_id)
    return _back(here, "deleted")


ROUTES = [list_fields, create_field, update_field, update_field_place, delete_field]
