"""Taking one person out of a webhook body, event by event. What others said in the same body stays, and so does the
number of events: where one was there is a mark, which the parser counts as an event it can't read.

Who an event is about is asked of the parser, not of Meta's keys, so a new spelling of a key is known here as soon as it
is known there. What the parser doesn't understand is searched as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from chime.erasure.model import Meant
from chime.whatsapp import Event, Person, event_key, lenient, parse
from chime.whatsapp.events import (
    CallReceived,
    ContactSynced,
    HandoverChanged,
    HistoryReceived,
    IdentityChanged,
    MessageEchoed,
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
    PaymentStatusReceived,
    PreferenceChanged,
    StandbyReceived,
    StatusReceived,
)

_GONE = {"erased": True}
_WAMID = re.compile(rb"wamid\.[A-Za-z0-9+/=_\\-]+")


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A body without the person. `whole` are the paths of events that are gone, `partial` of those that lost something;
    `keys` are the keys of the gone ones, `wamids` Meta's ids of what the person said in them, `targets` of what they
    spoke of. `remains`: a number or id still stands in what somebody else said."""

    body: bytes
    whole: tuple[str, ...]
    partial: tuple[str, ...]
    keys: tuple[str, ...]
    wamids: tuple[str, ...]
    targets: tuple[str, ...]
    remains: bool


def may_concern(meant: Meant, body: bytes) -> bool:
    """Whether it is worth reading the body: a number, an id or a message of the person stands in it."""
    if meant.has_marks or meant.is_in(body):
        return True
    return any(found.replace(b"\\", b"").decode() in meant.wamids for found in _WAMID.findall(body))


def cut(meant: Meant, body: bytes) -> Cut | None:
    """None when nothing in the body is about the person."""
    try:
        envelope = lenient.decode(body)
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict):  # nested too deeply, say; nobody can take a part out of it
        return _all_of(body) if meant.is_in(body) else None
    whole: list[Event] = []
    partial: list[Event] = []
    targets: list[str] = []
    for event in parse(body):
        if isinstance(event, HistoryReceived):
            theirs = [old for old in event.messages if _is_old(meant, old)]
            targets += filter(None, (old.content.get("message_id") for old in theirs))
            if theirs:
                (whole if _without_old(meant, envelope, event) else partial).append(event)
        elif _is_about(meant, event, envelope):
            whole.append(event)
    for event in whole:
        _take_out(envelope, event.path)
    changed = _without_names(meant, envelope)
    if not (whole or partial or changed):
        return None
    rest = msgspec.json.encode(envelope)
    return Cut(body=rest, whole=tuple(event.path for event in whole), partial=tuple(event.path for event in partial),
               keys=tuple(filter(None, (event_key(event) for event in whole))),
               wamids=tuple(wamid for event in whole if (wamid := _own_wamid(event))),
               targets=(*targets, *(target for event in whole if (target := _target(event)))),
               remains=meant.is_in(rest))


def _all_of(body: bytes) -> Cut:
    return Cut(body=msgspec.json.encode(_GONE), whole=tuple(event.path for event in parse(body)), partial=(), keys=(),
               wamids=(), targets=(), remains=False)


def _is_about(meant: Meant, event: Event, envelope: Any) -> bool:
    people = list(_people(event))
    if people:
        return any(meant.is_person(person) for person in people) or any(map(meant.is_said, _wamids(event)))
    if any(map(meant.is_said, _wamids(event))):
        return True
    # Nobody is named that the parser knows of: what stands there decides.
    return meant.is_in(msgspec.json.encode(_found(envelope, event.path)))


def _people(event: Event) -> Iterator[Person]:
    match event:
        case StandbyReceived():
            yield from _people(event.event)
        case MessageReceived() | MessageReacted() | MessageEdited() | MessageRevoked():
            yield event.sender
        case IdentityChanged():
            yield event.sender
            yield event.new
            yield Person(phone=event.previous_phone, user_id=event.previous_user_id,
                         parent_user_id=event.previous_parent_user_id)
        case StatusReceived():
            yield event.recipient
            if event.group_participant is not None:
                yield event.group_participant
        case PaymentStatusReceived() | MessageEchoed():
            yield event.recipient
        case CallReceived() | ContactSynced() | PreferenceChanged() | HandoverChanged():
            yield event.person


