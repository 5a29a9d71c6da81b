"""The carousel: two to ten cards to leaf through, all of one kind with the same buttons.

A card shows a picture or a film with a link or with reply buttons, or a product of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta

from chime.whatsapp.interactive import Link, Plain, Reply
from chime.whatsapp.message_kinds import Address, Identifier, Kind, web_address_problem
from chime.whatsapp.shape import Ruled


class LinkedFile(Ruled, frozen=True, kw_only=True):
    """A card's file can only be given by its address: Meta takes no id here."""

    link: Address

    def rules(self) -> Iterable[tuple[str, str]]:
        problem = web_address_problem(self.link)
        if problem:
            yield "link", problem


class CardImage(Kind, frozen=True, kw_only=True, tag="image"):
    """A picture on a card."""

    image: LinkedFile


class CardVideo(Kind, frozen=True, kw_only=True, tag="video"):
    """A film on a card."""

    video: LinkedFile


class CardBody(Ruled, frozen=True, kw_only=True):
    """The words on a card: short, with at most two line breaks."""

    text: Annotated[str, Meta(min_length=1, max_length=160)]

    def rules(self) -> Iterable[tuple[str, str]]:
        if self.text.count("\n") > 2:
            yield "text", "may have at most 2 line breaks"


class QuickReply(Kind, frozen=True, kw_only=True, tag="quick_reply"):
    """A reply button on a card."""

    quick_reply: Reply


class CardAction(Ruled, frozen=True, kw_only=True):
    """Exactly one of: a link (`name` and `parameters`), reply buttons, a product of a catalog."""

    name: Literal["cta_url"] | None = None
    parameters: Link | None = None
    buttons: Annotated[tuple[QuickReply, ...], Meta(max_length=3)] = ()
    catalog_id: Identifier | None = None
    product_retailer_id: Identifier | None = None

    @property
    def kind(self) -> str:
        """Which of the three; two cards of one carousel must agree on it, and on the number of buttons."""
        if self.product_retailer_id is not None or self.catalog_id is not None:
            return "product"
        return f"{len(self.buttons)} reply buttons" if self.buttons else "link"

    def rules(self) -> Iterable[tuple[str, str]]:
        linked = self.name is not None or self.parameters is not None
        sold = self.product_retailer_id is not None or self.catalog_id is not None
        if linked + sold + bool(self.buttons) != 1:
            yield "", "needs exactly one of: a link, reply buttons, a product"
        if linked and self.name is None:
            yield "name", "is missing"
        if linked and self.parameters is None:
            yield "parameters", "is missing"
        if sold and self.catalog_id is None:
            yield "catalog_id", "is missing"
        if sold and self.product_retailer_id is None:
            yield "product_retailer_id", "is missing"


class CarouselCard(Ruled, frozen=True, kw_only=True):
    """One card. `type` names the kind of link and product cards; cards with reply buttons have none."""

    card_index: Annotated[int, Meta(ge=0, le=9)]
    action: CardAction
    type: Literal["cta_url", "product"] | None = None
    header: CardImage | CardVideo | None = None
    body: CardBody | None = None

    def rules(self) -> Iterable[tuple[str, str]]:
        kind = self.action.kind
        fitting = {"product": "product", "link": "cta_url"}.get(kind)
        if fitting is not None and self.type != fitting:
            yield "type", f"must be “{fitting}” on this card"
        if kind == "product" and self.header is not None:
            yield "header", "is not known on a product's card"
        if kind != "product" and self.header is None:
            yield "header", "is missing: a card needs a picture or a film"


class Cards(Ruled, frozen=True, kw_only=True):
    """The cards, numbered from 0 in their order."""

    cards: Annotated[tuple[CarouselCard, ...], Meta(min_length=2, max_length=10)]

    def rules(self) -> Iterable[tuple[str, str]]:
        for at, card in enumerate(self.cards):
            first = self.cards[0]
            if card.card_index != at:
                yield f"cards.{at}.card_index", f"must be {at}: cards are numbered in their order"
            if card.action.kind != first.action.kind:
                yield f"cards.{at}.action", "must be of the same kind, with as many buttons, as on the first card"
            if type(card.header) is not type(first.header):
                yield f"cards.{at}.header", "must be of the same kind as on the first card"
        replies = [(at, row, button.quick_reply.id) for at, card in enumerate(self.cards)
                   for row, button in enumerate(card.action.buttons)]
        seen: set[str] = set()
        for at, row, reply_id in replies:
            if reply_id in seen:
                yield f"cards.{at}.action.buttons.{row}.quick_reply.id", "is used by another button"
            seen.add(reply_id)


class CarouselInteractive(Plain, frozen=True, kw_only=True, tag="carousel"):
    """Cards to leaf through, below a body; no header, no footer."""

    action: Cards
