"""Reading rate cards, how accounts pay, and what the prices for one recipient are made of."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chime.db import Db
from chime.phone import Phone
from chime.prices.markets import chains, home_of
from chime.prices.model import Account, Card, DatedRate, Terms, zone

_CARD = ("SELECT id, currency, valid_from, kind, name, is_sample, created_at, "
         "(SELECT count(*) FROM rate WHERE card_id = rate_card.id) AS rates_count FROM rate_card")
_RATE = ("SELECT rate.market, rate.category, rate.price_micros, rate.tier_from, rate.tier_to, rate.card_id, "
         "rate_card.valid_from, rate_card.created_at, rate_card.is_sample FROM rate "
         "JOIN rate_card ON rate_card.id = rate.card_id")


async def cards(db: Db) -> list[Card]:
    """All, the one that came into force last on top."""
    return await db.all(Card, f"{_CARD} ORDER BY valid_from DESC, created_at DESC, id DESC LIMIT 500")


async def cards_page(db: Db, *, after: str, limit: int) -> list[Card]:
    """In the order in which they were entered, after the one of this id."""
    return await db.all(Card, f"{_CARD} WHERE id > ? ORDER BY id LIMIT ?", after, limit)


async def card(db: Db, card_id: str) -> Card | None:
    return await db.one(Card, f"{_CARD} WHERE id = ?", card_id)


async def rates_of(db: Db, card_id: str) -> list[DatedRate]:
    """Everything on a card, by market."""
    return await db.all(DatedRate, f"{_RATE} WHERE rate.card_id = ? ORDER BY rate.market, rate.category, "
                        "rate.tier_from", card_id)


async def rates(db: Db, currency: str, *, markets: Sequence[str] | None = None) -> list[DatedRate]:
    """Every rate of a currency, also those that do not hold yet or any more; of some markets only."""
    if markets is None:
        return await db.all(DatedRate, f"{_RATE} WHERE rate_card.currency = ? ORDER BY rate.market, rate.category, "
                            "rate.tier_from", currency)
    return await db.all(DatedRate, f"{_RATE} WHERE rate.market IN (SELECT value FROM json_each(?)) "
                        "AND rate_card.currency = ?", msgspec.json.encode(list(markets)).decode(), currency)


async def currencies(db: Db) -> list[str]:
    """Those that there are cards in."""
    return [row[0] for row in await db.rows("SELECT DISTINCT currency FROM rate_card ORDER BY currency LIMIT 40")]


async def account(db: Db, waba_id: str, *, zone_name: str) -> Account:
    """How one pays. Of which nobody said it: by the currency of all cards, if they have one, in this time zone."""
    return await _account(db, waba_id, zone_name, await currencies(db))


async def _account(db: Db, waba_id: str, zone_name: str, known: Sequence[str]) -> Account:
    found = await db.one(Account, "SELECT waba_id, currency, time_zone, free_service FROM paying_account "
                         "WHERE waba_id = ?", waba_id)
    return found or Account(waba_id=waba_id, currency=known[0] if len(known) == 1 else "", time_zone=zone_name)


async def terms(db: Db, waba_id: str, phone: Phone | None, *, zone_name: str, home: str = "",
                is_shown: bool | None = None) -> Terms:
    """What prices for one recipient are made of, telling no more of their number than its reader may know: as the
    number itself says it, or `is_shown`. `home` are the digits of the number that sends, `zone_name` the workspace's
    time zone."""
    known = await currencies(db)
    paying = await _account(db, waba_id, zone_name, known)
    places = () if phone is None else chains(phone.digits, is_shown=phone.is_shown if is_shown is None else is_shown)
    found: list[DatedRate] = []
    if paying.currency and places:
        found = await rates(db, paying.currency, markets=[market for chain in places for market in chain])
    own = "".join(filter(str.isdigit, home))
    return Terms(account=paying, zone=zone(paying.time_zone), chains=places, rates=tuple(found),
                 has_cards=bool(known), home=home_of(own) if own else "")
