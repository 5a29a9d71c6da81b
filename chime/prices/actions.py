"""What can be done with rate cards and with how accounts pay."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from chime.errors import Conflict, Invalid, NotFound
from chime.prices import queries
from chime.prices.markets import GROUPS, market_named
from chime.prices.model import CURRENCIES, Account, CardKind, Rate, is_day
from chime.prices.table import LARGEST_PRICE, MOST_RATES
from chime.workspaces import Transaction

MOST_CARDS = 200
MOST_FREE = 1_000_000


class NewCard(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to enter. `valid_from` is a day like 2026-10-01."""

    currency: str
    valid_from: str
    rates: Sequence[Rate]
    kind: CardKind = CardKind.FILE
    name: str = ""
    is_sample: bool = False


async def create(tx: Transaction, new: NewCard) -> str:
    """Its id. Raises Invalid, Conflict."""
    problems = [] if is_day(new.valid_from) else [("valid_from", "Choose the day from which it holds.")]
    if new.currency not in CURRENCIES:
        problems.append(("currency", "Meta bills in no such currency."))
    problems += _wrong_rates(new.rates)
    if problems:
        raise Invalid(problems)
    if await tx.value("SELECT count(*) FROM rate_card") >= MOST_CARDS:
        raise Conflict("A workspace has at most 200 rate cards. Delete old ones.")
    card_id = tx.new_id()
    await tx.execute(
        "INSERT INTO rate_card (id, currency, valid_from, kind, name, is_sample, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)", card_id, new.currency, new.valid_from, new.kind.value,
        " ".join(new.name.split())[:80], int(new.is_sample), tx.now)
    for rate in new.rates:
        await tx.execute("INSERT INTO rate (card_id, market, category, tier_from, tier_to, price_micros) "
                         "VALUES (?, ?, ?, ?, ?, ?)", card_id, rate.market, rate.category.value, rate.tier_from,
                         rate.tier_to, rate.price_micros)
    await tx.audit("rate_card.created", "rate_card", card_id, currency=new.currency, valid_from=new.valid_from,
                   kind=new.kind.value, rates=len(new.rates))
    return card_id


def _wrong_rates(rates: Sequence[Rate]) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    if not 1 <= len(rates) <= MOST_RATES:
        problems.append(("rates", "A rate card has 1 to 3,000 prices."))
    seen = set()
    for rate in rates:
        place = rate.market, rate.category, rate.tier_from
        if rate.market not in GROUPS and market_named(rate.market) != rate.market:
            problems.append(("market", "This is no country and no group of countries that Meta names."))
        if not 0 <= rate.price_micros <= LARGEST_PRICE:
            problems.append(("price", "This is no price: write it like 0.0250, with at most six decimals."))
        if rate.tier_from < 0 or (rate.tier_to is not None and rate.tier_to <= rate.tier_from):
            problems.append(("tier", "This tier ends before it begins."))
        if place in seen:
            problems.append(("market", "There is a price for this market and category already."))
        seen.add(place)
    return problems[:50]


async def delete(tx: Transaction, card_id: str) -> None:
    """What an earlier card says holds again. Raises NotFound."""
    known = await queries.card(tx, card_id)
    if known is None:
        raise NotFound("There is no such rate card.")
    await tx.execute("DELETE FROM rate_card WHERE id = ?", card_id)
    await tx.audit("rate_card.deleted", "rate_card", card_id, currency=known.currency, valid_from=known.valid_from,
                   rates=known.rates_count)


async def save_account(tx: Transaction, account: Account, *, waba_ids: Collection[str], zones: Collection[str]
                       ) -> None:
    """How a WhatsApp Business account pays. Raises NotFound, Invalid."""
    if account.waba_id not in waba_ids:
        raise NotFound("There is no such account.")
    problems = []
    if account.currency not in CURRENCIES:
        problems.append(("currency", "Meta bills in no such currency."))
    if account.time_zone not in zones:
        problems.append(("time_zone", "Choose a time zone from the list."))
    if account.free_service is not None and not 0 <= account.free_service <= MOST_FREE:
        problems.append(("free_service", "Write a number from 0 to 1,000,000, or nothing."))
    if problems:
        raise Invalid(problems)
    await tx.execute(
        "INSERT INTO paying_account (waba_id, currency, time_zone, free_service, updated_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (waba_id) DO UPDATE SET currency = excluded.currency, time_zone = excluded.time_zone, "
        "free_service = excluded.free_service, updated_at = excluded.updated_at", account.waba_id, account.currency,
        account.time_zone, account.free_service, tx.now)
    await tx.audit("paying_account.edited", "paying_account", account.waba_id, currency=account.currency,
                   time_zone=account.time_zone, free_service=account.free_service)
