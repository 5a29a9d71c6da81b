"""From a webhook's bytes to typed events: `scan` before the answer to Meta, `parse` after it.

Promises: every entry, change and item becomes an event, in the order of the body; what cannot be understood becomes
`Unreadable` and never stops its neighbours; `parse` raises nothing, because Meta repeats a refused batch for days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from chime.whatsapp import fields, lenient, messages, statuses
from chime.whatsapp.envelope import NotJson, Scan, ScannedChange, is_envelope, place, scan
from chime.whatsapp.events import (
    AccountErrors,
    Event,
    HistoryMessage,
    HistoryReceived,
    Unreadable,
)
from chime.whatsapp.lenient import mapping
from chime.whatsapp.source import People, Source, Unclear, errors

__all__ = ["NotJson", "Scan", "ScannedChange", "parse", "scan"]

_MakeItem = Callable[..., Event]
_MESSAGE_ARRAYS: dict[str, _MakeItem] = {
    "messages": messages.received,
    "statuses": statuses.status,
    "user_actions": fields.click,
}


def parse(body: bytes) -> list[Event]:
    """Every event of a body."""
    nowhere = Source(path="")
    try:
        envelope = lenient.decode(body)
    except lenient.TooDeep:
        return [_unreadable(nowhere, "the body is nested too deeply", body.hex())]
    except ValueError:
        return [_unreadable(nowhere, "the body is not JSON", body.hex())]
    if not is_envelope(envelope):
        return [_unreadable(nowhere, "the body is not WhatsApp's envelope", envelope)]
    events: list[Event] = []
    for i, entry in enumerate(envelope["entry"]):
        listed = mapping(entry).get("changes")
        if not isinstance(listed, list) or not listed:
            waba_id = lenient.text(mapping(entry).get("id"))
            where = Source(path=f"entry.{i}", waba_id=waba_id)
            events.append(_unreadable(where, "the entry has no changes", entry))
            continue
        for j, change in enumerate(listed):
            _change(events, f"entry.{i}.changes.{j}", mapping(entry), change)
    return events


def _change(events: list[Event], path: str, entry: dict[str, Any], change: Any) -> None:
    number, waba_id = place(entry, mapping(change))
    value = mapping(change).get("value")
    source = Source(
        path=path, field=lenient.text(mapping(change).get("field")) or "", entry_id=lenient.text(entry.get("id")),
        entry_time=lenient.number(entry.get("time")), at=lenient.moment(entry.get("time")) or 0,
        phone_number_id=number, waba_id=waba_id,
        display_phone=lenient.phone(mapping(mapping(value).get("metadata")).get("display_phone_number")),
    )
    if not isinstance(value, dict):
        # With "Include values" off in the App Dashboard the key is missing altogether.
        events.append(_unreadable(source, "the change has no value", change))
        return
    before = len(events)
    try:
        events.extend(_FIELDS.get(source.field, _whole)(source, value))
        if len(events) == before:  # a known field with nothing in it that is known
            events.append(fields.recorded(source, value))
    except Exception as error:  # the border: whatever a payload does to us, the other changes must still be read
        events.append(_unreadable(source, _reason(error), change))


def _whole(source: Source, value: dict[str, Any]) -> Iterator[Event]:
    yield _guarded(source, value, lambda: fields.change(source, value))


def _messages(source: Source, value: dict[str, Any]) -> Iterator[Event]:
    """The field `messages`: several arrays, any of which may be present together."""
    people = People(value.get("contacts"))
    for key, make in _MESSAGE_ARRAYS.items():
        yield from _each(source, value, key, make, people)
    yield from _errors(source, value)


def _errors(source: Source, value: dict[str, Any]) -> Iterator[Event]:
    found = errors(value.get("errors"))
    if found:
        yield AccountErrors(**{**source.common(), "path": f"{source.path}.errors"}, errors=found)


def _calls(source: Source, value: dict[str, Any]) -> Iterator[Event]:
    people = People(value.get("contacts"))
    yield from _each(source, value, "calls", statuses.call, people)
    yield from _each(source, value, "statuses", statuses.status, people)
    yield from _errors(source, value)


def _standby(source: Source, value: dict[str, Any]) -> Iterator[Event]:
    copies = mapping(value.get("standby"))
    source = msgspec.structs.replace(source, path=f"{source.path}.standby")
    people = People(copies.get("contacts") or value.get("contacts"))
    for key, make in (("messages", messages.received), ("message_echoes", messages.echoed)):
        for event in _each(source, copies, key, make, people):
            yield messages.overheard(msgspec.structs.replace(source, path=event.path), event)


def _array(key: str, make: _MakeItem) -> Callable[[Source, dict[str, Any]], Iterator[Event]]:
    def read(source: Source, value: dict[str, Any]) -> Iterator[Event]:
        return _each(source, value, key, make, People(value.get("contacts")))

    return read


def _each(source: Source, value: dict[str, Any], key: str, make: _MakeItem, people: People) -> Iterator[Event]:
    listed = value.get(key)
    if listed is None:
        return
    if not isinstance(listed, list):
        # Each event of a body has a path of its own: what was set aside is found again by it.
        where = msgspec.structs.replace(source, path=f"{source.path}.{key}")
        yield _unreadable(where, f"{key} is no list", listed)
        return
    alone = len(listed) == 1
    for index, item in enumerate(listed):
        yield _item(source.step(key, index), item, make, people, alone)


def _item(source: Source, item: Any, make: _MakeItem, people: People, alone: bool) -> Event:
    if not isinstance(item, dict):
        return _unreadable(source, "the item is no object", item)
    return _guarded(source, item, lambda: make(source, item, people, alone=alone))


def _guarded(source: Source, item: Any, make: Callable[[], Event]) -> Event:
    try:
        return make()
    except Exception as error:  # one poison item must not hold back a batch that Meta would repeat for days
        return _unreadable(source, _reason(error), item)


def _history(source: Source, value: dict[str, Any]) -> Iterator[Event]:
    """One event for each chunk, beside the old messages that could not be read. Late media come without a chunk."""
    for index, chunk in enumerate(lenient.items(value.get("history"))):
        yield from _chunk(source.step("history", index), mapping(chunk), mapping(chunk).get("threads"))
    if value.get("messages"):
        contacts = lenient.items(value.get("contacts"))
        thread = {"context": contacts[0] if len(contacts) == 1 else {}, "messages": value["messages"]}
        yield from _chunk(source, {}, [thread])


def _chunk(source: Source, chunk: dict[str, Any], threads: Any) -> Iterator[Event]:
    kept: list[HistoryMessage] = []
    for i, thread in enumerate(lenient.items(threads)):
        for j, item in enumerate(lenient.items(mapping(thread).get("messages"))):
            where = msgspec.structs.replace(source, path=f"{source.path}.threads.{i}.messages.{j}")
            try:
                kept.append(messages.remembered(where, mapping(item), mapping(thread)))
            except Exception as error:  # as above: thousands of old messages stand beside this one
                yield _unreadable(where, _reason(error), item)
    about = mapping(chunk.get("metadata"))
    yield HistoryReceived(
        **source.common(), fingerprint=source.fingerprint([chunk, threads]), messages=tuple(kept),
        phase=lenient.number(about.get("phase")), chunk=lenient.number(about.get("chunk_order")),
        progress=lenient.number(about.get("progress")), errors=errors(chunk.get("errors")),
    )


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Unclear) else f"unexpected shape ({type(error).__name__})"


def _unreadable(source: Source, reason: str, item: Any) -> Unreadable:
    try:
        fingerprint = source.fingerprint(item)
    except (RecursionError, TypeError, ValueError):
        fingerprint = source.fingerprint(source.path)
    return Unreadable(**source.common(), reason=reason, fingerprint=fingerprint)


_FIELDS: dict[str, Callable[[Source, dict[str, Any]], Iterator[Event]]] = {
    "messages": _messages,
    "calls": _calls,
    "standby": _standby,
    "history": _history,
    "smb_message_echoes": _array("message_echoes", messages.echoed),
    "smb_app_state_sync": _array("state_sync", fields.synced),
    "user_preferences": _array("user_preferences", fields.preference),
}
