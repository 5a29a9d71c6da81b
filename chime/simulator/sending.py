"""Meta's checks of `POST /{PNID}/messages`: from a JSON body to a draft that can be accepted, or a `GraphError`.

The limits are those of Meta's message pages. What Meta finds out only later (a number that is not on WhatsApp, a
medium of the wrong kind, a stale reaction) is no refusal here either: the draft is accepted and carries the error
that a `failed` status will report.
"""

from __future__ import annotations

from typing import Any

from chime.clock import DAY
from chime.simulator import identifiers
from chime.simulator.graph_errors import GraphError, bad, invalid, missing, too_long
from chime.simulator.interactive import check_interactive
from chime.simulator.model import Draft, Number, World
from chime.simulator.template_sending import check_template

MEDIA_KINDS: dict[str, tuple[tuple[str, ...], int]] = {
    "image": (("image/jpeg", "image/png"), 5 << 20),
    "video": (("video/mp4", "video/3gpp"), 16 << 20),
    "audio": (("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), 16 << 20),
    "sticker": (("image/webp",), 500 << 10),
    "document": ((), 100 << 20),
}
MAX_CONTACTS = 257
REACTION_AGE = 30 * DAY

_ENVELOPE = {
    "messaging_product", "recipient_type", "to", "recipient", "type", "context", "biz_opaque_callback_data",
    "recipient_identity_key_hash", "messaging_account_id",
}
_TYPES = (
    "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "reaction", "interactive",
    "template",
)
_MEDIA_KEYS = {
    "image": {"id", "link", "caption"},
    "video": {"id", "link", "caption"},
    "audio": {"id", "link", "voice"},
    "document": {"id", "link", "caption", "filename"},
    "sticker": {"id", "link"},
}


def read_send(world: World, number: Number, body: dict[str, Any]) -> Draft:
    """Check one send in the order Meta does: shape, recipient, content, then whether it may go now."""
    _check_envelope(body)
    kind = body.get("type", "text")
    if kind not in _TYPES:
        raise bad(f"Param type must be one of {{{', '.join(_TYPES).upper()}}} - got \"{kind}\".")
    if kind not in body:
        raise missing(kind)
    draft = _address(world, number, body)
    draft.type, draft.content = kind, body[kind]
    draft.quoted = _quoted(body, kind)
    _check_content(world, number, draft)
    _check_moment(world, number, draft)
    return draft


def _check_envelope(body: dict[str, Any]) -> None:
    if body.get("messaging_product") != "whatsapp":
        raise bad("The parameter messaging_product is required.")
    for key in body:
        if key not in _ENVELOPE and key not in _TYPES:
            raise bad(f'Unexpected key "{key}" on param "root".')
    if body.get("recipient_type", "individual") != "individual":
        raise invalid("recipient_type", "this number sends to individuals only")
    data = body.get("biz_opaque_callback_data")
    if data is not None and not isinstance(data, str):
        raise bad("Param biz_opaque_callback_data must be a string.")
    if data is not None and len(data) > 512:
        raise too_long("biz_opaque_callback_data", 512)


def _address(world: World, number: Number, body: dict[str, Any]) -> Draft:
    to, recipient = body.get("to"), body.get("recipient")
    if not to and not recipient:
        raise missing("to")
    given = to or recipient
    if not isinstance(given, str):
        raise bad("Param to must be a string.")
    if to:
        # Quirk of Meta: a user id given as `to` is no error, its digits are taken for a phone number.
        address = identifiers.digits(given)
        if not address:
            raise invalid("to", "it holds no phone number")
        if address == identifiers.digits(number.display_phone_number):
            raise GraphError(131021, "Sender and recipient phone number is the same.")
    else:
        address = given
        if not identifiers.BSUID.match(given):
            raise invalid("recipient", "it is no business-scoped user id")
    customer = world.customer_at(address)
    draft = Draft(
        customer=customer, address=address, given=given, by_user_id=not to, type="", content=None, quoted=None,
        callback_data=body.get("biz_opaque_callback_data"),
    )
    if customer is not None and world.conversation(customer, number.phone_number_id).blocked:
        raise GraphError(130403, "The user is blocked by this business.")
    if customer is None or customer.unreachable:
        draft.later = GraphError(131026, "Message undeliverable.")
    return draft


def _quoted(body: dict[str, Any], kind: str) -> str | None:
    context = body.get("context")
    if context is None:
        return None
    if not isinstance(context, dict) or not isinstance(context.get("message_id"), str):
        raise missing("context['message_id']")
    if kind == "reaction":
        raise bad("Param context is not allowed with type reaction.")
    message_id: str = context["message_id"]
    return message_id


def _check_moment(world: World, number: Number, draft: Draft) -> None:
    """The 24-hour window: only a template may start or reopen a conversation."""
    if draft.type == "template":
        return
    if draft.customer is None or not world.window_open(draft.customer, number.phone_number_id):
        raise GraphError(
            131047,
            "Message failed to send because more than 24 hours have passed since the customer last replied to this"
            " number.",
        )


def _check_content(world: World, number: Number, draft: Draft) -> None:
    content, kind = draft.content, draft.type
    if kind == "contacts":
        _check_contacts(content)
        return
    if not isinstance(content, dict):
        raise bad(f"Param {kind} must be a JSON object.")
    if kind == "text":
        _check_text(content)
    elif kind in MEDIA_KINDS:
        _check_media(world, number, draft)
    elif kind == "location":
        _check_location(content)
    elif kind == "reaction":
        _check_reaction(world, draft)
    elif kind == "interactive":
        check_interactive(content)
    else:
        check_template(world, number, draft)


def only_keys(content: dict[str, Any], allowed: set[str], place: str) -> None:
    """Meta refuses what it does not know, by name."""
    for key in content:
        if key not in allowed:
            raise bad(f'Unexpected key "{key}" on param "{place}".')


def _check_text(text: dict[str, Any]) -> None:
    only_keys(text, {"body", "preview_url"}, "text")
    body = text.get("body")
    if not isinstance(body, str) or not body:
        raise missing("text['body']")
    if len(body) > 4096:
        raise too_long("text['body']", 4096)
    if not isinstance(text.get("preview_url", False), bool):
        raise bad("Param text['preview_url'] must be a boolean.")


def _check_media(world: World, number: Number, draft: Draft) -> None:
    content, kind = draft.content, draft.type
    only_keys(content, _MEDIA_KEYS[kind], kind)
    media_id, link = content.get("id"), content.get("link")
    if (media_id is None) == (link is None):
        raise bad(f"Param {kind} must have exactly one of id and link.")
    if len(content.get("caption") or "") > 1024:
        raise too_long(f"{kind}['caption']", 1024)
    if link is not None:
        if not isinstance(link, str) or not link.startswith(("https://", "http://")):
            raise invalid(f"{kind}['link']", "it is no http or https address")
        return
    media = world.find_media(str(media_id))
    if media is None or media.phone_number_id != number.phone_number_id:
        raise invalid(f"{kind}['id']", "there is no such media id for this phone number")
    mime_type = media.mime_type.partition(";")[0].strip()
    kinds, limit = MEDIA_KINDS[kind]
    if draft.later is None and kinds and mime_type not in kinds:
        draft.later = GraphError(131053, f"Unsupported media type {mime_type} for a message of type {kind}.")
    elif draft.later is None and len(media.content) > limit:
        draft.later = GraphError(131053, f"The {kind} is larger than {limit} bytes.")


def _check_location(location: dict[str, Any]) -> None:
    only_keys(location, {"latitude", "longitude", "name", "address"}, "location")
    for name, limit in (("latitude", 90.0), ("longitude", 180.0)):
        value = location.get(name)
        if value is None:
            raise missing(f"location['{name}']")
        try:
            inside = abs(float(value)) <= limit
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise invalid(f"location['{name}']", f"it must be a number from -{limit:g} to {limit:g}")


def _check_contacts(contacts: object) -> None:
    if not isinstance(contacts, list) or not contacts:
        raise missing("contacts")
    if len(contacts) > MAX_CONTACTS:
        raise bad(f"Param contacts must have at most {MAX_CONTACTS} elements.")
    for index, contact in enumerate(contacts):
        name = contact.get("name") if isinstance(contact, dict) else None
        if not isinstance(name, dict) or not name.get("formatted_name"):
            raise missing(f"contacts[{index}]['name']['formatted_name']")
        if not set(name) - {"formatted_name"}:
            raise invalid(f"contacts[{index}]['name']", "it needs one more part besides formatted_name")


def _check_reaction(world: World, draft: Draft) -> None:
    reaction = draft.content
    only_keys(reaction, {"message_id", "emoji"}, "reaction")
    if not reaction.get("message_id"):
        raise missing("reaction['message_id']")
    if not isinstance(reaction.get("emoji"), str):
        raise missing("reaction['emoji']")
    found = world.find_message(reaction["message_id"])
    stale = found is None or world.clock.now() - found[2].at > REACTION_AGE or found[2].type == "reaction"
    if stale and draft.later is None:
        draft.later = GraphError(131009, "The message to react to is unknown, too old, or a reaction itself.")
