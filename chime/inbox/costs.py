"""What messages of one conversation cost: the prices of its recipient, and what is free in it at a moment.

Somebody who comes from an ad is answered for free for 72 hours, if the first answer leaves within 24. Meta confirms it
with each message it priced; what it charged in that time was no such thing.
"""

from __future__ import annotations

import msgspec

from chime import channels, contacts, prices
from chime.channels import Channel
from chime.clock import HOUR, SECOND
from chime.db import Db
from chime.inbox.model import WINDOW, Conversation, Message
from chime.inbox.scheduled import Scheduled
from chime.phone import Phone
from chime.prices import Amount, Category, Price, Terms

FREE_ENTRY = 72 * HOUR
_MOST_LINES = 500
_CHARGED, _FROM_AD = "regular", "free_entry_point"
# What Meta calls a message on its status; what it has beside these, no card names.
_CATEGORIES = frozenset(category.value for category in Category)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A referral of the customer's, or a message of ours with how Meta priced it."""

    is_ours: bool
    at: int
    source: str | None
    priced: str | None


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Of one conversation. `free_until` ends the free hours of somebody from an ad, 0 for none; `categories` are those
    of its number's templates, by name and language."""

    terms: Terms
    now: int
    window_expires_at: int | None
    free_until: int = 0
    categories: dict[tuple[str, str], str] = {}

    def of(self, category: str, at: int | None = None) -> Price:
        """A message of this category that leaves at a moment, now if none is named."""
        moment = self.now if at is None else at
        return self.terms.price(
            category.lower(), moment, from_ad=moment < self.free_until,
            window_open=self.window_expires_at is not None and moment < self.window_expires_at)

    @property
    def answer(self) -> Price:
        """A free-form answer now."""
        return self.of(Category.SERVICE)

    def of_scheduled(self, row: Scheduled) -> Price:
        """At its moment: the reply window may be shut by then."""
        named = row.content.get("template") if row.type == "template" else None
        if row.type != "template":
            return self.of(Category.SERVICE, row.send_at)
        if not isinstance(named, dict):
            return self.of("", row.send_at)
        key = str(named.get("name")), str((named.get("language") or {}).get("code"))
        return self.of(self.categories.get(key, ""), row.send_at)

    def charged(self, message: Message) -> Amount | None:
        """What the card says of a message that Meta charged for."""
        priced = message.pricing or {}
        category = str(priced.get("category") or "").replace("-", "_")
        kind = priced.get("type") or (_CHARGED if priced.get("billable") else "")
        if kind != _CHARGED or category not in _CATEGORIES:
            return None
        found = self.terms.price(category, message.delivered_at or message.sent_at or message.at)
        return found if isinstance(found, Amount) else None


async def costs(db: Db, conversation_id: str, channel: Channel | None, phone: Phone | None, *, now: int,
                zone_name: str, window_expires_at: int | None = None,
                categories: dict[tuple[str, str], str] | None = None) -> Costs:
    """`zone_name` is the workspace's time zone."""
    terms = await prices.terms(db, channel.waba_id if channel else "", phone, zone_name=zone_name,
                               home=channel.display_phone if channel else "")
    return Costs(terms=terms, now=now, window_expires_at=window_expires_at,
                 free_until=await free_until(db, conversation_id, now), categories=categories or {})


async def of_conversation(db: Db, conversation: Conversation, *, now: int, zone_name: str) -> Costs:
    """The same where nothing but the conversation is at hand."""
    contact = await contacts.contact(db, conversation.contact_id)
    return await costs(db, conversation.id, await channels.channel(db, conversation.channel_id),
                       contact.phone if contact else None, now=now, zone_name=zone_name,
                       window_expires_at=conversation.window_expires_at)


async def free_until(db: Db, conversation_id: str, now: int) -> int:
    """When the free hours of the newest ad end: of one that was not answered, when an answer is due. 0 for none."""
    since = now - WINDOW - FREE_ENTRY
    if not await db.value("SELECT 1 FROM message WHERE conversation_id = ? AND at > ? AND direction = 'in' "
                          "AND referral_json IS NOT NULL LIMIT 1", conversation_id, since):
        return 0
    lines = await db.all(
        Line, "SELECT direction = 'out' AS is_ours, at, json_extract(referral_json, '$.source_type') AS source, "
        "json_extract(pricing_json, '$.type') AS priced FROM message WHERE conversation_id = ? AND at > ? "
        "AND type <> 'reaction' AND ((direction = 'in' AND referral_json IS NOT NULL) "
        "OR (direction = 'out' AND status IN ('sent', 'delivered', 'read', 'played'))) ORDER BY at LIMIT ?",
        conversation_id, since, _MOST_LINES)
    ours = [line for line in lines if line.is_ours]
    return max((ends_at(line, ours) for line in lines if not line.is_ours), default=0)


def ends_at(referral: Line, ours: list[Line]) -> int:
    """When the free hours of one referral end. What the customer sent has Meta's time, in whole seconds."""
    after = [line for line in ours if line.at > referral.at - SECOND]
    if not after:
        return referral.at + WINDOW if referral.source == "ad" else 0
    first = after[0].at
    told = {line.priced for line in after if line.at < first + FREE_ENTRY}
    if first >= referral.at + WINDOW or (_FROM_AD not in told and (referral.source != "ad" or _CHARGED in told)):
        return 0
    return first + FREE_ENTRY
