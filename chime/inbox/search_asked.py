"""What a request searches for: words, what was typed as operators, and the filters its address holds.

The address is the state: `q` is the text of the search field, the chosen filters stand beside it by their own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

import msgspec

from chime.accounts import Member
from chime.clock import as_datetime
from chime.errors import Invalid, NotFound
from chime.inbox import search_filter, thread
from chime.inbox.number_names import number_names
from chime.inbox.search_filter import SearchFilter
from chime.inbox.search_sifting import Wanted
from chime.inbox.search_typed import Known, Typed, understood_operators
from chime.inbox.search_words import MOST_TYPED, askable
from chime.phone import texts_are_masked
from chime.web.here import Here
from chime.web.language import zone

FEW_COLLEAGUES = 12
# Days back from today: today alone, a week, a month.
_RECENT = {"today": 0, "week": 6, "month": 29}


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a search is narrowed to, by its name in an address or `on` for a single day; `query` and `text` are
    the address and the search field without it."""

    name: str
    value: str
    query: str
    text: str


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """`text` stands in the search field, `words` is what is left of it to look for."""

    typed: Typed
    words: str
    chosen: SearchFilter
    wanted: Wanted
    people: Mapping[str, str]
    numbers: Mapping[str, str]
    days: Mapping[str, str] = {}

    @property
    def text(self) -> str:
        return self.typed.text

    @property
    def filter(self) -> SearchFilter:
        return self.wanted.filter

    @property
    def is_on(self) -> bool:
        return bool(self.text) or self.chosen.narrows

    @property
    def colleagues(self) -> list[tuple[str, str]]:
        """The first few of the team, by id; whoever searches is there as themselves."""
        return [(key, name) for key, name in self.people.items() if key != self.wanted.user_id][:FEW_COLLEAGUES]

    @property
    def query(self) -> str:
        """What an address says of it, empty for no search."""
        return _query(self.text, self.chosen)

    @property
    def chips(self) -> list[Chip]:
        """What it is narrowed to, whether it was chosen or typed."""
        one_day = bool(self.filter.since) and self.filter.since == self.filter.until
        found = []
        for name, value in self.filter.pairs:
            if one_day and name == "last":
                continue
            gone = [("first", value), ("last", value)] if one_day and name == "first" else [(name, value)]
            chosen, text = self.chosen, self.typed.without(*gone)
            for pair in gone:
                chosen = chosen.without(*pair)
            found.append(Chip(name="on" if len(gone) > 1 else name, value=value, query=_query(text, chosen), text=text))
        return found

    def plus(self, name: str, value: str) -> str:
        """The address with one more filter."""
        return _query(self.text, self.chosen.plus(name, value))

    def from_day(self, since: str) -> str:
        """The address for what was said since a day, instead of the days that were chosen."""
        return _query(self.text, self.chosen.changed(since=since, until=""))


def _query(text: str, chosen: SearchFilter) -> str:
    return urlencode([*((("q", text),) if text else ()), *chosen.pairs])


async def asked(here: Here) -> Search:
    """The search of a request. Raises NotFound for filters nobody could have chosen."""
    return understood(here, await thread.members(here), await number_names(here))


def understood(here: Here, members: Mapping[str, Member], numbers: Mapping[str, str]) -> Search:
    """The same for a caller who knows the team and the numbers already."""
    text = typed_text(here)
    try:
        chosen = search_filter.read(here.request.query_params.multi_items())
    except Invalid as error:
        raise NotFound("There is no such search.") from error
    calendar = zone(thread.zone_of(here))
    known = Known(people={one.id: one.name for one in members.values()}, numbers=numbers,
                  today=as_datetime(here.now).astimezone(calendar).date())
    typed = understood_operators(text, known)
    if texts_are_masked():
        typed = understood_operators(_readable(typed), known)
    return Search(typed=typed, words=askable(typed.words), chosen=chosen, people=known.people, numbers=known.numbers,
                  days={name: (known.today - timedelta(days=back)).isoformat() for name, back in _RECENT.items()},
                  wanted=Wanted(filter=chosen.both(typed.filter), user_id=here.actor.id or "", zone=calendar))


def typed_text(here: Here) -> str:
    """What stands in the search field."""
    return here.request.query_params.get("q", "").replace("\0", "").strip()[:MOST_TYPED]


def _readable(typed: Typed) -> str:
    """The text with the numbers among its words taken out; those in an operator are no words."""
    parts, place = [], 0
    for one in typed.operators:
        parts += [askable(typed.text[place:one.start]), one.text]
        place = one.start + len(one.text)
    return " ".join(part for part in (*parts, askable(typed.text[place:])) if part)
