"""The trail as people and scripts read it: filters from an address, and what a row says in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chime.audit.model import LATEST, Event, Filter, Result
from chime.clock import DAY, as_datetime, from_rfc3339
from chime.errors import Invalid, Sentence
from chime.ids import is_id
from chime.web.listing import decode_cursor

FILTERS = ("action", "actor_id", "object", "result", "since", "until")
LONGEST = 100
_EPOCH = 10**12
"""A number this large is a moment, in milliseconds: nothing else that rows keep counts so far."""


class Change(msgspec.Struct, frozen=True):
    """One thing of which the row says what it was and what it became."""

    name: str
    before: str
    after: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A row with what it says: `changes` from and to, `facts` of other kinds. `is_signed` when a checkpoint stands
    for it."""

    event: Event
    changes: tuple[Change, ...]
    facts: tuple[tuple[str, str], ...]
    is_signed: bool


def line(event: Event, people: Mapping[str, str], signed: int) -> Line:
    """`people` are names by id, `signed` is the size of the last checkpoint."""
    details = dict(event.details)
    before, after = details.pop("before", None), details.pop("after", None)
    changes: list[Change] = []
    if isinstance(before, dict) and isinstance(after, dict):
        changes = [Change(_words(name), _value(before.get(name), people), _value(after.get(name), people))
                   for name in {**before, **after} if before.get(name) != after.get(name)]
    else:
        details |= {name: value for name, value in (("before", before), ("after", after)) if value is not None}
    facts = tuple((_words(name), _value(value, people)) for name, value in details.items())
    return Line(event=event, changes=tuple(changes), facts=facts, is_signed=event.sequence <= signed)


def _words(name: str) -> str:
    return name.removesuffix("_id").removesuffix("_at").replace("_", " ")


def _value(value: Any, people: Mapping[str, str]) -> str:
    match value:
        case None | "" | [] | {}:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() if value > _EPOCH:
            return f"{as_datetime(value):%Y-%m-%d %H:%M:%S} UTC"
        case str():
            return people.get(value, value) if is_id(value) else value
        case list():
            return ", ".join(_value(one, people) for one in value)
        case dict():
            return ", ".join(f"{_words(str(name))} {_value(one, people)}" for name, one in value.items())
    return str(value)


def filter_of(query: Mapping[str, str]) -> Filter:
    """Raises Invalid naming the parameter that does not fit."""
    object_kind, _, object_id = query.get("object", "").partition(":")
    if query.get("object") and not (object_kind and object_id):
        raise Invalid.field("object", "Give the kind and the id, like contact:01kafx2v9m3q8r5t7w1y4z6b0c.")
    if query.get("result", "") not in ("", *Result):
        raise Invalid.field("result", "Say done or denied.")
    for name in FILTERS:
        if len(query.get(name, "")) > LONGEST:
            raise Invalid.field(name, Sentence("At most %(most)s letters.", most=LONGEST))
    return Filter(action=query.get("action", ""), actor_id=query.get("actor_id", ""), object_kind=object_kind,
                  object_id=object_id, result=query.get("result", ""), since=moment(query, "since"),
                  until=moment(query, "until", end_of_day=True))


def moment(query: Mapping[str, str], name: str, *, end_of_day: bool = False) -> int | None:
    """A day (UTC) or an RFC 3339 time; a day given as an end counts to its end."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        if len(text) == 10:
            day = from_rfc3339(f"{text}T00:00:00Z")
            return day + DAY if end_of_day else day
        return from_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise Invalid.field(name, "Give a day like 2026-11-21, or a time like 2026-11-21T09:30:00Z.") from error


def as_day(at: int | None, *, end_of_day: bool = False) -> str:
    """A moment of a filter as the form shows it."""
    if at is None:
        return ""
    return as_datetime(at - DAY if end_of_day and at % DAY == 0 else at).date().isoformat()


def before_of(cursor: str | None) -> int:
    """Where a list goes on. Raises Invalid."""
    place = decode_cursor(cursor)
    return min(place[0], LATEST) if place else LATEST
