"""Messages with something to tap: buttons, lists, links, forms, products, carousels.

One Struct for each kind of Meta's `interactive` object; what a kind may not have (a footer on a carousel, a header on a
product) is simply no field of it. Limits: whatsapp-messaging.md section 5.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from chime.whatsapp.message_kinds import Address, File, Identifier, Kind, NamedFile, web_address_problem
from chime.whatsapp.shape import Ruled

Short = Annotated[str, Meta(min_length=1, max_length=20)]
Line = Annotated[str, Meta(min_length=1, max_length=60)]
SectionTitle = Annotated[str, Meta(min_length=1, max_length=24)]


class Body(Ruled, frozen=True, kw_only=True):
    """The words of the message."""

    text: Annotated[str, Meta(min_length=1, max_length=1024)]


class LongBody(Ruled, frozen=True, kw_only=True):
    """A list may say more than the other kinds."""

    text: Annotated[str, Meta(min_length=1, max_length=4096)]


class Footer(Ruled, frozen=True, kw_only=True):
    """Small print."""

    text: Line


class TextHeader(Kind, frozen=True, kw_only=True, tag="text"):
    """A bold line above the body."""

    text: Line


class ImageHeader(Kind, frozen=True, kw_only=True, tag="image"):
    """A picture above the body."""

    image: File


class VideoHeader(Kind, frozen=True, kw_only=True, tag="video"):
    """A film above the body."""

    video: File


class DocumentHeader(Kind, frozen=True, kw_only=True, tag="document"):
    """A file above the body."""

    document: NamedFile


Header = TextHeader | ImageHeader | VideoHeader | DocumentHeader


class Plain(Kind, frozen=True, kw_only=True):
    """What most kinds share: a body."""

    body: Body


class Footed(Plain, frozen=True, kw_only=True):
    """… and small print."""

    footer: Footer | None = None


class Headed(Footed, frozen=True, kw_only=True):
    """… and any header."""

    header: Header | None = None


def _repeats(values: Sequence[str | None], path: str, words: str) -> Iterable[tuple[str, str]]:
    """A problem for each value that stood before; `path` has a `{}` for the position."""
    for at, value in enumerate(values):
        if value is not None and value in values[:at]:
            yield path.format(at), words


class Reply(Ruled, frozen=True, kw_only=True):
    """What comes back when it is tapped."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    title: Short


class ReplyButton(Kind, frozen=True, kw_only=True, tag="reply"):
    """One button."""

    reply: Reply


class Buttons(Ruled, frozen=True, kw_only=True):
    """One to three buttons."""

    buttons: Annotated[tuple[ReplyButton, ...], Meta(min_length=1, max_length=3)]

    def rules(self) -> Iterable[tuple[str, str]]:
        replies = [button.reply for button in self.buttons]
        yield from _repeats([reply.id for reply in replies], "buttons.{}.reply.id", "is used by another button")
        yield from _repeats(
            [reply.title for reply in replies], "buttons.{}.reply.title", "is the same as another button's"
        )


class ButtonInteractive(Headed, frozen=True, kw_only=True, tag="button"):
    """Reply buttons."""

    action: Buttons


class Row(Ruled, frozen=True, kw_only=True):
    """One choice of a list."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    title: SectionTitle
    description: Annotated[str, Meta(max_length=72)] | None = None


class RowSection(Ruled, frozen=True, kw_only=True):
    """Choices under one title."""

    rows: Annotated[tuple[Row, ...], Meta(min_length=1)]
    title: SectionTitle | None = None


def _untitled(sections: Sequence[RowSection | ProductSection]) -> Iterable[tuple[str, str]]:
    if len(sections) > 1:
        for at, section in enumerate(sections):
            if section.title is None:
                yield f"sections.{at}.title", "is missing: with several sections each needs a title"


class Choices(Ruled, frozen=True, kw_only=True):
    """`button` opens the list; ten rows in all, however many sections."""

    button: Short
    sections: Annotated[tuple[RowSection, ...], Meta(min_length=1, max_length=10)]

    def rules(self) -> Iterable[tuple[str, str]]:
        yield from _untitled(self.sections)
        places = [(at, row, item) for at, section in enumerate(self.sections)
                  for row, item in enumerate(section.rows)]
        if len(places) > 10:
            yield "sections", f"may have at most 10 rows in all, not {len(places)}"
        seen: set[str] = set()
        for at, row, item in places:
            if item.id in seen:
                yield f"sections.{at}.rows.{row}.id", "is used by another row"
            seen.add(item.id)


class ListInteractive(Kind, frozen=True, kw_only=True, tag="list"):
    """A list to choose from. Its header can only be text."""

    body: LongBody
    action: Choices
    header: TextHeader | None = None
    footer: Footer | None = None


class Link(Ruled, frozen=True, kw_only=True):
    """The label and the address."""

    display_text: Short
    url: Address

    def rules(self) -> Iterable[tuple[str, str]]:
        problem = web_address_problem(self.url)
        if problem:
            yield "url", problem


class OpenLink(Ruled, frozen=True, kw_only=True, tag_field="name", tag="cta_url"):
    """Opens a page."""

    parameters: Link


class LinkInteractive(Headed, frozen=True, kw_only=True, tag="cta_url"):
    """One button that opens a page."""

    action: OpenLink


class SendLocation(Ruled, frozen=True, kw_only=True, tag_field="name", tag="send_location"):
    """Offers to send one's place."""


