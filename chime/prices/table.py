"""Reading a rate card as Meta publishes it: one row for each market, a column for each category; or one row for each
rate, with its tier. Lenient about how columns are called and what stands around them, exact about what does not fit:
every problem names its line and column, and of such a file nothing is kept.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from chime.errors import Invalid
from chime.prices.markets import market_named
from chime.prices.model import MICROS, Category, Rate

LARGEST = 512 * 1024
MOST_RATES = 3_000
LARGEST_PRICE = 1_000_000 * MICROS
_HEAD_WITHIN = 30
_MOST_TOLD = 50
_NOTHING = frozenset({"", "n/a", "na", "-", "–", "—"})
_ENDLESS = _NOTHING | {"inf", "∞", "unlimited"}
_MARKET = ("market", "country", "region")
_PRICE = ("rate", "price", "listrate", "cost", "unitrate", "unitprice", "ratepermessage", "pricepermessage", "amount")
_KIND = ("category", "messagecategory", "messagetype", "pricingcategory", "type")
_FROM = ("from", "tierfrom", "tierstart", "volumefrom", "start", "lower")
_TO = ("to", "tierto", "tierend", "volumeto", "end", "upper")
_TIER = ("tier", "volumetier", "volume")
# Longest first: "authentication" begins both.
_CATEGORIES = tuple(sorted(((category.value.replace("_", ""), category) for category in Category),
                           key=lambda pair: -len(pair[0])))
_CURRENCY = re.compile(r"[A-Z]{3}")
_SIGNS = {"$US": "USD", "US$": "USD", "$": "USD", "€": "EUR", "£": "GBP", "₹": "INR", "R$": "BRL"}
# 0.0250, 1,250.75, 0,0250; what may be a thousand as well as one and a bit (1,250) is none.
_NUMBER = re.compile(r"(\d{1,7}|\d{1,3}(?:,\d{3}){1,2}(?=\.))(?:\.(\d{1,10}))?")
_COMMA = re.compile(r"(0|\d{1,7}(?!,\d{3}$)),(\d{1,10})")
_TIER_TEXT = re.compile(r"(\d+)(?:(?::|-|–|to)(\d+|inf)?|\+)?")

Line = tuple[int, list[str]]
Problems = list[tuple[str, str]]


class _Head:
    """Which column holds what. `at` is the line of the names, `names` as they are written."""

    def __init__(self, at: int, names: list[str]) -> None:
        self.at = at
        self.names = [" ".join(name.split()) or f"column {number}" for number, name in enumerate(names, start=1)]
        plain = [re.sub(r"[^a-z]", "", name.casefold()) for name in names]
        self.market = next((place for place, name in enumerate(plain) if name.startswith(_MARKET)), None)
        self.currency = next((place for place, name in enumerate(plain) if name.startswith("currency")), None)
        self.kind, self.price = _place(plain, _KIND), _place(plain, _PRICE)
        self.tier_from, self.tier_to, self.tier = _place(plain, _FROM), _place(plain, _TO), _place(plain, _TIER)
        self.wide: dict[int, Category] = {}
        for place, name in enumerate(plain):
            category = _category(name)
            if category is not None and place != self.market:
                self.wide[place] = category

    @property
    def is_long(self) -> bool:
        return self.kind is not None and self.price is not None

    @property
    def is_one(self) -> bool:
        return self.market is not None and (self.is_long or bool(self.wide))


def _place(plain: list[str], names: Sequence[str]) -> int | None:
    return next((place for place, name in enumerate(plain) if name in names), None)


def _category(plain: str) -> Category | None:
    return next((category for name, category in _CATEGORIES if plain.startswith(name)), None)


def read(content: bytes, *, currency: str = "") -> tuple[str, list[Rate]]:
    """The currency of a card and its rates. `currency` is what whoever sends it says it is in; empty for what the file
    says. Raises Invalid."""
    if len(content) > LARGEST:
        raise Invalid.field("table", "This file is larger than 512 kB; a rate card is much smaller.")
    lines = list(_lines(content))
    head = next((head for head in (_Head(*line) for line in lines[:_HEAD_WITHIN]) if head.is_one), None)
    if head is None:
        raise Invalid.field("table", "This is no rate card: no line names the columns Market and Marketing, Utility, "
                            "Authentication or Service.")
    problems: Problems = []
    reader = _Reader(head, currency, problems)
    for line in lines:
        if line[0] > head.at:
            reader.take(*line)
    found = reader.found
    if not found and not problems:
        problems.append(("table", "This rate card names no price."))
    if not reader.currency and not problems:
        problems.append(("currency", "The file does not say its currency. Choose it."))
    if len(found) > MOST_RATES:
        problems.append(("table", "A rate card has at most 3,000 prices."))
    if problems:
        raise Invalid(problems[:_MOST_TOLD])
    return reader.currency, list(found.values())


def _lines(content: bytes) -> Iterator[Line]:
    """Each row with the number of its first line, as an editor counts them."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid.field("table", "This file is no CSV in UTF-8.") from error
    marks = max(",;\t", key=lambda mark: sum(line.count(mark) for line in text.splitlines()[:_HEAD_WITHIN]))
    reader = csv.reader(io.StringIO(text.replace("\0", "")), delimiter=marks, strict=True)
    before = 0
    try:
        for row in reader:
            yield before + 1, [cell.strip() for cell in row]
            before = reader.line_num
    except csv.Error as error:
        raise Invalid.field(str(before + 1), "This line cannot be read as CSV.") from error


