"""Rate cards and how accounts pay, for scripts. A card is sent as a table in CSV, or price by price."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import delete, get, post, put

from chime.clock import rfc3339
from chime.errors import Invalid, NotFound
from chime.prices import actions, pages, queries, table
from chime.prices.actions import NewCard
from chime.prices.model import Account, Card, CardKind, Category, DatedRate, Rate
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_ALL = "/api/v1/rate-cards"
_ONE = _ALL + "/{card_id:str}"
_ACCOUNTS = "/api/v1/paying-accounts"
Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", extra_json_schema={"format": "date"})]
Kinds = Literal["marketing", "utility", "authentication", "authentication_international", "service"]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class RateAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price for one message in millionths of the currency's unit. `market` is the two letters of a country or a
    group of countries; a tier is for the messages of a month from one count to another, null for no end."""

    market: Annotated[str, msgspec.Meta(max_length=60)]
    category: Kinds
    price_micros: Annotated[int, msgspec.Meta(ge=0, le=table.LARGEST_PRICE)]
    tier_from: Count = 0
    tier_to: Count | None = None

    @classmethod
    def of(cls, rate: DatedRate) -> RateAnswer:
        return cls(market=rate.market, category=rate.category.value, price_micros=rate.price_micros,
                   tier_from=rate.tier_from, tier_to=rate.tier_to)


class CardAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A rate card. It holds from a day on, at midnight of the account that pays, and until a newer one of its currency
    says something else."""

    id: str
    currency: str
    valid_from: Day
    kind: Literal["file", "hand"]
    name: str
    is_sample: bool
    rates_count: int
    created_at: Moment

    @classmethod
    def of(cls, card: Card) -> CardAnswer:
        return cls(id=card.id, currency=card.currency, valid_from=card.valid_from, kind=card.kind.value,
                   name=card.name, is_sample=card.is_sample, rates_count=card.rates_count,
                   created_at=rfc3339(card.created_at))


class WholeCardAnswer(CardAnswer, frozen=True, kw_only=True):
    """A rate card with everything on it."""

    rates: tuple[RateAnswer, ...]


class CreateRateCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either `rates` with their `currency`, or `table`: the text of a CSV file as Meta publishes it."""

    valid_from: Day
    currency: str = ""
    rates: tuple[RateAnswer, ...] = ()
    table: str = ""
    name: Annotated[str, msgspec.Meta(max_length=80)] = ""


class AccountAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a WhatsApp Business account pays. `currency` is empty while nobody said it and no card tells it;
    `free_service` is how many answers each of its numbers has free in a month, null when nobody said."""

    waba_id: str
    currency: str
    time_zone: str
    free_service: int | None

    @classmethod
    def of(cls, account: Account) -> AccountAnswer:
        return cls(waba_id=account.waba_id, currency=account.currency, time_zone=account.time_zone,
                   free_service=account.free_service)


class UpdateAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it is set anew."""

    currency: str
    time_zone: str
    free_service: int | None = None


_RATE: dict[str, object] = {"market": "IN", "category": "marketing", "price_micros": 863_100, "tier_from": 0,
                            "tier_to": None}
_CARD: dict[str, object] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0e", "currency": "INR", "valid_from": "2026-10-01", "kind": "hand", "name": "",
    "is_sample": False, "rates_count": 1, "created_at": "2026-11-21T09:30:00.000Z"}
_PAYS: dict[str, object] = {"waba_id": "377001122334455", "currency": "INR", "time_zone": "Asia/Kolkata",
                            "free_service": 1000}


@get(_ALL, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="prices", summary="List rate cards", answer=Page[CardAnswer], parameters=PAGED,
    description="In the order in which they were entered.",
    response_example={"items": [_CARD], "next_cursor": None})))
async def list_card_answers(here: Here) -> Page[CardAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await queries.cards_page(here.db, after=after[1] if after else "", limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (0, row.id), told=CardAnswer.of)


@get(_ONE, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="prices", summary="Read a rate card", answer=WholeCardAnswer, response_example=_CARD | {"rates": [_RATE]})))
async def show_card_answer(here: Here, card_id: str) -> WholeCardAnswer:
    return await _whole(here, card_id)


async def _whole(here: Here, card_id: str) -> WholeCardAnswer:
    found = await queries.card(here.db, card_id)
    if found is None:
        raise NotFound("There is no such rate card.")
    rates = tuple(RateAnswer.of(rate) for rate in await queries.rates_of(here.db, card_id))
    return WholeCardAnswer(**msgspec.structs.asdict(CardAnswer.of(found)), rates=rates)


@post(_ALL, status_code=201, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="prices", summary="Enter a rate card", status=201, body=CreateRateCard, answer=WholeCardAnswer,
    description="What it does not name stays as an earlier card of its currency has it. Of a table with a line that "
                "does not fit nothing is kept.",
    refusals={409: "There are too many rate cards."},
    request_example={"valid_from": "2026-10-01", "currency": "INR", "rates": [_RATE]},
    response_example=_CARD | {"rates": [_RATE]})))
@once
async def create_card_answer(here: Here) -> WholeCardAnswer:
    body = await json_body(here.request, CreateRateCard)
    if bool(body.table) is bool(body.rates):
        raise Invalid.field("rates", "Give either rates or a table.")
    currency, kind = body.currency, CardKind.HAND
    rates = [Rate(market=rate.market, category=Category(rate.category), price_micros=rate.price_micros,
                  tier_from=rate.tier_from, tier_to=rate.tier_to) for rate in body.rates]
    if body.table:
        kind = CardKind.FILE
        currency, rates = table.read(body.table.encode(), currency=currency)
    async with here.workspace.write(here.actor) as tx:
        card_id = await actions.create(tx, NewCard(currency=currency, valid_from=body.valid_from, rates=rates,
                                                   kind=kind, name=body.name))
    return await _whole(here, card_id)


@delete(_ONE, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="prices", summary="Delete a rate card", status=204,
    description="What an earlier card says holds again."), small=True))
async def delete_card_answer(here: Here, card_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await actions.delete(tx, card_id)


@get(_ACCOUNTS, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="prices", summary="List how accounts pay", answer=Page[AccountAnswer], description="All of them at once.",
    response_example={"items": [_PAYS], "next_cursor": None})))
async def list_account_answers(here: Here) -> Page[AccountAnswer]:
    return Page(tuple(AccountAnswer.of(account) for account, _ in await pages.accounts_of(here)), None)


@put(_ACCOUNTS + "/{waba_id:str}", opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="prices", summary="Say how an account pays", body=UpdateAccount, answer=AccountAnswer,
    description="Its currency, its time zone, at whose midnight a card begins to hold, and its free answers.",
    request_example={name: _PAYS[name] for name in ("currency", "time_zone", "free_service")},
    response_example=_PAYS), small=True))
async def update_account_answer(here: Here, waba_id: str) -> AccountAnswer:
    body = await json_body(here.request, UpdateAccount)
    await pages.save_account(here, Account(waba_id=waba_id, currency=body.currency, time_zone=body.time_zone,
                                           free_service=body.free_service))
    return AccountAnswer.of(await queries.account(here.db, waba_id, zone_name=here.record.time_zone))


ROUTES = [list_card_answers, show_card_answer, create_card_answer, delete_card_answer, list_account_answers,
          update_account_answer]
