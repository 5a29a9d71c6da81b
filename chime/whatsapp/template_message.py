"""A message made from an approved template: its name, its language, a value for each gap.

The template itself lives at Meta, so only the shape is checked here; whether the values fit its gaps, the feature
`message_templates` knows. Shapes: whatsapp-templates-billing.md section 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from msgspec import Meta

from chime.whatsapp.interactive import OneProduct, ProductSection
from chime.whatsapp.message_kinds import Address, Answer, File, Identifier, Kind, NamedFile, Place, web_address_problem
from chime.whatsapp.shape import Ruled

Value = Annotated[str, Meta(min_length=1, max_length=1024)]
Fallback = Annotated[str, Meta(min_length=1, max_length=200)]


class Language(Ruled, frozen=True, kw_only=True):
    """One of Meta's codes, such as `en_US`, `hi` or `fil`."""

    code: Annotated[str, Meta(pattern=r"^[a-z]{2,3}(_[A-Za-z0-9]{2,5})?$")]
    policy: Literal["deterministic"] | None = None


class Parameter(Kind, frozen=True, kw_only=True):
    """One value. `parameter_name` in templates with named gaps, where order means nothing."""

    parameter_name: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,100}$")] | None = None


class TextParameter(Parameter, frozen=True, kw_only=True, tag="text"):
    """Words for a gap. Meta refuses line breaks, tabs and wide spaces inside (132018)."""

    text: Value

    def rules(self) -> Iterable[tuple[str, str]]:
        if any(mark in self.text for mark in ("\n", "\r", "\t")):
            yield "text", "must not contain line breaks or tabs"
        if "     " in self.text:
            yield "text", "must not contain more than four spaces in a row"


class Money(Ruled, frozen=True, kw_only=True):
    """An amount in thousandths."""

    fallback_value: Fallback
    code: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
    amount_1000: int


class MoneyParameter(Parameter, frozen=True, kw_only=True, tag="currency"):
    """An amount; what is shown is mostly its `fallback_value`."""

    currency: Money


class Moment(Ruled, frozen=True, kw_only=True):
    """A date as words."""

    fallback_value: Fallback


class MomentParameter(Parameter, frozen=True, kw_only=True, tag="date_time"):
    """A date."""

    date_time: Moment


class ImageParameter(Parameter, frozen=True, kw_only=True, tag="image"):
    """The header's picture."""

    image: File


class VideoParameter(Parameter, frozen=True, kw_only=True, tag="video"):
    """The header's film."""

    video: File


class DocumentParameter(Parameter, frozen=True, kw_only=True, tag="document"):
    """The header's file."""

    document: NamedFile


class LocationParameter(Parameter, frozen=True, kw_only=True, tag="location"):
    """The header's place."""

    location: Place


class ProductParameter(Parameter, frozen=True, kw_only=True, tag="product"):
    """The header's product."""

    product: OneProduct


class PayloadParameter(Kind, frozen=True, kw_only=True, tag="payload"):
    """What a quick reply sends back; without it, its label."""

    payload: Annotated[str, Meta(min_length=1, max_length=256)]


class CouponParameter(Kind, frozen=True, kw_only=True, tag="coupon_code"):
    """The code a button copies."""

    coupon_code: Annotated[str, Meta(min_length=1, max_length=15)]


class ButtonAction(Ruled, frozen=True, kw_only=True):
    """What a flow, catalog, product list or payment button needs; `order_details` is checked where orders are made."""

    flow_token: Identifier | None = None
    flow_action_data: dict[str, Any] | None = None
    thumbnail_product_retailer_id: Identifier | None = None
    sections: Annotated[tuple[ProductSection, ...], Meta(max_length=10)] = ()
    order_details: dict[str, Any] | None = None


class ActionParameter(Kind, frozen=True, kw_only=True, tag="action"):
    """A button's action."""

    action: ButtonAction


class LifetimeParameter(Kind, frozen=True, kw_only=True, tag="ttl_minutes"):
    """How long a call button works."""

    ttl_minutes: Annotated[int, Meta(ge=1, le=43_200)]


class OfferEnd(Ruled, frozen=True, kw_only=True):
    """When the offer ends, in milliseconds."""

    expiration_time_ms: Annotated[int, Meta(ge=1_000_000_000_000, le=9_999_999_999_999)]


class OfferParameter(Kind, frozen=True, kw_only=True, tag="limited_time_offer"):
    """The end of a limited-time offer."""

    limited_time_offer: OfferEnd


class OrderStatusParameter(Kind, frozen=True, kw_only=True, tag="order_status"):
    """Where an order stands; checked where orders are made."""

    order_status: dict[str, Any]


