"""What a rate card is, and what one message costs by it: free, an amount at most, or not known.

Pure rules. Nothing here knows an amount: each comes from a card that somebody entered. The model is Meta's of 2026:
since 1 October an answer in the reply window and a utility template in it are charged as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo

import msgspec

from chime.prices.markets import Chain

MICROS = 1_000_000
# From this day on, at the account, what is said in the reply window is no longer free.
SERVICE_CHARGED_FROM = "2026-10-01"
CURRENCIES = ("USD", "AED", "ARS", "AUD", "BRL", "CLP", "COP", "EUR", "GBP", "IDR", "INR", "MXN", "MYR", "PEN", "SAR",
              "SGD")


class Category(StrEnum):
    """What Meta tells messages apart by. Service: free-form, in the reply window."""

    MARKETING = "marketing"
    UTILITY = "utility"
    AUTHENTICATION = "authentication"
    AUTHENTICATION_INTERNATIONAL = "authentication_international"
    SERVICE = "service"


class CardKind(StrEnum):
    """A file as Meta publishes it, or a rate typed by hand."""

    FILE = "file"
    HAND = "hand"


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A price for one message; `tier_from` and `tier_to` count the messages of a month that it is for."""

    market: str
    category: Category
    price_micros: int
    tier_from: int = 0
    tier_to: int | None = None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One that was entered. `valid_from` is a day at the account."""

    id: str
    currency: str
    valid_from: str
    kind: CardKind
    name: str
    is_sample: bool
    created_at: int
    rates_count: int


class DatedRate(Rate, frozen=True, kw_only=True):
    """A rate with its card's day."""

    card_id: str
    valid_from: str
    created_at: int
    is_sample: bool


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """How a WhatsApp Business account pays; `currency` is empty while nobody said, and no card tells it."""

    waba_id: str
    currency: str
    time_zone: str
    free_service: int | None = None


class FreeReason(StrEnum):
    """Why it costs nothing."""

    WINDOW = "window"
    AD = "ad"


class UnknownReason(StrEnum):
    """Why nobody can say."""

    NO_NUMBER = "no_number"
    NO_CARD = "no_card"
    NO_CURRENCY = "no_currency"
    NO_RATE = "no_rate"
    NO_CATEGORY = "no_category"


class Free(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="free"):
    reason: FreeReason

    kind = "free"


class Amount(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="amount"):
    """At most this, without tax: a later tier of the month may be cheaper. `market` is empty when its reader may not
    know it. `free_a_month`: so many answers each number has free, of which this may be one."""

    up_to_micros: int
    currency: str
    category: Category
    market: str
    card_id: str
    is_sample: bool = False
    free_a_month: int | None = None

    kind = "amount"


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="unknown"):
    reason: UnknownReason

    kind = "unknown"


Price = Free | Amount | Unknown


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What prices for one recipient are made of: the account, where they may be billed, the rates of there.

    `chains` is empty when nobody knows their number. `has_cards`: whether there is a card at all. `home`: the country
    of the number that sends, empty when it is not known.
    """

    account: Account
    zone: tzinfo
    chains: tuple[Chain, ...]
    rates: tuple[DatedRate, ...]
    has_cards: bool
    home: str = ""

    def day(self, at: int) -> str:
        """The account's calendar day of a moment."""
        return datetime.fromtimestamp(at / 1000, self.zone).date().isoformat()

    def price(self, category: str, at: int, *, window_open: bool = False, from_ad: bool = False) -> Price:
        """What a message costs that is delivered then. `from_ad`: the 72 free hours of somebody who came from an ad."""
        if from_ad:
            return Free(reason=FreeReason.AD)
        if category not in set(Category):
            return Unknown(reason=UnknownReason.NO_CATEGORY)
        kind, day = Category(category), self.day(at)
        if window_open and kind in (Category.SERVICE, Category.UTILITY) and day < SERVICE_CHARGED_FROM:
            return Free(reason=FreeReason.WINDOW)
        if not self.has_cards:
            return Unknown(reason=UnknownReason.NO_CARD)
        if not self.account.currency:
            return Unknown(reason=UnknownReason.NO_CURRENCY)
        if not self.chains:
            return Unknown(reason=UnknownReason.NO_NUMBER)
        found = [self._dearest(chain, kind, day) for chain in self.chains]
        if any(rate is None for rate in found):
            return Unknown(reason=UnknownReason.NO_RATE)
        rate = max((rate for rate in found if rate is not None), key=lambda one: one.price_micros)
        return Amount(up_to_micros=rate.price_micros, currency=self.account.currency, category=kind,
                      market=rate.market if len(self.chains) == 1 else "", card_id=rate.card_id,
                      is_sample=rate.is_sample,
                      free_a_month=(self.account.free_service or None) if kind is Category.SERVICE else None)

    def _dearest(self, chain: Chain, category: Category, day: str) -> DatedRate | None:
        """The dearest tier, which is what is paid at most. A code for signing in that goes abroad may be billed as
        international; service is billed as utility where a card does not name it (Meta's rule)."""
        found = in_force(self.rates, chain, category, day)
        if category is Category.AUTHENTICATION and chain[0] != self.home:
            found = found + in_force(self.rates, chain, Category.AUTHENTICATION_INTERNATIONAL, day)
        if not found and category is Category.SERVICE:
            found = in_force(self.rates, chain, Category.UTILITY, day)
        return max(found, key=lambda rate: rate.price_micros, default=None)


def in_force(rates: Sequence[DatedRate], chain: Chain, category: Category, day: str) -> list[DatedRate]:
    """The tiers that hold on a day: of the narrowest market that has any, those of the newest card."""
    for market in chain:
        found = [rate for rate in rates if rate.market == market and rate.category is category
                 and rate.valid_from <= day]
        if found:
            newest = max(_age(rate) for rate in found)
            return sorted((rate for rate in found if _age(rate) == newest), key=lambda rate: rate.tier_from)
    return []


def _age(rate: DatedRate) -> tuple[str, int, str]:
    return rate.valid_from, rate.created_at, rate.card_id


@cache
def zone(name: str) -> tzinfo:
    """The named time zone, or UTC."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError):
        return UTC


def is_day(text: str) -> bool:
    """Whether this is a day as 2026-10-01."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
