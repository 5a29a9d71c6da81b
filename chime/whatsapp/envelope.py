"""The outside of a webhook body: whose changes are in it, and a body with only some of them.

This runs before the answer to Meta, so it is one pass of a typed decoder that skips the messages themselves. Promise:
a body that is JSON never raises here, whatever its shape; `recognised` tells whether it looks like WhatsApp's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct

from chime.errors import ChimeError
from chime.whatsapp import lenient

_OBJECT = "whatsapp_business_account"
_PORTFOLIO_FIELDS = frozenset({"partner_solutions"})
WHOLE_ENTRY = -1


class NotJson(ChimeError):
    """The body is no JSON at all, so nobody at Meta wrote it."""

    status = 400
    title = "The body is not JSON"


class ScannedChange(Struct, frozen=True, kw_only=True):
    """Where one change stands and whose it is. `change` is -1 for an entry whose changes cannot be told apart."""

    entry: int
    change: int
    field: str
    phone_number_id: str | None = None
    waba_id: str | None = None


class Scan(Struct, frozen=True, kw_only=True):
    """What `scan` found. `changes` is in the order of the body."""

    body: bytes
    recognised: bool
    changes: tuple[ScannedChange, ...] = ()

    def select(self, indexes: Collection[int]) -> bytes:
        """A body with only these changes (positions in `changes`): the original bytes when all are chosen."""
        chosen: dict[int, list[int]] = {}
        for index in sorted(set(indexes)):
            chosen.setdefault(self.changes[index].entry, []).append(self.changes[index].change)
        if sum(map(len, chosen.values())) == len(self.changes):
            return self.body
        if not lenient.holds_nul(self.body):
            try:
                return _cut(self.body, chosen)
            except (ValueError, KeyError, RecursionError):
                pass  # half an emoji or a byte that is no text, somewhere the scan did not look
        return _cut(msgspec.json.encode(lenient.decode(self.body)), chosen)


def _cut(body: bytes, chosen: dict[int, list[int]]) -> bytes:
    """The changes of `chosen`, by entry. Raises ValueError, KeyError or RecursionError where only the patient decoder
    reads the body."""
    envelope = _decode_object(body)
    entries = _decode_array(envelope["entry"])
    return msgspec.json.encode({**envelope, "entry": [_with_changes(entries[i], positions)
                                                      for i, positions in chosen.items()]})


def _with_changes(entry: msgspec.Raw, positions: list[int]) -> msgspec.Raw | dict[str, Any]:
    """An entry with some of its changes, each byte for byte as it came."""
    if positions == [WHOLE_ENTRY]:
        return entry
    parts = _decode_object(entry)
    listed = _decode_array(parts["changes"])
    return {**parts, "changes": [listed[position] for position in positions]}


class _Numbered(Struct):
    phone_number_id: str | int | None = None


class _WabaInfo(Struct):
    waba_id: str | int | None = None


class _Value(Struct):
    metadata: _Numbered | None = None
    recipient: _Numbered | None = None
    phone_number_settings: _Numbered | None = None
    waba_info: _WabaInfo | None = None
    event: str | None = None


class _Change(Struct):
    field: str = ""
    value: _Value | None = None


class _Entry(Struct):
    changes: list[_Change]
    id: str | int | None = None


class _Envelope(Struct):
    entry: list[_Entry]
    object: str = _OBJECT


_decode = msgspec.json.Decoder(_Envelope).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def scan(body: bytes) -> Scan:
    """Find every change of a body and the number and WABA it belongs to. Raises NotJson."""
    if lenient.holds_nul(body):  # `parse` drops the character, and both must name the same number
        return _scan_loosely(body)
    try:
        envelope = _decode(body)
    except (ValueError, RecursionError):
        return _scan_loosely(body)
    if envelope.object != _OBJECT:
        return Scan(body=body, recognised=False)
    changes = []
    for i, entry in enumerate(envelope.entry):
        entry_id = lenient.text(entry.id)
        for j, change in enumerate(entry.changes):
            value = change.value or _Value()
            waba_id = lenient.text(value.waba_info.waba_id) if value.waba_info else None
            told_numbers = (value.metadata, value.recipient, value.phone_number_settings)
            numbers = (lenient.text(told.phone_number_id) for told in told_numbers if told)
            changes.append(ScannedChange(
                entry=i, change=j, field=change.field, phone_number_id=next(filter(None, numbers), None),
                waba_id=owner(entry_id, change.field, value.event, waba_id),
            ))
        if not entry.changes:
            changes.append(ScannedChange(entry=i, change=WHOLE_ENTRY, field="", waba_id=entry_id))
    return Scan(body=body, recognised=True, changes=tuple(changes))


def _scan_loosely(body: bytes) -> Scan:
    """The same for a body the typed decoder refuses: one odd key must not make the whole batch unknown."""
    try:
        envelope = lenient.decode(body)
    except lenient.TooDeep:
        return Scan(body=body, recognised=False)
    except ValueError:
        raise NotJson("The body is not JSON") from None
    if not is_envelope(envelope):
        return Scan(body=body, recognised=False)
    changes = []
    for i, entry in enumerate(envelope["entry"]):
        listed = lenient.items(lenient.mapping(entry).get("changes"))
        for j, change in enumerate(listed):
            number, waba_id = place(lenient.mapping(entry), lenient.mapping(change))
            field = lenient.text(lenient.mapping(change).get("field")) or ""
            changes.append(ScannedChange(entry=i, change=j, field=field, phone_number_id=number, waba_id=waba_id))
        if not listed:
            entry_id = lenient.text(lenient.mapping(entry).get("id"))
            changes.append(ScannedChange(entry=i, change=WHOLE_ENTRY, field="", waba_id=entry_id))
    return Scan(body=body, recognised=True, changes=tuple(changes))


def is_envelope(value: Any) -> bool:
    """Whether a decoded body is one of WhatsApp's, however odd its entries may be."""
    return isinstance(value, dict) and isinstance(value.get("entry"), list) and value.get("object", _OBJECT) == _OBJECT


def place(entry: dict[str, Any], change: dict[str, Any]) -> tuple[str | None, str | None]:
    """The phone number id and the WABA id a change belongs to."""
    value = lenient.mapping(change.get("value"))
    told_numbers = (lenient.mapping(value.get(key)) for key in ("metadata", "recipient", "phone_number_settings"))
    number = next(filter(None, (lenient.text(told.get("phone_number_id")) for told in told_numbers)), None)
    told = lenient.text(lenient.mapping(value.get("waba_info")).get("waba_id"))
    entry_id = lenient.text(entry.get("id"))
    return number, owner(entry_id, lenient.text(change.get("field")), lenient.text(value.get("event")), told)


def owner(entry_id: str | None, field: str | None, event: str | None, told: str | None) -> str | None:
    """The WABA: as the value tells, else the entry's id, unless that id is a business portfolio's.

    Events of partners carry the portfolio in `entry.id`; routed by it they would reach nobody, or a stranger.
    """
    if told or field in _PORTFOLIO_FIELDS or (event or "").startswith("PARTNER_"):
        return told
    return entry_id