class TapTarget(Ruled, frozen=True, kw_only=True):
    """A link behind the header's picture."""

    url: Address
    title: Annotated[str, Meta(min_length=1, max_length=200)]

    def rules(self) -> Iterable[tuple[str, str]]:
        problem = web_address_problem(self.url)
        if problem:
            yield "url", problem


class TapTargetParameter(Kind, frozen=True, kw_only=True, tag="tap_target_configuration"):
    """The header's link."""

    tap_target_configuration: Annotated[tuple[TapTarget, ...], Meta(min_length=1)]


Shown = (TextParameter | MoneyParameter | MomentParameter | ImageParameter | VideoParameter | DocumentParameter
         | LocationParameter | ProductParameter)
Tapped = TextParameter | PayloadParameter | CouponParameter | ActionParameter | LifetimeParameter


class HeaderValues(Kind, frozen=True, kw_only=True, tag="header"):
    """The header's value: a file, a place, a product or the one text gap it may have."""

    parameters: Annotated[tuple[Shown, ...], Meta(max_length=1)] = ()


class BodyValues(Kind, frozen=True, kw_only=True, tag="body"):
    """The body's values, in order or by name."""

    parameters: tuple[TextParameter | MoneyParameter | MomentParameter, ...] = ()

    def rules(self) -> Iterable[tuple[str, str]]:
        names = [parameter.parameter_name for parameter in self.parameters]
        for at, name in enumerate(names):
            if (name is None) != (names[0] is None):
                yield f"parameters.{at}.parameter_name", "must be given for every value or for none"
            elif name is not None and name in names[:at]:
                yield f"parameters.{at}.parameter_name", "is used by another value"


class ButtonValues(Kind, frozen=True, kw_only=True, tag="button"):
    """One button's value. `index` is its place among the template's buttons, from 0."""

    sub_type: Literal["quick_reply", "url", "copy_code", "catalog", "mpm", "flow", "order_details", "voice_call"]
    index: str | int
    parameters: Annotated[tuple[Tapped, ...], Meta(max_length=1)] = ()

    def rules(self) -> Iterable[tuple[str, str]]:
        if str(self.index) not in map(str, range(10)):
            yield "index", "must be the button's place, from 0 to 9"


class OfferValues(Kind, frozen=True, kw_only=True, tag="limited_time_offer"):
    """The end of a limited-time offer."""

    parameters: Annotated[tuple[OfferParameter, ...], Meta(min_length=1, max_length=1)]


class OrderStatusValues(Kind, frozen=True, kw_only=True, tag="order_status"):
    """Where an order stands."""

    parameters: Annotated[tuple[OrderStatusParameter, ...], Meta(min_length=1, max_length=1)]


class TapTargetValues(Kind, frozen=True, kw_only=True, tag="tap_target_configuration"):
    """A link behind the header's picture."""

    parameters: Annotated[tuple[TapTargetParameter, ...], Meta(min_length=1, max_length=1)]


class CardValues(Ruled, frozen=True, kw_only=True):
    """The values of one card of a carousel."""

    card_index: Annotated[int, Meta(ge=0, le=9)]
    components: Annotated[tuple[HeaderValues | BodyValues | ButtonValues, ...], Meta(min_length=1)]


class CarouselValues(Kind, frozen=True, kw_only=True, tag="carousel"):
    """A carousel's cards; how many, the template has fixed."""

    cards: Annotated[tuple[CardValues, ...], Meta(min_length=1, max_length=10)]

    def rules(self) -> Iterable[tuple[str, str]]:
        for at, card in enumerate(self.cards):
            if card.card_index != at:
                yield f"cards.{at}.card_index", f"must be {at}: cards are numbered in their order"


Component = (HeaderValues | BodyValues | ButtonValues | OfferValues | OrderStatusValues | TapTargetValues
             | CarouselValues)


class Template(Ruled, frozen=True, kw_only=True):
    """Which template, in which language, with which values. A component without gaps is left out."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,512}$")]
    language: Language
    components: tuple[Component, ...] = ()

    def rules(self) -> Iterable[tuple[str, str]]:
        seen: set[tuple[str, str]] = set()
        for at, component in enumerate(self.components):
            place = str(component.index) if isinstance(component, ButtonValues) else ""
            if (component.type, place) in seen:
                field = ".index" if place else ".type"
                yield f"components.{at}{field}", "has its values in an earlier component"
            seen.add((component.type, place))


class TemplateMessage(Answer, frozen=True, kw_only=True, tag="template"):
    """A template: the only kind that may be sent outside the reply window."""

    template: Template
