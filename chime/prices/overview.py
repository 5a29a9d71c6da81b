"""The cards of one currency side by side: what holds today, which card it comes from, when that changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from chime.prices.markets import GROUPS, OTHER
from chime.prices.model import Category, DatedRate, in_force, zone


class CardState(StrEnum):
    """Replaced: newer cards have said something else about all of it."""

    COMING = "coming"
    IN_FORCE = "in_force"
    REPLACED = "replaced"


class MarketRates(msgspec.Struct, frozen=True):
    """A line of the table: the tiers of each category."""

    market: str
    rates: dict[Category, list[DatedRate]]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """`next_change` is the day from which a card that is here already holds."""

    currency: str
    today: str
    rows: list[MarketRates]
    states: dict[str, CardState]
    next_change: str | None
    is_sample: bool


def overview(currency: str, rates: Sequence[DatedRate], zone_name: str, now: int) -> Overview:
    today = datetime.fromtimestamp(now / 1000, zone(zone_name)).date().isoformat()
    current = [rate for market in {rate.market for rate in rates} for category in Category
               for rate in in_force([one for one in rates if one.market == market], (market,), category, today)]
    holding = {rate.card_id for rate in current}
    states = {rate.card_id: CardState.IN_FORCE if rate.card_id in holding
              else CardState.COMING if rate.valid_from > today else CardState.REPLACED for rate in rates}
    return Overview(currency=currency, today=today, rows=by_market(current), states=states,
                    next_change=min((rate.valid_from for rate in rates if rate.valid_from > today), default=None),
                    is_sample=any(rate.is_sample for rate in current))


def by_market(rates: Sequence[DatedRate]) -> list[MarketRates]:
    """Countries by their letters, then groups of them, all others last."""
    found: dict[str, dict[Category, list[DatedRate]]] = {}
    for rate in sorted(rates, key=lambda rate: (rate.market == OTHER, rate.market in GROUPS, rate.market,
                                                rate.tier_from)):
        found.setdefault(rate.market, {}).setdefault(rate.category, []).append(rate)
    return [MarketRates(market, kinds) for market, kinds in found.items()]
