"""Whether a message may go out now: asked when it is queued and again just before the network.

An hour may have passed in between, or a STOP have come. A refusal has words for the person who wrote the message.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime import message_templates
from chime.contacts import Consent
from chime.db import Db
from chime.errors import NotFound, Refused, Sentence
from chime.inbox.model import Window
from chime.message_templates import MessageTemplate


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at, of a conversation, its contact and its number."""

    conversation_id: str
    last_message_at: int
    window_expires_at: int | None
    contact_deleted: bool
    contact_blocked: bool
    phone: str | None
    user_id: str | None
    marketing_consent: Consent
    channel_id: str
    channel_removed: bool
    phone_number_id: str
    waba_id: str
    meta_app_id: str
    display_phone: str
    channel_state: str
    trouble: str
    paused_until: int | None
    access_token_sealed: bytes


# One row instead of three structs: a claim is made for every message that leaves, up to a thousand times a second.
_CIRCUMSTANCES = (
    "SELECT conversation.id AS conversation_id, conversation.last_message_at, conversation.window_expires_at, "
    "contact.deleted_at IS NOT NULL AS contact_deleted, contact.blocked_at IS NOT NULL AS contact_blocked, "
    "contact.phone, contact.user_id, contact.marketing_consent, "
    "channel.id AS channel_id, channel.removed_at IS NOT NULL AS channel_removed, channel.phone_number_id, "
    "channel.waba_id, channel.meta_app_id, channel.display_phone, channel.state AS channel_state, channel.trouble, "
    "channel.paused_until, channel.access_token_sealed FROM conversation "
    "JOIN contact ON contact.id = conversation.contact_id JOIN channel ON channel.id = conversation.channel_id "
    "WHERE conversation.id = ?")


async def circumstances(db: Db, conversation_id: str) -> Circumstances:
    """Raises NotFound; Refused when the contact was deleted or the number removed."""
    found = await db.one(Circumstances, _CIRCUMSTANCES, conversation_id)
    if found is None:
        raise NotFound("There is no such conversation.")
    if found.contact_deleted:
        raise Refused("This contact was deleted.", code="contact_deleted")
    if found.channel_removed:
        raise Refused("The number of this conversation is not connected any more.", code="channel_removed")
    return found


async def template_of(db: Db, waba_id: str, content: dict[str, Any]) -> MessageTemplate | None:
    """The template a message names, as we know it from Meta; None when it names none or one we never saw."""
    named = content.get("template")
    if not named:
        return None
    return await message_templates.template(db, waba_id, named["name"], named["language"]["code"])


def check(found: Circumstances, kind: str, template: MessageTemplate | None, now: int) -> None:
    """Every rule about whether a message of this type may go out now. Raises Refused."""
    if found.contact_blocked:
        raise Refused("This contact is blocked. Unblock them in the contact panel to write to them.",
                      code="contact_blocked")
    if found.phone is None and found.user_id is None:
        raise Refused("Chime knows neither a number nor a WhatsApp user id of this contact.", code="no_address")
    if kind != "template" and not Window(found.window_expires_at, now).is_open:
        raise Refused("The 24-hour reply window is closed: the customer has not written within 24 hours. "
                      "Send a template instead.", code="window_closed")
    if kind == "template":
        _check_template(found, template)
    if found.channel_state != "connected":
        raise Refused(Sentence("The number %(number)s needs to be reconnected: %(trouble)s",
                               number=found.display_phone, trouble=found.trouble),
                      code="channel_disconnected")


def _check_template(found: Circumstances, template: MessageTemplate | None) -> None:
    if template is not None and template.status != "APPROVED":
        raise Refused(Sentence("Meta has this template as %(status)s; only approved ones can be sent.",
                               status=template.status.lower()),
                      code="template_not_approved")
    # A template we don't know may be marketing: who said no gets only what is known to be something else.
    marketing = template is None or template.category == "MARKETING"
    if marketing and found.marketing_consent is Consent.OPTED_OUT:
        raise Refused("This person opted out of marketing messages.", code="opted_out")
