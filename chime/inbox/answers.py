"""What scripts are told of messages and conversations: the API's own JSON, apart from the rows it is made of.

Promise: nothing more than the inbox shows. Of a message that was deleted by its sender, only that it was.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from chime.accounts import Member
from chime.clock import rfc3339
from chime.inbox.carried_tags import ThreadTag
from chime.inbox.model import (
    Conversation,
    ConversationState,
    Direction,
    MediaState,
    Message,
    Origin,
    Settlement,
    Status,
)
from chime.phone import shown_text, shown_wamids
from chime.web.reference import Moment


class SendError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a message did not go or did not arrive. `code` is Meta's, where the refusal was Meta's."""

    code: int | None
    title: str
    what_to_do: str


class MediaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message's file. Its bytes are at `/api/v1/media/{id}` once `state` is ready. `pages`: of a PDF, as far as they
    can be told."""

    id: str
    kind: str
    mime_type: str
    filename: str
    size: int | None
    pages: int | None
    state: MediaState


class QuotedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The message that is answered; `message_id` is null when Chime does not have it."""

    message_id: str | None
    wamid: str | None


class ReactionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji on a message. `direction` says whose: in for the customer's, out for ours."""

    direction: Direction
    emoji: str
    author_name: str


class SettlementAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of a message that may have been sent, by whom and when. A later status of WhatsApp's goes on from
    there."""

    said: Settlement = msgspec.field(name="as")
    by: str
    at: Moment


class MessageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message. `direction` is in or out; `content` is the object of its type; `at` is its place in the conversation,
    for what came in WhatsApp's own time; `unconfirmed_since` is set while nobody knows whether it was sent.
    A `wamid` holds the customer's number, so it is null for a key without numbers:read."""

    id: str
    direction: Direction
    origin: Origin
    type: str
    status: Status
    conversation_id: str
    contact_id: str
    channel_id: str
    wamid: str | None
    error: SendError | None
    text: str
    content: dict[str, Any]
    media: MediaAnswer | None
    context: QuotedAnswer | None
    reactions: tuple[ReactionAnswer, ...]
    referral: dict[str, Any] | None
    pricing: dict[str, Any] | None
    author_name: str
    at: Moment
    created_at: Moment
    sent_at: Moment | None
    delivered_at: Moment | None
    read_at: Moment | None
    edited_at: Moment | None
    revoked_at: Moment | None
    unconfirmed_since: Moment | None
    settlement: SettlementAnswer | None

    @classmethod
    def of(cls, message: Message, contact_id: str) -> MessageAnswer:
        gone = message.revoked_at is not None
        return cls(
            id=message.id, direction=message.direction, origin=message.origin, type=message.type,
            status=message.status, conversation_id=message.conversation_id, contact_id=contact_id,
            channel_id=message.channel_id, wamid=shown_wamids(message.wamid), error=_error(message),
            text="" if gone else message.text, content={} if gone else shown_wamids(_content(message)),
            media=None if gone else _media(message), context=_quoted(message),
            reactions=tuple(ReactionAnswer(direction=reaction.side, emoji=reaction.emoji,
                                           author_name=reaction.author_name) for reaction in message.reactions),
            referral=message.referral, pricing=message.pricing, author_name=message.author_name,
            at=rfc3339(message.at), created_at=rfc3339(message.created_at), sent_at=_when(message.sent_at),
            delivered_at=_when(message.delivered_at), read_at=_when(message.read_at),
            edited_at=_when(message.edited_at), revoked_at=_when(message.revoked_at),
            unconfirmed_since=_when(message.doubted_at), settlement=_settlement(message))


MESSAGE_EXAMPLE: dict[str, Any] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0g", "direction": "out", "origin": "api", "type": "text", "status": "queued",
    "conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0h", "contact_id": "01kafx2v9m3q8r5t7w1y4z6b0c",
    "channel_id": "01kafx2v9m3q8r5t7w1y4z6b0e", "wamid": None, "error": None, "text": "Your order is on its way.",
    "content": {"body": "Your order is on its way."}, "media": None, "context": None, "reactions": [],
    "referral": None, "pricing": None, "author_name": "Shop", "at": "2026-11-21T09:30:00.000Z",
    "created_at": "2026-11-21T09:30:00.000Z", "sent_at": None, "delivered_at": None, "read_at": None,
    "edited_at": None, "revoked_at": None, "unconfirmed_since": None, "settlement": None,
}