class LocationRequest(Plain, frozen=True, kw_only=True, tag="location_request_message"):
    """Asks for a place; the answer is a `location` message."""

    action: SendLocation


class ShareContact(Ruled, frozen=True, kw_only=True, tag_field="name", tag="request_contact_info"):
    """Offers to share one's number."""


class ContactRequest(Plain, frozen=True, kw_only=True, tag="request_contact_info"):
    """Asks somebody who is known by a user id only for the number; the answer is a `contacts` message."""

    action: ShareContact


class AddressForm(Ruled, frozen=True, kw_only=True):
    """`values` are filled in already; `validation_errors` say what was wrong the last time."""

    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
    values: dict[str, Any] | None = None
    saved_addresses: tuple[dict[str, Any], ...] = ()
    validation_errors: dict[str, str] | None = None


class AskAddress(Ruled, frozen=True, kw_only=True, tag_field="name", tag="address_message"):
    """Opens the form."""

    parameters: AddressForm


class AddressInteractive(Headed, frozen=True, kw_only=True, tag="address_message"):
    """Asks for a postal address; works in India only."""

    action: AskAddress


class OneProduct(Ruled, frozen=True, kw_only=True):
    """A product of a catalog."""

    catalog_id: Identifier
    product_retailer_id: Identifier


class ProductInteractive(Kind, frozen=True, kw_only=True, tag="product"):
    """One product; no header, and words only if there are any."""

    action: OneProduct
    body: Body | None = None
    footer: Footer | None = None


class ProductItem(Ruled, frozen=True, kw_only=True):
    """One product of a section."""

    product_retailer_id: Identifier


class ProductSection(Ruled, frozen=True, kw_only=True):
    """Products under one title."""

    product_items: Annotated[tuple[ProductItem, ...], Meta(min_length=1)]
    title: SectionTitle | None = None


class Products(Ruled, frozen=True, kw_only=True):
    """Up to thirty products in ten sections."""

    catalog_id: Identifier
    sections: Annotated[tuple[ProductSection, ...], Meta(min_length=1, max_length=10)]

    def rules(self) -> Iterable[tuple[str, str]]:
        yield from _untitled(self.sections)
        total = sum(len(section.product_items) for section in self.sections)
        if total > 30:
            yield "sections", f"may have at most 30 products in all, not {total}"


class ProductListInteractive(Footed, frozen=True, kw_only=True, tag="product_list"):
    """Several products; here the header is required and can only be text."""

    header: TextHeader
    action: Products


class CatalogCover(Ruled, frozen=True, kw_only=True):
    """The product whose picture stands for the catalog."""

    thumbnail_product_retailer_id: Identifier


class OpenCatalog(Ruled, frozen=True, kw_only=True, tag_field="name", tag="catalog_message"):
    """Opens the catalog."""

    parameters: CatalogCover | None = None


class CatalogInteractive(Footed, frozen=True, kw_only=True, tag="catalog_message"):
    """The whole catalog."""

    action: OpenCatalog


class FlowStart(Ruled, frozen=True, kw_only=True):
    """The first screen and what it knows; `data` may not be empty, so leave it out then."""

    screen: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    data: Annotated[dict[str, Any], Meta(min_length=1)] | None = None


class FlowParameters(Ruled, frozen=True, kw_only=True):
    """`flow_token` comes back with the answer; Meta uses "unused" when there is none."""

    flow_cta: Annotated[str, Meta(min_length=1, max_length=30)]
    flow_id: Identifier | None = None
    flow_name: Identifier | None = None
    flow_token: Identifier | None = None
    mode: Literal["draft", "published"] | None = None
    flow_action: Literal["navigate", "data_exchange"] | None = None
    flow_action_payload: FlowStart | None = None
    flow_message_version: Literal["3"]

    def rules(self) -> Iterable[tuple[str, str]]:
        if (self.flow_id is None) == (self.flow_name is None):
            both = self.flow_id is not None
            yield "flow_id", ("cannot be given together with flow_name" if both
                              else "is missing: give either flow_id or flow_name")
        if self.flow_action == "data_exchange" and self.flow_action_payload is not None:
            yield "flow_action_payload", "goes only with flow_action “navigate”"


class OpenFlow(Ruled, frozen=True, kw_only=True, tag_field="name", tag="flow"):
    """Opens a form."""

    parameters: FlowParameters


class FlowInteractive(Headed, frozen=True, kw_only=True, tag="flow"):
    """A form of WhatsApp Flows."""

    action: OpenFlow


class CallParameters(Ruled, frozen=True, kw_only=True):
    """The label, how long the button works and what the call's webhook shall carry."""

    display_text: Short | None = None
    ttl_minutes: Annotated[int, Meta(ge=1, le=43_200)] | None = None
    payload: Annotated[str, Meta(min_length=1, max_length=512)] | None = None


class CallUs(Ruled, frozen=True, kw_only=True, tag_field="name", tag="voice_call"):
    """Calls the business."""

    parameters: CallParameters | None = None


class CallInteractive(Plain, frozen=True, kw_only=True, tag="voice_call"):
    """A button that calls us over WhatsApp."""

    action: CallUs


class AskToCall(Ruled, frozen=True, kw_only=True, tag_field="name", tag="call_permission_request"):
    """Offers to allow calls."""


class CallPermissionRequest(Plain, frozen=True, kw_only=True, tag="call_permission_request"):
    """Asks whether we may call."""

    action: AskToCall