def _wamids(event: Event) -> Iterator[str | None]:
    inner = event.event if isinstance(event, StandbyReceived) else event
    yield getattr(inner, "wamid", None)
    yield getattr(inner, "target_wamid", None)


def _own_wamid(event: Event) -> str | None:
    """Of a message, not of a status of ours."""
    inner = event.event if isinstance(event, StandbyReceived) else event
    return inner.wamid if isinstance(inner, MessageReceived | MessageEchoed) else None


def _target(event: Event) -> str | None:
    inner = event.event if isinstance(event, StandbyReceived) else event
    return getattr(inner, "target_wamid", None)


def _is_old(meant: Meant, old: Any) -> bool:
    return meant.is_person(old.person) or meant.is_said(old.wamid)


def _without_old(meant: Meant, envelope: Any, event: HistoryReceived) -> bool:
    """Take the person's old messages out of a piece of history; whether nothing is left of it."""
    gone = {old.wamid for old in event.messages if _is_old(meant, old)}
    place = _found(envelope, event.path)
    if "threads" not in place:  # late files come as messages without a piece
        place["messages"] = [item for item in lenient.items(place.get("messages"))
                             if lenient.text(lenient.mapping(item).get("id")) not in gone]
        return not place["messages"]
    for thread in lenient.items(place["threads"]):
        listed = lenient.items(lenient.mapping(thread).get("messages"))
        kept = [item for item in listed if lenient.text(lenient.mapping(item).get("id")) not in gone]
        if len(kept) < len(listed):
            rest = {} if not kept else {key: value for key, value in thread.items() if key != "messages"}
            thread.clear()
            thread.update(rest, messages=kept)
    return False


def _steps(path: str) -> list[str]:
    """The way to an event: the parser leaves out `value`, which stands below every change, and makes a thread of late
    files, which come without one."""
    steps = path.split(".") if path else []
    if steps[4:6] == ["threads", "0"]:
        steps[4:6] = []
    return [*steps[:4], "value", *steps[4:]] if len(steps) > 4 else steps


def _found(envelope: Any, path: str) -> Any:
    """What stands at the path of an event; of a change, its value."""
    place = envelope
    for step in _steps(path):
        place = place[int(step)] if isinstance(place, list) else place[step]
    return place["value"] if path.count(".") == 3 and "value" in place else place


def _take_out(envelope: Any, path: str) -> None:
    steps = _steps(path)
    if not steps:
        envelope.clear()
        envelope.update(_GONE)
        return
    place = envelope
    for step in steps[:-1]:
        place = place[int(step)] if isinstance(place, list) else place[step]
    last = steps[-1]
    if not isinstance(place, list):
        # What is counted stays counted: errors as errors, a list that is none as none.
        place[last] = [{"title": "erased"}] if last == "errors" else "erased"
    elif len(steps) == 4:
        place[int(last)] = {**lenient.mapping(place[int(last)]), "value": dict(_GONE)}
    else:
        place[int(last)] = dict(_GONE)


def _without_names(meant: Meant, envelope: Any) -> bool:
    """Names and ids stand beside the items too. Whether something was there."""
    changed = False
    for entry in lenient.items(lenient.mapping(envelope).get("entry")):
        for change in lenient.items(lenient.mapping(entry).get("changes")):
            value = lenient.mapping(lenient.mapping(change).get("value"))
            for holder in (value, lenient.mapping(value.get("standby"))):
                listed = lenient.items(holder.get("contacts"))
                kept = [one for one in listed if not _names(meant, lenient.mapping(one))]
                if len(kept) < len(listed):
                    holder["contacts"], changed = kept, True
    return changed


def _names(meant: Meant, contact: dict[str, Any]) -> bool:
    return meant.is_phone(lenient.phone(contact.get("wa_id"))) or any(
        meant.is_user_id(lenient.user_id(contact.get(key))) for key in ("wa_id", "user_id", "parent_user_id"))