def _when(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _error(message: Message) -> SendError | None:
    if message.error_title is None and message.error_code is None:
        return None
    return SendError(code=message.error_code, title=message.error_title or "",
                     what_to_do=message.error_what_to_do or "")


def _settlement(message: Message) -> SettlementAnswer | None:
    if message.settled_as is None or message.settled_at is None:
        return None
    return SettlementAnswer(said=message.settled_as, by=message.settled_by or "", at=rfc3339(message.settled_at))


def _content(message: Message) -> dict[str, Any]:
    """What we sent is kept with its envelope, what came in without; scripts get both without."""
    inner = message.content.get(message.type) if message.direction is Direction.OUTBOUND else None
    if inner is None:
        return message.content
    return inner if isinstance(inner, dict) else {message.type: inner}


def _media(message: Message) -> MediaAnswer | None:
    if message.media is None:
        return None
    return MediaAnswer(**{name: getattr(message.media, name) for name in MediaAnswer.__struct_fields__})


def _quoted(message: Message) -> QuotedAnswer | None:
    if message.quoted is None and message.quoted_wamid is None:
        return None
    return QuotedAnswer(message_id=message.quoted.id if message.quoted else None,
                        wamid=shown_wamids(message.quoted_wamid))


class PersonAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The customer of a conversation. The whole contact is at `/api/v1/contacts/{id}`."""

    id: str
    phone: str | None
    user_id: str | None
    username: str
    name: str
    profile_name: str


class AssigneeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The member of the team who has a conversation."""

    id: str
    name: str


class LastMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest message in short."""

    direction: Direction
    type: str
    status: Status
    text: str


class ReasonAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Why a conversation was resolved."""

    id: str
    name: str


class ConversationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One contact on one of your numbers. After `window_expires_at` only templates can be sent; it is null when the
    customer never wrote. A snoozed one without `snoozed_until` comes back when the customer writes; `waiting_since` is
    when they wrote the first message that nobody has answered. `due_at` is the next service-level target to meet, `due`
    which: the first answer, a further one, or the resolution."""

    id: str
    channel_id: str
    contact: PersonAnswer
    state: ConversationState
    assignee: AssigneeAnswer | None
    team_id: str | None
    unread_count: int
    window_expires_at: Moment | None
    last_message_at: Moment
    last_message: LastMessage | None
    created_at: Moment
    closed_at: Moment | None
    reason: ReasonAnswer | None
    snoozed_until: Moment | None
    waiting_since: Moment | None
    due_at: Moment | None
    due: Literal["first", "next", "resolution"] | None
    tags: tuple[ThreadTag, ...]

    @classmethod
    def of(cls, conversation: Conversation, members: dict[str, Member], tags: tuple[ThreadTag, ...] = ()
           ) -> ConversationAnswer:
        member = members.get(conversation.assignee_id or "")
        assignee = None
        if conversation.assignee_id is not None:
            assignee = AssigneeAnswer(id=conversation.assignee_id, name=member.name if member else "")
        return cls(
            id=conversation.id, channel_id=conversation.channel_id, contact=_person(conversation),
            state=conversation.state, assignee=assignee, team_id=conversation.team_id,
            unread_count=conversation.unread_count, window_expires_at=_when(conversation.window_expires_at),
            last_message_at=rfc3339(conversation.last_message_at), last_message=_last(conversation),
            created_at=rfc3339(conversation.created_at), closed_at=_when(conversation.closed_at),
            reason=ReasonAnswer(id=conversation.reason_id, name=conversation.reason_name or "")
            if conversation.reason_id else None,
            snoozed_until=_when(conversation.snoozed_until), waiting_since=_when(conversation.waiting_since),
            due_at=_when(conversation.due_at), due=conversation.due_kind, tags=tags)


def _person(conversation: Conversation) -> PersonAnswer:
    phone = conversation.contact_phone
    return PersonAnswer(id=conversation.contact_id, phone=str(phone) if phone else None,
                        user_id=conversation.contact_user_id, username=conversation.contact_username,
                        name=conversation.contact_name, profile_name=conversation.contact_profile_name)


def _last(conversation: Conversation) -> LastMessage | None:
    if conversation.last_direction is None or conversation.last_status is None:
        return None
    gone = conversation.last_revoked_at is not None
    return LastMessage(direction=conversation.last_direction, type=conversation.last_type or "",
                       status=conversation.last_status, text="" if gone else shown_text(conversation.last_text or ""))
