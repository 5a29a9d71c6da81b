"""The operators people type into the search field: `from:bob`, `type:image`, `in:"Sales number"`, `before:2026-10-01`.

Whatever is no operator, or says nothing that is known here, is looked for as words: so a text with a colon in it can
be searched for, and what is misspelt finds nothing instead of too much. `hints` names the latter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta

import msgspec

from chime.inbox.search_filter import (
    API,
    BOT,
    CUSTOMER,
    KINDS,
    ME,
    NOTE,
    PHONE,
    TEAM,
    VOICE,
    SearchFilter,
    day_of,
)
from chime.inbox.search_words import flat, words_in

OPERATORS = ("from", "type", "in", "has", "on", "since", "until", "after", "before")
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"') | {"\0": " "})
_OPERATOR = re.compile(r'(?<!\S)([A-Za-z]{2,6}):("[^"]*"|[^\s"]+)(?!\S)')
_SENDERS = {"customer": CUSTOMER, "contact": CUSTOMER, "me": ME, "team": TEAM, "agent": TEAM, "bot": BOT, "api": API,
            "phone": PHONE}
_KINDS = {kind: kind for kind in KINDS} | {"photo": "image", "picture": "image", "file": "document",
                                           "button": "interactive", "voicenote": VOICE, "notes": NOTE}
_FILES = frozenset({"image", "video", "audio", VOICE, "document", "sticker"})


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the values of operators are understood by: names by id, and the reader's day."""

    people: Mapping[str, str]
    numbers: Mapping[str, str]
    today: date


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """One that was understood: as it was typed, where, and what it asks for."""

    text: str
    start: int
    asks: SearchFilter


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """`words` is what was typed but for the operators; `hints` are operators whose value says nothing here."""

    text: str
    words: str
    operators: tuple[Operator, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def filter(self) -> SearchFilter:
        found = SearchFilter()
        for one in self.operators:
            found = found.both(one.asks)
        return found

    def without(self, *pairs: tuple[str, str]) -> str:
        """The text when a chip is taken off that was typed: every operator that asks for one of these."""
        gone = [one for one in self.operators if not set(pairs).isdisjoint(one.asks.pairs)]
        return _without(self.text, gone)


def understood_operators(text: str, known: Known) -> Typed:
    """What a text of the search field asks for."""
    plain = text.translate(_QUOTES)
    found: list[Operator] = []
    hints = []
    for match in _OPERATOR.finditer(plain):
        name, value = match[1].lower(), match[2].strip('"').strip()
        if name not in OPERATORS or _is_quoted(plain, match.start()):
            continue
        asks = _asked(name, value, known)
        if asks is None:
            hints.append(text[match.start():match.end()])
        else:
            found.append(Operator(text=text[match.start():match.end()], start=match.start(), asks=asks))
    return Typed(text=text, words=_without(text, found), operators=tuple(found), hints=tuple(hints))


def _is_quoted(text: str, place: int) -> bool:
    return text.count('"', 0, place) % 2 == 1


def _without(text: str, gone: list[Operator]) -> str:
    for one in reversed(gone):
        text = text[:one.start] + " " + text[one.start + len(one.text):]
    return " ".join(text.split()) if gone else text


def _asked(name: str, value: str, known: Known) -> SearchFilter | None:
    """None when the value says nothing."""
    word = flat(value)
    if name == "from":
        people = (_SENDERS[word],) if word in _SENDERS else _named(word, known.people)
        return SearchFilter(sender=people) if people else None
    if name == "in":
        numbers = _named(word, known.numbers)
        return SearchFilter(channel=numbers) if numbers else None
    if name in ("type", "has"):
        kind = _KINDS.get(word) or _KINDS.get(word.removesuffix("s"))
        if name == "has":
            if word in ("file", "files", "attachment"):
                return SearchFilter(has_file=True)
            kind = kind if kind in _FILES else None
        return SearchFilter(kind=(kind,)) if kind else None
    return _on_days(name, value, known.today)


def _named(word: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Those of this very name, or else those in whose name a word begins so."""
    if not word:
        return ()
    flattened = {key: flat(name) for key, name in names.items()}
    exact = tuple(key for key, name in flattened.items() if name == word)
    return exact or tuple(key for key, name in flattened.items() if name.startswith(word)
                          or any(part[0].startswith(word) for part in words_in(name)))


def _on_days(name: str, value: str, today: date) -> SearchFilter | None:
    day = {"today": today, "yesterday": today - timedelta(days=1)}.get(value.lower()) or day_of(value)
    if day is None or not date(1970, 1, 2) <= day <= date(9998, 12, 30):
        return None
    one = timedelta(days=1)
    return {
        "on": SearchFilter(since=day.isoformat(), until=day.isoformat()),
        "since": SearchFilter(since=day.isoformat()),
        "until": SearchFilter(until=day.isoformat()),
        "after": SearchFilter(since=(day + one).isoformat()),
        "before": SearchFilter(until=(day - one).isoformat()),
    }[name]
