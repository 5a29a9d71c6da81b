"""What narrows and sorts the list of conversations: read from an address, written into one, kept in saved views.

Between fields AND, inside one OR. What a filter names may be gone (a tag, a number, a team): then nothing fits it, and
that is no error. Pure text in, pure text out; `filter_queries` finds what fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from chime.errors import Invalid
from chime.inbox.model import ConversationState, View

ME, NOBODY = "me", "none"
FILES = ("image", "video", "audio", "document")
MOST_VALUES = 50
LONGEST_VALUE = 64


class Sort(StrEnum):
    """In which order: by the newest message, by who waits longest, by whose answer is due first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    WAITING = "waiting"
    DUE = "due"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """A view narrowed. `assignee` holds ids, `me` for whoever reads, `none` for nobody; `owner`, who looks after the
    customer, is the same, and `team` may hold `none` too.
    `reason` asks why it was resolved, and so only of those that are. `since` and `until` are days on the reader's
    calendar, both included, of the last message."""

    v: View = View.ALL
    channel: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    contact_tag: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    unread: bool = False
    waiting: bool = False
    since: str = ""
    until: str = ""
    sort: Sort | None = None

    @property
    def order(self) -> Sort:
        """As asked for; else the longest waiting first where one looks for who waits."""
        return self.sort or (Sort.WAITING if self.v is View.WAITING else Sort.NEWEST)

    @property
    def narrows(self) -> bool:
        """Whether it asks for anything a plain view does not."""
        return msgspec.structs.replace(self, v=View.ALL, sort=None) != Filter()

    @property
    def is_plain(self) -> bool:
        """Whether it is one of the views as they are."""
        return not self.narrows and self.order is Filter(v=self.v).order

    @property
    def how_many(self) -> int:
        """How many fields narrow it."""
        return len({name for name, _ in self.pairs if name not in ("v", "sort")})

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """As an address has it, always in the same order."""
        found = [("v", self.v.value)]
        for name in LISTS:
            found += [(name, value) for value in getattr(self, name)]
        found += [(name, "1") for name in FLAGS if getattr(self, name)]
        found += [(name, getattr(self, name)) for name in DAYS if getattr(self, name)]
        return found + ([("sort", self.sort.value)] if self.sort else [])

    @property
    def query(self) -> str:
        """A query string; read again it is the same filter."""
        return urlencode(self.pairs)

    def without(self, name: str, value: str) -> Filter:
        """With one chip taken off."""
        if name in LISTS:
            left = tuple(one for one in getattr(self, name) if one != value)
            return msgspec.structs.replace(self, **{name: left})
        return msgspec.structs.replace(self, **{name: False if name in FLAGS else ""})

    def sorted_by(self, order: str) -> Filter:
        """In another order; the usual one of its view is not named."""
        order = Sort(order)
        return msgspec.structs.replace(self, sort=None if Filter(v=self.v).order is order else order)


LISTS = ("channel", "assignee", "team", "tag", "contact_tag", "state", "has", "reason", "owner")
FLAGS = ("unread", "waiting")
DAYS = ("since", "until")
NAMES = frozenset({"v", "sort", *LISTS, *FLAGS, *DAYS})
_CHOICES = {"state": frozenset(ConversationState), "has": frozenset(FILES)}


def read(pairs: Iterable[tuple[str, str]], view: View = View.ALL) -> Filter:
    """The filter of an address; what is not part of one is passed over, and what is empty asks for nothing. A list may
    be given several times or with commas. Raises Invalid naming every field that does not fit."""
    lists: dict[str, dict[str, None]] = {}
    single: dict[str, str] = {}
    for name, text in pairs:
        if name in LISTS:
            lists.setdefault(name, {}).update(dict.fromkeys(part for part in text.split(",") if part))
        elif name in NAMES and text:
            single[name] = text
    problems = [(name, "At most 50 of them.") for name, values in lists.items() if len(values) > MOST_VALUES]
    problems += [(name, "This is none of the choices.") for name, values in lists.items()
                 if any(len(value) > LONGEST_VALUE or "\0" in value or value not in _CHOICES.get(name, (value,))
                        for value in values)]
    problems += [(name, "Say 1, or leave it out.") for name in FLAGS if single.get(name, "1") != "1"]
    problems += [(name, "Give a day like 2026-11-21.") for name in DAYS if name in single and not _day(single[name])]
    if single.get("sort", Sort.NEWEST) not in set(Sort):
        problems.append(("sort", "This is none of the choices."))
    if single.get("v", view) not in set(View):
        problems.append(("v", "There is no such view."))
    if problems:
        raise Invalid(problems)
    given: dict[str, Any] = {name: tuple(values) for name, values in lists.items()}
    given |= {name: name in single for name in FLAGS} | {name: single.get(name, "") for name in DAYS}
    found = Filter(v=View(single.get("v", view)), **given)
    return found.sorted_by(Sort(single["sort"])) if "sort" in single else found


def parse(query: str) -> Filter:
    """The filter of a query string. Raises Invalid."""
    try:
        return read(parse_qsl(query, max_num_fields=1_000))
    except ValueError as error:
        raise Invalid.field("filter", "This is no filter.") from error


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if len(text) == 10 else None


def begins(text: str, zone: tzinfo, *, days: int = 0) -> int:
    """The first moment of a day, or of one some days later."""
    found = _day(text)
    if found is None:
        raise Invalid.field("since", "Give a day like 2026-11-21.")
    # Before and after these there is nothing, and no clock that could tell.
    day = min(max(found, date(1970, 1, 2)), date(9998, 12, 30)) + timedelta(days=days)
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)
