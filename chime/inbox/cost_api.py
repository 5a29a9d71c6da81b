"""What a message would cost, for scripts."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import get, post

from chime import channels
from chime.clock import DAY, from_rfc3339
from chime.errors import Invalid
from chime.inbox import cost_pages, thread
from chime.prices import Amount, Category, Free, Price, Unknown
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import query_of
from chime.web.reference import Operation, Parameter, api

# Further away a calendar may have no day for it.
_LAST = 130 * 365 * DAY
_TEMPLATE = ("template_name", "template_language")
_QUERY = (
    Parameter(name="template_name", meaning="The template to send; a free-form message when not given"),
    Parameter(name="template_language", meaning="Its language, like en_US"),
    Parameter(name="at", meaning="When it shall leave; now when not given", limits={
        "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}),
)


class PriceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` free: `reason` is window or ad. `kind` amount: at most `up_to_micros` millionths of the currency's unit,
    without tax, by the rate card `card_id`; `market` is the letters of a country or a group of countries, null when the
    key may not know it. `kind` unknown: `reason` is no_number, no_card, no_currency, no_rate or no_category."""

    kind: Literal["free", "amount", "unknown"]
    reason: str | None = None
    up_to_micros: int | None = None
    currency: str | None = None
    category: str | None = None
    market: str | None = None
    card_id: str | None = None
    is_sample: bool = False

    @classmethod
    def of(cls, price: Price) -> PriceAnswer:
        match price:
            case Amount():
                return cls(kind="amount", up_to_micros=price.up_to_micros, currency=price.currency,
                           category=price.category, market=price.market or None, card_id=price.card_id,
                           is_sample=price.is_sample)
            case Free():
                return cls(kind="free", reason=price.reason)
            case Unknown():
                return cls(kind="unknown", reason=price.reason)


class AskPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template to a number, from one of yours. `at` is when it shall leave; now when not given."""

    phone: str
    channel_id: str
    template_name: str
    template_language: str
    at: str | None = None


_EXAMPLE: dict[str, object] = {
    "kind": "amount", "reason": None, "up_to_micros": 863_100, "currency": "INR", "category": "marketing",
    "market": "IN", "card_id": "01kafx2v9m3q8r5t7w1y4z6b0e", "is_sample": False}
_ASKED: dict[str, object] = {"phone": "+919812345678", "channel_id": "01kafx2v9m3q8r5t7w1y4z6b0c",
                             "template_name": "order_update", "template_language": "en_US"}


def _moment(text: str) -> int | None:
    """Raises Invalid, also for what is no moment of these times."""
    try:
        at = from_rfc3339(text) if text else None
    except (ValueError, OverflowError) as error:
        raise Invalid.field("at", "Give a moment as in 2026-11-22T09:00:00Z.") from error
    if at is not None and not 0 <= at < _LAST:
        raise Invalid.field("at", "Give a moment as in 2026-11-22T09:00:00Z.")
    return at


@get("/api/v1/conversations/{conversation_id:str}/price", opt=api(Permission.INBOX_REPLY, Operation(
    tag="prices", summary="Ask what a message would cost", answer=PriceAnswer, parameters=_QUERY,
    description="By the rate cards of the workspace; nothing is guessed.", response_example=_EXAMPLE)))
async def show_price_answer(here: Here, conversation_id: str) -> PriceAnswer:
    query = query_of(here.request, *_TEMPLATE, "at")
    at = _moment(query.get("at", ""))
    found = await cost_pages.of_conversation(here, conversation_id)
    if not query.get("template_name"):
        return PriceAnswer.of(found.of(Category.SERVICE, at))
    conversation = await thread.conversation_or_404(here, conversation_id)
    category = await cost_pages.category_of(here, conversation.channel_id, query["template_name"],
                                            query.get("template_language", ""))
    return PriceAnswer.of(found.of(category, at))


@post("/api/v1/prices", opt=api(Permission.INBOX_START, Operation(
    tag="prices", summary="Ask what a template to a number would cost", body=AskPrice, answer=PriceAnswer,
    description="Nothing is sent or kept.", refusals={404: "There is no such template of this number."},
    request_example=_ASKED, response_example=_EXAMPLE), small=True), status_code=200)
@once
async def create_price_answer(here: Here) -> PriceAnswer:
    body = await json_body(here.request, AskPrice)
    if await channels.channel(here.db, body.channel_id) is None:
        raise Invalid.field("channel_id", "Choose one of your numbers.")
    category = await cost_pages.category_of(here, body.channel_id, body.template_name, body.template_language)
    found = await cost_pages.of_new(here, body.channel_id, body.phone, category, _moment(body.at or ""))
    if found is None:
        raise Invalid.field("phone", "Write the number with + and the country code, as in +14155550123.")
    return PriceAnswer.of(found)


ROUTES = [show_price_answer, create_price_answer]
