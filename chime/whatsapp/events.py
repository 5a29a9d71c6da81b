"""Everything that can arrive from WhatsApp, as typed facts.

`inbound.parse` makes these from Meta's JSON; nothing here knows that JSON. Promises: moments are unix milliseconds UTC,
phone numbers are digits without `+`, an empty string is None, and `content` can be encoded as JSON.

What `content` holds, by `type` of the message (a key is absent when Meta sent nothing for it):

=============== ======================================================================================================
text            `body`
image, video    `caption`; the file is `media`
audio, sticker  nothing; `media.voice`, `media.animated`
document        `caption`, `filename`
location        `latitude`, `longitude` (float), `name`, `address`, `url`
contacts        `contacts`: objects of `name` (`formatted_name`, …), `phones` (`phone`, `wa_id`, `type`), `emails`,
                `addresses`, `urls`, `org`, `birthday`, `origin`, `vcard`; `origin` contact_request: they answered us
button          `payload`, `text`: a template's quick reply
interactive     `kind` and: button_reply `id`, `title`; list_reply `id`, `title`, `description`; nfm_reply `name` (flow,
                address_message), `body`, `response` (object), `flow_token`, `response_json` when it could not be read;
                call_permission_reply `response`, `is_permanent`, `expires_at`, `source`; any other kind `raw`
order           `catalog_id`, `text`, `items`: `product_retailer_id`, `quantity`, `item_price` (text), `currency`
request_welcome nothing
unsupported     `type`: what it was, as far as Meta says; `raw`: the message itself when Chime does not know its type
=============== ======================================================================================================

Echoes and history also carry: reaction (`message_id`, `emoji`), edit (`message_id`, `type` and the new content),
revoke (`message_id`), system (`type`, `body`), template (`template`), media_placeholder (nothing).

Ids of buttons and rows come back from the sender's phone as they like: they are input, never authority.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from chime.whatsapp.parts import Context, MediaReference, MetaError, Person, Pricing

RECEIVER_INCAPABLE = 1026  # an error about our message that Meta once dressed up as a message of theirs


class Arrival(Struct, frozen=True, kw_only=True):
    """Common to everything: whose it is, where it stood in the body, when it happened (0 when Meta does not say).

    `fingerprint` is set where a thing has no id of its own: a hash of what arrived.
    """

    path: str
    at: int = 0
    phone_number_id: str | None = None
    waba_id: str | None = None
    fingerprint: str = ""


class MessageReceived(Arrival, frozen=True, kw_only=True):
    """A message to one of our numbers. `text` is the human text of it, whatever the type."""

    wamid: str
    sender: Person
    type: str
    text: str | None = None
    content: dict[str, Any] = {}
    media: MediaReference | None = None
    context: Context | None = None
    referral: dict[str, Any] | None = None
    errors: tuple[MetaError, ...] = ()
    group_id: str | None = None
    origin: str = "customer"

    @property
    def opens_window(self) -> bool:
        return all(error.code != RECEIVER_INCAPABLE for error in self.errors)


class MessageReacted(Arrival, frozen=True, kw_only=True):
    """A reaction; `emoji` None takes it back. Counts for the reply window, as far as is known."""

    wamid: str
    sender: Person
    target_wamid: str
    emoji: str | None = None
    group_id: str | None = None

    @property
    def opens_window(self) -> bool:
        return True


class MessageEdited(Arrival, frozen=True, kw_only=True):
    """The sender changed a message. May arrive before the message itself; does not refresh the window."""

    wamid: str
    sender: Person
    target_wamid: str
    type: str
    text: str | None = None
    content: dict[str, Any] = {}
    media: MediaReference | None = None


class MessageRevoked(Arrival, frozen=True, kw_only=True):
    """The sender deleted a message. May arrive before the message itself: keep a tombstone."""

    wamid: str
    sender: Person
    target_wamid: str


class IdentityChanged(Arrival, frozen=True, kw_only=True):
    """Somebody we know is reached differently now. `kind`: number, user_id, identity (their keys changed).

    `previous_user_id` may be the only link to the contact.
    """

    kind: str
    wamid: str | None = None
    sender: Person
    previous_phone: str | None = None
    previous_user_id: str | None = None
    previous_parent_user_id: str | None = None
    new: Person
    body: str | None = None


class StatusReceived(Arrival, frozen=True, kw_only=True):
    """What became of a message of ours: sent, delivered, read, played, failed, deleted, or a word yet unknown.

    May come before the answer to the send call; `callback_data` is the value given with the send.
    """

    wamid: str
    status: str
    recipient: Person
    callback_data: str | None = None
    pricing: Pricing | None = None
    conversation: dict[str, Any] | None = None
    errors: tuple[MetaError, ...] = ()
    group_id: str | None = None
    group_participant: Person | None = None

    @property
    def event_key(self) -> str:
        """Number, message, status and group participant; not the time, which repeats differ in."""
        member = self.group_participant
        who = (member.user_id or member.phone or member.parent_user_id or "") if member else ""
        return f"status:{self.phone_number_id or ''}:{self.wamid}:{self.status}:{who}"


class PaymentStatusReceived(Arrival, frozen=True, kw_only=True):
    """News of a payment asked for in a message. Never fulfil on this alone: look the payment up.

    One payment may see several transactions; `payment` is Meta's object with `amount`, `transaction`, `refunds`.
    """

    wamid: str
    status: str
    recipient: Person
    reference_id: str | None = None
    currency: str | None = None
    amount_value: int | None = None
    amount_offset: int | None = None
    transaction_id: str | None = None
    transaction_status: str | None = None
    payment: dict[str, Any] = {}


class CallReceived(Arrival, frozen=True, kw_only=True):
    """A step of a call. `event`: connect, terminate, …, or `status` for ringing, accepted, rejected calls of ours.

    `user_initiated` is None when neither direction nor numbers tell. `person` is the other side.
    """

    call_id: str
    event: str
    person: Person
    status: str | None = None
    user_initiated: bool | None = None
    started_at: int | None = None
    ended_at: int | None = None
    duration_seconds: int | None = None
    callback_data: str | None = None
    errors: tuple[MetaError, ...] = ()
    details: dict[str, Any] = {}

    @property
    def opens_window(self) -> bool:
        """A user's call opens it, answered or not; ours only when the user accepted."""
        if self.event == "status":
            return self.status == "ACCEPTED"
        if self.user_initiated:
            return self.event in ("connect", "call_created", "terminate")
        return self.user_initiated is False and self.event == "terminate" and self.started_at is not None