class _Reader:
    """Takes row after row below the head."""

    def __init__(self, head: _Head, currency: str, problems: Problems) -> None:
        self._head, self._problems = head, problems
        self.currency = currency
        self.found: dict[tuple[str, Category, int], Rate] = {}

    def take(self, number: int, row: list[str]) -> None:
        head = self._head
        cells = row + [""] * (len(head.names) - len(row))
        if not any(cells[place] for place in range(len(cells)) if place != head.market):
            return  # an empty line, or a note below the rates
        if any(cells[len(head.names):]):
            self._problems.append((
                self._at(number, len(head.names) - 1), "There are more cells than the first line has names."))
            return
        assert head.market is not None
        market = market_named(cells[head.market])
        if market is None:
            self._problems.append((
                self._at(number, head.market), "This is no country and no group of countries that Meta names."))
        self._look_at_currency(number, cells)
        if market is None:
            return
        if head.is_long:
            self._take_one(number, cells, market)
        else:
            for place, category in head.wide.items():
                self._add(number, place, cells[place], market, category, 0, None)

    def _look_at_currency(self, number: int, cells: list[str]) -> None:
        place = self._head.currency
        if place is None or not cells[place]:
            return
        named = _SIGNS.get(cells[place].upper(), cells[place].upper())
        if not _CURRENCY.fullmatch(named):
            self._problems.append((self._at(number, place), "Write a currency as its three letters, like USD."))
        elif self.currency and named != self.currency:
            self._problems.append((self._at(number, place), "This is not the currency of the rest."))
        else:
            self.currency = named

    def _take_one(self, number: int, cells: list[str], market: str) -> None:
        head = self._head
        assert head.kind is not None and head.price is not None
        category = _category(re.sub(r"[^a-z]", "", cells[head.kind].casefold()))
        if category is None:
            self._problems.append((
                self._at(number, head.kind),
                "One of marketing, utility, authentication, authentication-international, service."))
            return
        tier = self._tier(number, cells)
        if tier is not None:
            self._add(number, head.price, cells[head.price], market, category, *tier)

    def _tier(self, number: int, cells: list[str]) -> tuple[int, int | None] | None:
        """From which count of messages to which; None when it was told what is wrong with it."""
        head = self._head
        if head.tier_from is not None:
            start, end, place = cells[head.tier_from], cells[head.tier_to] if head.tier_to is not None else "", \
                head.tier_from
        elif head.tier is not None and cells[head.tier].casefold() not in _NOTHING:
            place = head.tier
            match = _TIER_TEXT.fullmatch(re.sub(r"[\s,._]", "", cells[place].casefold()))
            if match is None:
                self._problems.append((self._at(number, place), "Write a tier as 0:25000000."))
                return None
            start, end = match[1], match[2] or ""
        else:
            return 0, None
        first, last = _count(start) if start.casefold() not in _NOTHING else 0, _count(end)
        if first is None or (last is None and end.casefold() not in _ENDLESS):
            self._problems.append((self._at(number, place), "This is no number of messages."))
        elif last is not None and last <= first:
            self._problems.append((self._at(number, place), "This tier ends before it begins."))
        else:
            return first, last
        return None

    def _add(self, number: int, place: int, cell: str, market: str, category: Category, start: int,
             end: int | None) -> None:
        if cell.casefold() in _NOTHING:
            return
        price = micros(cell)
        if price is None:
            self._problems.append((
                self._at(number, place), "This is no price: write it like 0.0250, with at most six decimals."))
        elif (market, category, start) in self.found:
            self._problems.append((self._at(number, place), "There is a price for this market and category already."))
        else:
            self.found[market, category, start] = Rate(market=market, category=category, price_micros=price,
                                                       tier_from=start, tier_to=end)

    def _at(self, number: int, place: int) -> str:
        """Where a problem is, as whoever has the file before them finds it."""
        return f"{number}, {self._head.names[place]}"


def _count(text: str) -> int | None:
    digits = re.sub(r"[\s,._]", "", text)
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 13 else None


def micros(text: str) -> int | None:
    """Millionths of the unit, of a price as people and spreadsheets write one; None for what is none. Never rounded:
    what is finer than a millionth is refused."""
    plain = re.sub(r"^[^\d\s.,+-]{0,4}\s*|\s*[^\d\s.,+-]{0,4}$", "", text.strip())
    match = _NUMBER.fullmatch(plain) or _COMMA.fullmatch(plain)
    if match is None:
        return None
    value = Decimal(f"{match[1].replace(',', '')}.{match[2] or 0}") * MICROS
    return int(value) if value == int(value) and value <= LARGEST_PRICE else None
