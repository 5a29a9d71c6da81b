"""The definitions of fields, for scripts. Values are read and written with their contact or conversation."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, UnsetType

from chime.contacts import field_actions, field_queries
from chime.contacts.custom_fields import CustomField, FieldKind, FieldSubject, NewField
from chime.errors import NotFound
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Operation, api

Kind = Literal["text", "long_text", "number", "email", "select", "multi_select", "date", "date_time", "switch", "phone",
               "url"]
_ALL = "/api/v1/fields"
_ONE = _ALL + "/{field_id:str}"


class FieldAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A field. `key` is the name of its values in `fields` of a contact or conversation; `options` are the choices of
    a list."""

    id: str
    subject: FieldSubject
    key: str
    label: str
    hint: str
    kind: FieldKind
    options: tuple[str, ...]
    is_required: bool
    is_on: bool

    @classmethod
    def of(cls, field: CustomField) -> FieldAnswer:
        return cls(**{name: getattr(field, name) for name in cls.__struct_fields__})


class CreateField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key` is made of the label, once."""

    subject: Literal["contact", "conversation"]
    label: str
    kind: Kind
    hint: str = ""
    options: tuple[str, ...] = ()
    is_required: bool = False


class UpdateField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes; what it is of, its key and its kind stay."""

    label: str | UnsetType = UNSET
    hint: str | UnsetType = UNSET
    options: tuple[str, ...] | UnsetType = UNSET
    is_required: bool | UnsetType = UNSET
    is_on: bool | UnsetType = UNSET


_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0f", "subject": "contact", "key": "size", "label": "Size", "hint": "",
            "kind": "select", "options": ["S", "M", "L"], "is_required": False, "is_on": True}


@get(_ALL, opt=api(Permission.CONTACTS_READ, Operation(
    tag="fields", summary="List fields", answer=Page[FieldAnswer], parameters=PAGED,
    description="Every field of contacts and of conversations, in the order in which people see them.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_field_answers(here: Here) -> Page[FieldAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    fields = await field_queries.custom_fields(here.db)
    begin = min(max(after[0], 0), len(fields)) if after else 0
    return page_of(fields[begin:begin + limit + 1], limit, place=lambda field: (fields.index(field) + 1, field.id),
                   told=FieldAnswer.of)


@post(_ALL, status_code=201, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="fields", summary="Create a field", status=201, body=CreateField, answer=FieldAnswer,
    refusals={409: "There are too many fields."},
    request_example={"subject": "contact", "label": "Size", "kind": "select", "options": ["S", "M", "L"]},
    response_example=_EXAMPLE)))
@once
async def create_field_answer(here: Here) -> FieldAnswer:
    body = await json_body(here.request, CreateField)
    new = NewField(subject=FieldSubject(body.subject), label=body.label, hint=body.hint, kind=FieldKind(body.kind),
                   options=body.options, is_required=body.is_required)
    async with here.workspace.write(here.actor) as tx:
        field_id = await field_actions.create_field(tx, new)
    return await _told(here, field_id)


@patch(_ONE, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="fields", summary="Change a field", body=UpdateField, answer=FieldAnswer,
    request_example={"label": "Shirt size"}, response_example=_EXAMPLE | {"label": "Shirt size"})))
async def update_field_answer(here: Here, field_id: str) -> FieldAnswer:
    body = await json_body(here.request, UpdateField)
    known = await field_queries.custom_field(here.db, field_id)
    if known is None:
        raise NotFound("There is no such field.")
    new = NewField(label=known.label if body.label is UNSET else body.label,
                   hint=known.hint if body.hint is UNSET else body.hint,
                   options=known.options if body.options is UNSET else body.options,
                   is_required=known.is_required if body.is_required is UNSET else body.is_required,
                   is_on=known.is_on if body.is_on is UNSET else body.is_on)
    async with here.workspace.write(here.actor) as tx:
        await field_actions.edit_field(tx, field_id, new)
    return await _told(here, field_id)


@delete(_ONE, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="fields", summary="Remove a field", status=204,
    description="Values already written down stay readable under their key."), small=True))
async def delete_field_answer(here: Here, field_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await field_actions.delete_field(tx, field_id)


async def _told(here: Here, field_id: str) -> FieldAnswer:
    found = await field_queries.custom_field(here.db, field_id)
    if found is None:
        raise NotFound("There is no such field.")
    return FieldAnswer.of(found)


ROUTES = [list_field_answers, create_field_answer, update_field_answer, delete_field_answer]
