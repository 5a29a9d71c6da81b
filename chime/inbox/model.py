"""What the inbox is made of: conversations, messages and their files, and the pure rules over them.

Rules here know no database: may this status follow that one, is the reply window open, what is a person called.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

from chime.clock import HOUR, MINUTE
from chime.phone import Phone

WINDOW = 24 * HOUR
# Meta warns that a reply in the last moments may still be refused (whatsapp-messaging.md 9), so ours closes earlier.
WINDOW_MARGIN = 2 * MINUTE
# A status with our callback data comes within seconds when it comes; what is still in doubt then asks a person.
DOUBT_WAITS = 15 * MINUTE
# A clock that was put back must not hide a doubt behind a moment that is a year away.
CLOCK_SLACK = MINUTE


class Direction(StrEnum):
    INBOUND = "in"
    OUTBOUND = "out"


class Origin(StrEnum):
    """Who made a message: the customer, or which side of ours. An automatic one is no answer of anybody's."""

    CUSTOMER = "customer"
    AGENT = "agent"
    API = "api"
    PHONE = "phone"
    HISTORY = "history"
    AUTOMATIC = "automatic"


class Status(StrEnum):
    """Where a message stands. An outbound one only moves forward."""

    RECEIVED = "received"
    QUEUED = "queued"
    SENDING = "sending"
    UNCONFIRMED = "unconfirmed"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"


_RANK = {Status.QUEUED: 0, Status.SENDING: 1, Status.UNCONFIRMED: 1, Status.SENT: 2, Status.DELIVERED: 3,
         Status.READ: 4, Status.PLAYED: 5}


def may_follow(current: Status, reported: Status) -> bool:
    """Whether a status reported by Meta may replace the current one.

    Webhooks come in any order, so only upward moves count; `failed` ends what was not yet delivered, and a `sent`
    that trails a `failed` is ignored (whatsapp-messaging.md 3).
    """
    if current in (Status.RECEIVED, Status.FAILED):
        return current is Status.FAILED and reported in (Status.DELIVERED, Status.READ, Status.PLAYED)
    if reported is Status.FAILED:
        return _RANK[current] <= _RANK[Status.SENT]
    return _RANK.get(reported, -1) > _RANK[current]


class Settlement(StrEnum):
    """What a person says of a message that may have been sent."""

    SENT = "sent"
    FAILED = "failed"
    RESEND = "resend"


class ConversationState(StrEnum):
    """Snoozed: out of the open lists until a moment, or until the customer writes."""

    OPEN = "open"
    SNOOZED = "snoozed"
    CLOSED = "closed"


class View(StrEnum):
    """The lists an inbox offers."""

    MINE = "mine"
    UNASSIGNED = "unassigned"
    ALL = "all"
    MENTIONS = "mentions"
    PINNED = "pinned"
    WAITING = "waiting"
    UNREAD = "unread"
    SNOOZED = "snoozed"
    CLOSED = "closed"
    DOUBT = "doubt"


class MediaState(StrEnum):
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class Window(msgspec.Struct, frozen=True):
    """The customer service window of a conversation at one moment."""

    expires_at: int | None
    now: int

    @property
    def is_open(self) -> bool:
        return self.expires_at is not None and self.now < self.expires_at - WINDOW_MARGIN

    @property
    def remaining(self) -> int:
        """Milliseconds in which a free-form reply may still be sent."""
        return max(0, self.expires_at - WINDOW_MARGIN - self.now) if self.expires_at is not None else 0


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a message. The bytes are at `/w/<slug>/media/<id>` once `state` is ready. `pages`: of a PDF, as far as
    they can be told."""

    id: str
    kind: str
    mime_type: str
    filename: str
    size: int | None
    is_voice: bool
    state: MediaState
    trouble: str
    pages: int | None = None


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """`side` is `in` for the customer, `out` for us: WhatsApp shows one of each."""

    side: Direction
    emoji: str
    author_name: str


class Quoted(msgspec.Struct, frozen=True, kw_only=True):
    """The message that another one answers. `preview` are its words, empty for what has none."""

    id: str
    direction: Direction
    author_name: str
    preview: str
    type: str = ""
    is_revoked: bool = False


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message as the thread shows it and the API tells it. `at` orders the thread: Meta's time for inbound."""

    id: str
    conversation_id: str
    channel_id: str
    direction: Direction
    origin: Origin
    type: str
    status: Status
    text: str
    content: dict[str, Any]
    author_id: str | None
    author_name: str
    at: int
    created_at: int
    wamid: str | None = None
    client_id: str | None = None
    media: Media | None = None
    quoted: Quoted | None = None
    quoted_wamid: str | None = None
    reactions: tuple[Reaction, ...] = ()
    referral: dict[str, Any] | None = None
    pricing: dict[str, Any] | None = None
    sent_at: int | None = None
    delivered_at: int | None = None
    read_at: int | None = None
    edited_at: int | None = None
    revoked_at: int | None = None
    error_code: int | None = None
    error_title: str | None = None
    error_what_to_do: str | None = None
    next_attempt_at: int | None = None
    claimed_at: int | None = None
    settled_as: Settlement | None = None
    settled_by: str | None = None
    settled_at: int | None = None

    @property
    def held_until(self) -> int | None:
        """Until when it waits here and can be taken back; None once the sender had it."""
        return self.next_attempt_at if self.status is Status.QUEUED and self.claimed_at is None else None

    @property
    def doubted_at(self) -> int | None:
        """Since when nobody knows whether it was sent; None when it is known."""
        return self.claimed_at if self.status is Status.UNCONFIRMED else None

    def asks_a_person(self, now: int) -> bool:
        """Whether it is in doubt and the wait for WhatsApp's word is over."""
        return self.doubted_at is not None and not now - DOUBT_WAITS < self.doubted_at <= now + CLOCK_SLACK


class ConversationEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A line between messages: resolved, reopened, assigned, number changed. `details` holds names and ids only."""

    id: str
    kind: str
    actor_name: str
    details: dict[str, Any]
    at: int


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One thread: a contact on one of our numbers."""

    id: str
    channel_id: str
    contact_id: str
    state: ConversationState
    assignee_id: str | None
    team_id: str | None
    unread_count: int
    last_message_at: int
    window_expires_at: int | None
    created_at: int
    closed_at: int | None
    snoozed_until: int | None = None
    reason_id: str | None = None
    reason_name: str | None = None
    waiting_since: int | None = None
    due_at: int | None = None
    due_soon_at: int | None = None
    due_kind: Literal["first", "next", "resolution"] | None = None
    # joined for lists and headers
    contact_name: str
    contact_profile_name: str
    contact_username: str
    contact_phone: Phone | None
    contact_user_id: str | None = None
    last_direction: Direction | None = None
    last_status: Status | None = None
    last_type: str | None = None
    last_text: str | None = None
    last_revoked_at: int | None = None

    @property
    def title(self) -> str:
        """What the person is called: our name for them, their profile's, their username, and last their number."""
        return contact_title(self.contact_name, self.contact_profile_name, self.contact_username, self.contact_phone)


def contact_title(name: str, profile_name: str, username: str, phone: Phone | None) -> str:
    """The order of ui.md 7.11 (which follows Meta's advice); never empty."""
    if name or profile_name:
        return name or profile_name
    if username:
        return f"@{username}"
    return str(phone) if phone else "WhatsApp user"