class MessageEchoed(Arrival, frozen=True, kw_only=True):
    """Something the business sent from its phone or another app. No window, no bot, no bill.

    `echo_kind`: message, reaction, edit, revoke; the last three name their `target_wamid`.
    """

    wamid: str
    recipient: Person
    type: str
    echo_kind: str = "message"
    target_wamid: str | None = None
    text: str | None = None
    content: dict[str, Any] = {}
    media: MediaReference | None = None
    context: Context | None = None


class HistoryMessage(Struct, frozen=True, kw_only=True):
    """An old message from the phone's memory. `at` is the device's clock; `status` Meta's last word in capitals."""

    wamid: str
    person: Person
    outgoing: bool
    at: int
    type: str
    text: str | None = None
    content: dict[str, Any] = {}
    media: MediaReference | None = None
    context: Context | None = None
    errors: tuple[MetaError, ...] = ()
    status: str | None = None


class HistoryReceived(Arrival, frozen=True, kw_only=True):
    """A piece of chat history: no unread counts, windows or automations from it. `errors`: the owner declined."""

    messages: tuple[HistoryMessage, ...] = ()
    phase: int | None = None
    chunk: int | None = None
    progress: int | None = None
    errors: tuple[MetaError, ...] = ()


class ContactSynced(Arrival, frozen=True, kw_only=True):
    """An entry of the phone's address book; `action` add or remove."""

    person: Person
    full_name: str | None = None
    first_name: str | None = None
    action: str = "add"


