"""Defining fields: made, changed, moved, removed. Values already written down are never touched by it."""

from __future__ import annotations

import msgspec

from chime.contacts import field_queries
from chime.contacts.custom_fields import MOST_FIELDS, CustomField, NewField, checked_field, key_of
from chime.errors import Conflict, Invalid, NotFound, Sentence
from chime.workspaces import Transaction


async def create_field(tx: Transaction, new: NewField) -> str:
    """A new one at the end of its list; its id. Raises Invalid, Conflict when there are too many."""
    new = checked_field(new)
    known = await field_queries.custom_fields(tx, new.subject)
    if len(known) >= MOST_FIELDS:
        raise Conflict(Sentence("There are %(most)s fields already; remove one first.", most=MOST_FIELDS))
    key = key_of(new.label)
    if key in {field.key for field in known}:
        raise Invalid.field("label", "There is a field of this name already.")
    field_id = tx.new_id()
    await tx.execute(
        "INSERT INTO custom_field (id, subject, key, label, hint, kind, options_json, is_required, is_on, position, "
        "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", field_id, new.subject.value, key, new.label, new.hint,
        new.kind.value, msgspec.json.encode(new.options).decode(), int(new.is_required), int(new.is_on),
        max((field.position for field in known), default=0) + 1, tx.now)
    await tx.audit("field.created", "field", field_id, subject=new.subject.value, key=key, kind=new.kind.value)
    return field_id


async def edit_field(tx: Transaction, field_id: str, new: NewField) -> None:
    """Other words, choices or rules. What it is of, its key and its kind stay. Raises NotFound, Invalid."""
    known = await _must_exist(tx, field_id)
    new = checked_field(msgspec.structs.replace(new, subject=known.subject, kind=known.kind))
    await tx.execute("UPDATE custom_field SET label = ?, hint = ?, options_json = ?, is_required = ?, is_on = ? "
                     "WHERE id = ?", new.label, new.hint, msgspec.json.encode(new.options).decode(),
                     int(new.is_required), int(new.is_on), field_id)
    await tx.audit("field.edited", "field", field_id, key=known.key)


async def move_field(tx: Transaction, field_id: str, *, by: int) -> None:
    """One place up (-1) or down (1). Raises NotFound."""
    known = await _must_exist(tx, field_id)
    order = [field.id for field in await field_queries.custom_fields(tx, known.subject)]
    place = order.index(field_id)
    target = min(max(place + by, 0), len(order) - 1)
    if target == place:
        return
    order.insert(target, order.pop(place))
    for position, each in enumerate(order, 1):
        await tx.execute("UPDATE custom_field SET position = ? WHERE id = ?", position, each)
    await tx.audit("field.moved", "field", field_id, position=target + 1)


async def delete_field(tx: Transaction, field_id: str) -> None:
    """The definition goes, the values stay readable under their key. Raises NotFound."""
    known = await _must_exist(tx, field_id)
    await tx.execute("DELETE FROM custom_field WHERE id = ?", field_id)
    await tx.audit("field.deleted", "field", field_id, key=known.key)


async def _must_exist(tx: Transaction, field_id: str) -> CustomField:
    found = await field_queries.custom_field(tx, field_id)
    if found is None:
        raise NotFound("There is no such field.")
    return found
