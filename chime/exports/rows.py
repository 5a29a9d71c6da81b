"""From rows of the file to rows of an export, as the requester may see them.

Numbers are masked by the `Phone` type, which asks for whom this runs (`numbers_shown_to`): the job says so before it
begins. What holds a number without looking like one (WhatsApp's message ids) is left out of a masked export.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chime.clock import rfc3339
from chime.contacts import shown_values
from chime.exports.model import FIELD, MESSAGE_COLUMNS
from chime.exports.table import field_text
from chime.phone import Phone, shown_content, shown_text, shown_wamids

_REVOKED = frozenset({"text", "content", "file_name"})


def contacts(rows: Sequence[tuple[Any, ...]], *, masked: bool, as_columns: bool, members: Mapping[str, str]
             ) -> list[dict[str, Any]]:
    """`as_columns`: each custom field in a column of its own, as a table has it. `members`: names by id."""
    return [_contact(row, masked=masked, as_columns=as_columns, members=members) for row in rows]


def _contact(row: tuple[Any, ...], *, masked: bool, as_columns: bool, members: Mapping[str, str]) -> dict[str, Any]:
    (contact_id, name, profile_name, phone, username, user_id, tags, consent, consent_at, source, evidence, owner_id,
     created_at, updated_at, fields_json) = row
    fields = shown_values(shown_content(msgspec.json.decode(fields_json)))
    found: dict[str, Any] = {
        "id": contact_id, "name": shown_text(name), "profile_name": shown_text(profile_name),
        "phone": str(Phone(phone)) if phone else None, "username": username, "user_id": user_id,
        "tags": msgspec.json.decode(tags), "marketing_consent": consent, "consent_at": _time(consent_at),
        "consent_source": source, "consent_evidence": None if masked else evidence,
        "owner": members.get(owner_id) if owner_id else None, "created_at": _time(created_at),
        "updated_at": _time(updated_at)}
    if as_columns:
        return found | {f"{FIELD}{key}": field_text(value) for key, value in fields.items()}
    return found | {"fields": fields}


def messages(rows: Sequence[tuple[Any, ...]], *, masked: bool) -> list[dict[str, Any]]:
    return [_message(row, masked=masked) for row in rows]


def _message(row: tuple[Any, ...], *, masked: bool) -> dict[str, Any]:
    (_, message_id, conversation_id, contact_id, contact_name, phone, number, at, direction, kind, status, author, text,
     content, media_id, media, reactions, edited_at, revoked_at, error_code, error_title, wamid) = row
    filename, mime_type, size, state = msgspec.json.decode(media) if media else ("", None, None, "")
    found: dict[str, Any] = dict(zip(MESSAGE_COLUMNS, (
        message_id, conversation_id, contact_id, shown_text(contact_name or ""), str(Phone(phone)) if phone else None,
        number, _time(at), direction, kind, status, shown_text(author), shown_text(text),
        shown_wamids(shown_content(msgspec.json.decode(content))), media_id if state == "ready" else None,
        shown_text(filename), mime_type, size, msgspec.json.decode(reactions), _time(edited_at), _time(revoked_at),
        f"{error_code} {error_title or ''}".strip() if error_code else None, None if masked else wamid), strict=True))
    if revoked_at is not None:
        found |= dict.fromkeys(_REVOKED)
    return found


def _time(at: int | None) -> str | None:
    return rfc3339(at) if at else None