class PreferenceChanged(Arrival, frozen=True, kw_only=True):
    """A person's word on marketing messages: `value` stop, resume or signup."""

    person: Person
    value: str
    category: str | None = None
    detail: str | None = None
    signup_id: str | None = None


class TemplateChanged(Arrival, frozen=True, kw_only=True):
    """News of a template. `kind`: status, category, quality, components, category_detection.

    `event`: Meta's event for a status, the new score for quality, `warning` or `changed` for a category, else the
    kind. `details` is Meta's whole value.
    """

    kind: str
    template_id: str
    name: str | None = None
    language: str | None = None
    event: str
    reason: str | None = None
    details: dict[str, Any] = {}


class NumberChanged(Arrival, frozen=True, kw_only=True):
    """News of a number. `kind`: quality, name, username, security, settings. Often known by its display form only."""

    kind: str
    display_phone_number: str | None = None
    event: str | None = None
    details: dict[str, Any] = {}


class AccountChanged(Arrival, frozen=True, kw_only=True):
    """News of a WABA or portfolio. `kind`: update, review, alert, capability, business_status, partner_solution."""

    kind: str
    event: str | None = None
    details: dict[str, Any] = {}


class HandoverChanged(Arrival, frozen=True, kw_only=True):
    """Who may answer a thread: `control_passed` gives it to us, `control_taken` takes it away."""

    kind: str
    person: Person
    previous_owner_role: str | None = None
    new_owner_role: str | None = None
    note: str | None = None
    summary: str | None = None


class LinkClicked(Arrival, frozen=True, kw_only=True):
    """A click in a marketing message; nobody is named, `click_id` is the only link."""

    action_type: str
    click_id: str | None = None
    component: str | None = None
    tracking_token: str | None = None
    product_id: str | None = None


class AccountErrors(Arrival, frozen=True, kw_only=True):
    """Errors that belong to no message. To log; they have no key and may repeat."""

    errors: tuple[MetaError, ...]


class FieldReceived(Arrival, frozen=True, kw_only=True):
    """A field Chime only records: flows, groups, what Meta invents next."""

    field: str
    value: dict[str, Any] = {}


class Unreadable(Arrival, frozen=True, kw_only=True):
    """An item that could not be understood. `reason` holds nothing of what it said."""

    reason: str


class StandbyReceived(Arrival, frozen=True, kw_only=True):
    """A copy of what another app or agent handles on a shared number. Never answer it by machine."""

    event: MessageReceived | MessageReacted | MessageEdited | MessageRevoked | IdentityChanged | MessageEchoed


Event = (
    MessageReceived | MessageReacted | MessageEdited | MessageRevoked | IdentityChanged | StatusReceived
    | PaymentStatusReceived | CallReceived | MessageEchoed | HistoryReceived | ContactSynced | PreferenceChanged
    | TemplateChanged | NumberChanged | AccountChanged | HandoverChanged | StandbyReceived | LinkClicked
    | AccountErrors | FieldReceived | Unreadable
)


def event_key(event: Event) -> str:
    """The same text for the same event however often Meta repeats it; empty when it has none (`AccountErrors`)."""
    number = event.phone_number_id or ""
    match event:
        case StatusReceived():
            return event.event_key
        case MessageReceived() | MessageReacted():
            return f"message:{number}:{event.wamid}"
        case MessageEdited():
            return f"edit:{number}:{event.wamid}:{event.target_wamid}"
        case MessageRevoked():
            return f"revoke:{number}:{event.wamid}:{event.target_wamid}"
        case IdentityChanged() if event.wamid:
            return f"identity:{number}:{event.wamid}"
        case MessageEchoed():
            return f"echo:{number}:{event.wamid}:{event.target_wamid or ''}"
        case CallReceived():
            return f"call:{number}:{event.call_id}:{event.event}:{event.status or ''}"
        case StandbyReceived():
            return f"standby:{event_key(event.event)}"
        case AccountErrors():
            return ""
        case _:
            return f"{type(event).__name__}:{event.fingerprint}"
