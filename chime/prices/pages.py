"""The settings page of prices: what holds today, the cards, a file or one rate to enter, how each account pays.
Works without a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts, channels
from chime.errors import ChimeError, Invalid, NotFound
from chime.prices import actions, overview, queries, table
from chime.prices.actions import NewCard
from chime.prices.markets import MARKETS, market_named
from chime.prices.model import CURRENCIES, Account, CardKind, Category, Rate
from chime.security.permissions import Permission
from chime.web.forms import form_fields, uploaded_file
from chime.web.here import Here

EDIT = {"permission": Permission.WORKSPACE_EDIT}
SMALL = {"small": True}
_PAGE = "/w/{slug:str}/settings/prices"
_ONE = _PAGE + "/{card_id:str}"
_MOST_TOLD = 20


@get(_PAGE, opt=EDIT)
async def list_cards(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, status: int = 200, wrong: str = "", error: ChimeError | None = None,
                typed: Mapping[str, str] | None = None) -> Response[bytes]:
    """`wrong` names the form that was refused, with what was typed into it."""
    cards = await queries.cards(here.db)
    paying = await accounts_of(here)
    found = [await _overview(here, currency, paying) for currency in await queries.currencies(here.db)]
    told = [(problem.field, here.words(problem.message)) for problem in error.errors] if isinstance(
        error, Invalid) else [("", here.words(error.said))] if error else []
    known = ("table", "currency", "valid_from", "market", "category", "price", "time_zone", "free_service")
    return here.page(
        "prices/index.html", status=status, cards=cards, accounts=paying, overviews=found,
        states={card_id: state for one in found for card_id, state in one.states.items()},
        wrong=wrong, errors={field: words for field, words in told if field in known or not field},
        lines=[one for one in told if one[0] and one[0] not in known][:_MOST_TOLD],
        typed=dict(typed or {}), currencies=CURRENCIES, markets=MARKETS, categories=tuple(Category),
        zones=accounts.time_zones(), said=here.request.query_params.get("said", ""))


async def accounts_of(here: Here) -> list[tuple[Account, str]]:
    """How each WhatsApp Business account pays, with the names of its numbers."""
    numbers = await channels.channels(here.db)
    return [(await queries.account(here.db, waba_id, zone_name=here.record.time_zone),
             ", ".join(number.display_phone for number in numbers if number.waba_id == waba_id))
            for waba_id in dict.fromkeys(number.waba_id for number in numbers)]


async def _overview(here: Here, currency: str, paying: list[tuple[Account, str]]) -> overview.Overview:
    zone_name = next((account.time_zone for account, _ in paying if account.currency == currency),
                     here.record.time_zone)
    return overview.overview(currency, await queries.rates(here.db, currency), zone_name, here.now)


@get(_ONE, opt=EDIT)
async def show_card(here: Here, card_id: str) -> Response[bytes]:
    found = await queries.card(here.db, card_id)
    if found is None:
        raise NotFound("There is no such rate card.")
    return here.page("prices/card.html", card=found,
                     rows=overview.by_market(await queries.rates_of(here.db, card_id)))


@post(_PAGE + "/files", opt=EDIT, status_code=303, request_max_body_size=table.LARGEST + 64 * 1024)
async def create_card(here: Here) -> Response[Any]:
    """A file as Meta publishes it; all of it, or nothing when a line does not fit."""
    fields = await form_fields(here.request)
    try:
        upload = await uploaded_file(here.request, "table")
        currency, rates = table.read(await upload.read(table.LARGEST + 1), currency=fields.get("currency", ""))
        await _create(here, NewCard(currency=currency, valid_from=fields.get("valid_from", ""), rates=rates,
                                    name=upload.name))
    except ChimeError as error:
        return await _refused(here, "file", error, fields)
    return _back(here, "created")


@post(_PAGE + "/rates", opt=EDIT | SMALL, status_code=303)
async def create_rate(here: Here) -> Response[Any]:
    """One price, typed by hand."""
    fields = await form_fields(here.request)
    try:
        await _create(here, NewCard(currency=fields.get("currency", ""), valid_from=fields.get("valid_from", ""),
                                    rates=[_typed_rate(fields)], kind=CardKind.HAND))
    except ChimeError as error:
        return await _refused(here, "rate", error, fields)
    return _back(here, "created")


def _typed_rate(fields: Mapping[str, str]) -> Rate:
    problems = []
    market, price = market_named(fields.get("market", "")), table.micros(fields.get("price", ""))
    if market is None:
        problems.append(("market", "This is no country and no group of countries that Meta names."))
    if price is None:
        problems.append(("price", "This is no price: write it like 0.0250, with at most six decimals."))
    if fields.get("category") not in set(Category):
        problems.append(("category", "One of marketing, utility, authentication, authentication-international, "
                         "service."))
    if problems or market is None or price is None:
        raise Invalid(problems)
    return Rate(market=market, category=Category(fields["category"]), price_micros=price)


async def _create(here: Here, new: NewCard) -> None:
    async with here.workspace.write(here.actor) as tx:
        await actions.create(tx, new)


async def _refused(here: Here, form: str, error: ChimeError, fields: Mapping[str, str]) -> Response[bytes]:
    if error.status not in (409, 422):
        raise error
    return await _page(here, status=error.status, wrong=form, error=error, typed=fields)


@post(_ONE + "/removal", opt=EDIT | SMALL, status_code=303)
async def create_card_removal(here: Here, card_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await actions.delete(tx, card_id)
    return _back(here, "deleted")


@post(_PAGE + "/accounts", opt=EDIT | SMALL, status_code=303)
async def create_account(here: Here) -> Response[Any]:
    """How a WhatsApp Business account pays."""
    fields = await form_fields(here.request)
    waba_id = fields.get("waba_id", "")
    try:
        await save_account(here, Account(waba_id=waba_id, currency=fields.get("currency", ""),
                                         time_zone=fields.get("time_zone", ""), free_service=_number(fields)))
    except Invalid as error:
        return await _refused(here, waba_id, error, fields)
    return _back(here, "account")


def _number(fields: Mapping[str, str]) -> int | None:
    text = fields.get("free_service", "").strip()
    return (int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else -1) if text else None


async def save_account(here: Here, account: Account) -> None:
    """Raises NotFound, Invalid."""
    known = {number.waba_id for number in await channels.channels(here.db)}
    async with here.workspace.write(here.actor) as tx:
        await actions.save_account(tx, account, waba_ids=known, zones=accounts.time_zones())


def _back(here: Here, said: str) -> Response[Any]:
    return Redirect(f"{here.base}/settings/prices?said={said}", status_code=303)


ROUTES = [list_cards, show_card, create_card, create_rate, create_card_removal, create_account]
