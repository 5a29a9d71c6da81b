"""The fields of a conversation: values that belong to this talk and not to the person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chime import contacts
from chime.contacts import FieldSubject
from chime.db import Db
from chime.errors import Invalid, NotFound
from chime.workspaces import Transaction


async def field_values(db: Db, conversation_id: str) -> dict[str, Any]:
    """Raises NotFound."""
    text = await db.value("SELECT fields_json FROM conversation WHERE id = ?", conversation_id)
    if text is None:
        raise NotFound("There is no such conversation.")
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


async def set_fields(tx: Transaction, conversation_id: str, given: Mapping[str, Any]) -> None:
    """Change what is given; null removes. Only fields that are defined and in use. Raises NotFound, Invalid."""
    known = await field_values(tx, conversation_id)
    defined = [field for field in await contacts.custom_fields(tx, FieldSubject.CONVERSATION) if field.is_on]
    strange = set(given) - {field.key for field in defined}
    if strange:
        raise Invalid([(f"fields.{key}", "There is no such field.") for key in sorted(strange)])
    merged = {key: value for key, value in (known | contacts.checked_values(defined, given, known)).items()
              if value is not None}
    if merged == known:
        return
    await tx.execute("UPDATE conversation SET fields_json = ? WHERE id = ?", msgspec.json.encode(merged).decode(),
                     conversation_id)
    await tx.audit("conversation.fields_edited", "conversation", conversation_id, changed=sorted(given))
    tx.publish("conversation", conversation_id)
