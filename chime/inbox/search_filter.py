"""What narrows a search for messages: who wrote, what kind, on which number, on which days, with a file or without.

Between fields AND, inside one OR. What a filter names may be gone (a member, a number): then nothing fits it, and that
is no error. Pure text in, pure text out; `search_sifting` makes a query of it, `search_typed` reads what people type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec

from chime.errors import Invalid

CUSTOMER, ME, TEAM, BOT, API, PHONE = "customer", "me", "team", "bot", "api", "phone"
# Who wrote it, besides the ids of members: the customer, whoever asks, anybody of the team, Chime by itself, a script,
# somebody in the WhatsApp app of the number.
SENDERS = (CUSTOMER, ME, TEAM, BOT, API, PHONE)
NOTE, VOICE, TEXT = "note", "voice", "text"
# What people call a kind -> the types a message can have. A voice note is audio that its file knows to be one.
KINDS: dict[str, tuple[str, ...]] = {
    TEXT: ("text",), "image": ("image",), "video": ("video",), "audio": ("audio",), VOICE: ("audio",),
    "document": ("document",), "sticker": ("sticker",), "location": ("location",), "contact": ("contacts",),
    "template": ("template",), "interactive": ("interactive", "button"), "order": ("order",), NOTE: (),
}
MOST_VALUES = 20
_ID = re.compile(r"[0-9a-z]{26}")
_LISTS = ("sender", "kind", "channel")
_DAYS = ("since", "until")
# The names of the fields in an address of the inbox, where the list's own filter has the plain ones, and for scripts.
IN_ADDRESS = {"from": "sender", "type": "kind", "in": "channel", "first": "since", "last": "until",
              "has_file": "has_file"}
FOR_SCRIPTS = {"from": "sender", "type": "kind", "channel": "channel", "since": "since", "until": "until",
               "has_file": "has_file"}


class SearchFilter(msgspec.Struct, frozen=True, kw_only=True):
    """`sender` holds `SENDERS` and ids of members; `since` and `until` are days, both included."""

    sender: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    has_file: bool = False

    @property
    def narrows(self) -> bool:
        return self != SearchFilter()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """As an address has it, always in the same order."""
        found = []
        for name, field in IN_ADDRESS.items():
            value = getattr(self, field)
            if field in _LISTS:
                found += [(name, one) for one in value]
            elif value:
                found.append((name, "1" if value is True else value))
        return found

    def plus(self, name: str, value: str) -> SearchFilter:
        """With one more chip, by its name in an address; a day takes the place of the one that was there."""
        field = IN_ADDRESS[name]
        if field in _LISTS:
            return self.changed(**{field: tuple(dict.fromkeys((*getattr(self, field), value)))})
        return self.changed(**{field: True if field == "has_file" else value})

    def without(self, name: str, value: str) -> SearchFilter:
        """With one chip taken off."""
        field = IN_ADDRESS[name]
        if field in _LISTS:
            return self.changed(**{field: tuple(one for one in getattr(self, field) if one != value)})
        return self.changed(**{field: False if field == "has_file" else ""})

    def both(self, other: SearchFilter) -> SearchFilter:
        """What either asks for; of days the narrower ones."""
        lists = {field: tuple(dict.fromkeys((*getattr(self, field), *getattr(other, field)))) for field in _LISTS}
        untils = [day for day in (self.until, other.until) if day]
        return self.changed(**lists, since=max(self.since, other.since), until=min(untils, default=""),
                            has_file=self.has_file or other.has_file)

    def changed(self, **values: Any) -> SearchFilter:
        return msgspec.structs.replace(self, **values)


def read(pairs: Iterable[tuple[str, str]], names: dict[str, str] = IN_ADDRESS) -> SearchFilter:
    """The filter of an address or of a script's query; what is not part of one is passed over, and what is empty asks
    for nothing. A list may be given several times or with commas. Raises Invalid naming every field that is wrong."""
    given: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for name, text in pairs:
        field = names.get(name)
        if field in _LISTS:
            given[field] = tuple(dict.fromkeys((*given.get(field, ()), *(one for one in text.split(",") if one))))
            problems += [(name, words) for words in _faults(field, given[field])]
        elif field in _DAYS and text:
            given[field] = text
            problems += [] if day_of(text) else [(name, "Give a day like 2026-11-21.")]
        elif field == "has_file" and text:
            given[field] = True
            problems += [] if text == "1" else [(name, "Say 1, or leave it out.")]
    if problems:
        raise Invalid(list(dict.fromkeys(problems)))
    return SearchFilter(**given)


def _faults(field: str, values: tuple[str, ...]) -> list[str]:
    if len(values) > MOST_VALUES:
        return [f"At most {MOST_VALUES} of them."]
    fixed = {"sender": SENDERS, "kind": tuple(KINDS), "channel": ()}[field]
    may_be_id = field != "kind"
    return ["This is none of the choices."
            for value in values if value not in fixed and not (may_be_id and _ID.fullmatch(value))][:1]


def day_of(text: str) -> date | None:
    """The day that is written 2026-11-21."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if len(text) == 10 else None
