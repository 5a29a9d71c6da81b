"""What exists on the other side: Meta's apps, tokens, numbers and templates, and the customers with their phones.

Everything is plain Structs in memory; nothing here knows HTTP. `World` finds things and keeps the rules that are
about state: whether the 24-hour window is open, what a message costs, how fast one customer may be written to.
Times are unix milliseconds of the clock handed in, so the world can be moved forward.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from chime.clock import DAY, HOUR, SECOND, Clock
from chime.errors import Invalid, NotFound
from chime.ids import Ids
from chime.simulator import identifiers
from chime.simulator.graph_errors import GraphError

WINDOW = 24 * HOUR
FREE_ENTRY = 72 * HOUR
MEDIA_ADDRESS_LIFE = 5 * 60 * SECOND
UPLOADED_MEDIA_LIFE = 30 * DAY
INBOUND_MEDIA_LIFE = 7 * DAY
FREE_SERVICE_MESSAGES = 1_000
PAIR_INTERVAL = 6 * SECOND
PAIR_BURST = 45
LEDGER_LIMIT = 100_000
FIELDS = ("account_alerts", "account_review_update", "account_update", "business_capability_update",
          "message_template_quality_update", "message_template_status_update", "messages", "phone_number_name_update",
          "phone_number_quality_update", "security", "template_category_update", "user_preferences")


class App(msgspec.Struct, kw_only=True):
    """A Meta app: it signs, and this is where it posts to, of what it shall hear."""

    app_id: str
    app_secret: str
    verify_token: str
    webhook_url: str
    name: str = "Chime (simulated)"
    fields: tuple[str, ...] = FIELDS
    webhook_active: bool = True


class Token(msgspec.Struct, kw_only=True):
    """An access token. It reaches every number of the simulator unless `waba_ids` names the accounts, and has every
    permission that it does not lack. `expires_at` is in seconds, 0 is never."""

    value: str
    app_id: str
    expired: bool = False
    expires_at: int = 0
    lacks: tuple[str, ...] = ()
    waba_ids: tuple[str, ...] = ()


class Number(msgspec.Struct, kw_only=True):
    """A business phone number."""

    phone_number_id: str
    waba_id: str
    display_phone_number: str
    verified_name: str
    quality_rating: str = "GREEN"
    status: str = "CONNECTED"
    name_status: str = "APPROVED"
    messaging_limit: str = "TIER_2K"
    can_send: str = ""  # AVAILABLE, LIMITED or BLOCKED; empty: as `status` lets it
    override_url: str = ""
    service_messages: int = 0


class Subscription(msgspec.Struct, kw_only=True):
    """An app listening to a WhatsApp Business Account, perhaps at another address than the app's own."""

    app_id: str
    override_url: str | None = None


class Template(msgspec.Struct, kw_only=True):
    """A message template as `GET /{WABA}/message_templates` shows it."""

    template_id: str
    name: str
    language: str
    category: str
    components: list[dict[str, Any]]
    status: str = "APPROVED"
    parameter_format: str = "POSITIONAL"
    quality: str = "UNKNOWN"


class Media(msgspec.Struct, kw_only=True):
    """A file. Its id lives for days, each address given out for it five minutes."""

    media_id: str
    phone_number_id: str
    content: bytes
    mime_type: str
    sha256: str
    filename: str | None
    expires_at: int


class Message(msgspec.Struct, kw_only=True):
    """A message as the customer's phone shows it. `content` is the type's part, as on the wire."""

    wamid: str
    sender: str
    type: str
    content: Any
    at: int
    status: str
    quoted: str | None = None
    callback_data: str | None = None
    forwarded: bool = False
    referral: dict[str, Any] | None = None
    reactions: dict[str, str] = msgspec.field(default_factory=dict)
    edited: bool = False
    revoked: bool = False
    error: dict[str, Any] | None = None
    pricing: dict[str, Any] | None = None
    template_text: dict[str, Any] | None = None

    @property
    def from_customer(self) -> bool:
        return self.sender == "customer"

    def react(self, who: str, emoji: str) -> None:
        """`who` (customer or business) puts an emoji on the message; an empty one takes it away."""
        if emoji:
            self.reactions[who] = emoji
        else:
            self.reactions.pop(who, None)


class Conversation(msgspec.Struct, kw_only=True):
    """One customer with one business number."""

    messages: list[Message] = msgspec.field(default_factory=list)
    window_until: int = 0
    referred_at: int = 0
    free_until: int = 0
    pair_time: int = 0
    typing_until: int = 0
    blocked: bool = False


class Customer(msgspec.Struct, kw_only=True):
    """A person with WhatsApp. `phone` is None when a username hides it from businesses."""

    customer_id: str
    name: str
    phone: str | None
    user_id: str
    username: str | None = None
    about: str = ""
    unreachable: bool = False
    stopped_marketing: bool = False
    conversations: dict[str, Conversation] = msgspec.field(default_factory=dict)

    @property
    def address(self) -> str:
        """The phone number, or the user id of someone who hides it."""
        return self.phone or self.user_id


class LedgerEntry(msgspec.Struct, kw_only=True):
    """One accepted `POST /messages`. Tests count these: what is here twice has reached the customer twice."""

    wamid: str
    phone_number_id: str
    at: int
    type: str
    to: str | None
    recipient: str | None
    callback_data: str | None
    dropped: bool
    customer_id: str | None


class Draft(msgspec.Struct, kw_only=True):
    """A send that passed Meta's checks. `customer` is None when nobody has the address; `later` fails it afterwards."""

    customer: Customer | None
    address: str
    given: str
    by_user_id: bool
    type: str
    content: Any
    quoted: str | None
    callback_data: str | None
    template: Template | None = None
    template_text: dict[str, Any] | None = None
    later: GraphError | None = None


class World:
    """All of it, with the ways to find things."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self.clock = clock
        self.ids = ids
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Token] = {}
        self.numbers: dict[str, Number] = {}
        self.subscriptions: dict[str, dict[str, Subscription]] = {}
        self.templates: dict[str, dict[str, Template]] = {}
        self.media: dict[str, Media] = {}
        self.customers: dict[str, Customer] = {}
        self.ledger: list[LedgerEntry] = []
        self._messages: dict[str, tuple[str, str, Message]] = {}
        self._by_address: dict[str, str] = {}
        self._media_keys: dict[str, tuple[str, int]] = {}

    def add_number(self, number: Number, *, subscribed_app: str | None = None) -> Number:
        """Add a business number; with `subscribed_app` that app hears of it from the start."""
        self.numbers[number.phone_number_id] = number
        self.templates.setdefault(number.waba_id, {})
        apps = self.subscriptions.setdefault(number.waba_id, {})
        if subscribed_app is not None:
            apps.setdefault(subscribed_app, Subscription(app_id=subscribed_app))
        return number

    def add_template(self, waba_id: str, template: Template) -> Template:
        """Add or replace a template of an account."""
        self.templates.setdefault(waba_id, {})[template.template_id] = template
        return template

    def find_template(self, waba_id: str, name: str, language: str) -> Template | None:
        for template in self.templates.get(waba_id, {}).values():
            if template.name == name and template.language == language:
                return template
        return None

    def add_media(
        self, phone_number_id: str, content: bytes, mime_type: str, *, filename: str | None = None,
        media_id: str | None = None, life: int = INBOUND_MEDIA_LIFE,
    ) -> Media:
        """Store a file for a number."""
        media = Media(
            media_id=media_id or identifiers.object_id(self.ids),
            phone_number_id=phone_number_id,
            content=content,
            mime_type=mime_type,
            sha256=hashlib.sha256(content).hexdigest(),
            filename=filename,
            expires_at=self.clock.now() + life,
        )
        self.media[media.media_id] = media
        return media

    def find_media(self, media_id: str) -> Media | None:
        """The file of an id that has not run out."""
        media = self.media.get(media_id)
        return media if media is not None and media.expires_at > self.clock.now() else None

    def media_address(self, media: Media) -> str:
        """A new key under which the file can be fetched for five minutes."""
        now = self.clock.now()
        self._media_keys = {key: known for key, known in self._media_keys.items() if known[1] > now}
        key = self.ids.token(18)
        self._media_keys[key] = (media.media_id, now + MEDIA_ADDRESS_LIFE)
        return key

    def media_at(self, key: str) -> Media | None:
        """The file behind a key that has not run out."""
        media_id, expires_at = self._media_keys.get(key, ("", 0))
        return self.find_media(media_id) if expires_at > self.clock.now() else None

    def add_customer(
        self, *, name: str, phone: str | None, username: str | None = None, user_id: str | None = None,
        customer_id: str | None = None, about: str = "",
    ) -> Customer:
        """A new person. Someone without a phone number to show needs a username."""
        phone = identifiers.digits(phone) if phone else None
        self._check_customer(phone, username)
        customer = Customer(
            customer_id=customer_id or self.ids.new(self.clock.now()),
            name=name,
            phone=phone,
            user_id=user_id or identifiers.user_id(self.ids, phone),
            username=username,
            about=about,
        )
        self.customers[customer.customer_id] = customer
        self.index(customer)
        return customer

    def index(self, customer: Customer) -> None:
        """Make the customer findable by the present phone number and user id, and by no former one."""
        for address in [known for known, owner in self._by_address.items() if owner == customer.customer_id]:
            del self._by_address[address]
        self._by_address[customer.user_id] = customer.customer_id
        if customer.phone:
            self._by_address[customer.phone] = customer.customer_id

    def customer(self, customer_id: str) -> Customer:
        found = self.customers.get(customer_id)
        if found is None:
            raise NotFound("There is no such customer.")
        return found

    def customer_at(self, address: str) -> Customer | None:
        """Whoever has this phone number (digits) or user id."""
        owner = self._by_address.get(address)
        return self.customers[owner] if owner else None

    def number(self, phone_number_id: str | None) -> Number:
        """The named business number, or the first one."""
        if phone_number_id is None and self.numbers:
            return next(iter(self.numbers.values()))
        found = self.numbers.get(phone_number_id or "")
        if found is None:
            raise NotFound("There is no such business number.")
        return found

    def conversation(self, customer: Customer, phone_number_id: str) -> Conversation:
        return customer.conversations.setdefault(phone_number_id, Conversation())

    def remember(self, customer: Customer, phone_number_id: str, message: Message) -> None:
        """Put a message into the customer's chat, in the order of time."""
        messages = self.conversation(customer, phone_number_id).messages
        place = len(messages)
        while place and messages[place - 1].at > message.at:
            place -= 1
        messages.insert(place, message)
        self._messages[message.wamid] = (customer.customer_id, phone_number_id, message)

    def find_message(self, wamid: str) -> tuple[Customer, str, Message] | None:
        """A message with whose it is and the business number it belongs to."""
        found = self._messages.get(wamid)
        return (self.customers[found[0]], found[1], found[2]) if found else None

    def record(self, entry: LedgerEntry) -> None:
        """Write an accepted send down, bounded."""
        self.ledger.append(entry)
        del self.ledger[:-LEDGER_LIMIT]

    def window_open(self, customer: Customer, phone_number_id: str) -> bool:
        """Whether the customer wrote within the last 24 hours."""
        return self.conversation(customer, phone_number_id).window_until > self.clock.now()

    def open_window(self, customer: Customer, phone_number_id: str, at: int, *, referred: bool) -> None:
        """The customer wrote at `at`. From an advertisement, an answer in time makes 72 hours free."""
        conversation = self.conversation(customer, phone_number_id)
        conversation.window_until = max(conversation.window_until, at + WINDOW)
        if referred:
            conversation.referred_at = at

    def pair_allows(self, customer: Customer, phone_number_id: str) -> bool:
        """One message per 6 s to the same customer, up to 45 of them borrowed from the future; counts this one."""
        conversation = self.conversation(customer, phone_number_id)
        now = self.clock.now()
        due = max(conversation.pair_time, now)
        if due - now > (PAIR_BURST - 1) * PAIR_INTERVAL:
            return False
        conversation.pair_time = due + PAIR_INTERVAL
        return True

    def price(self, customer: Customer, number: Number, category: str) -> dict[str, Any]:
        """The `pricing` of a message accepted now, by the rules since October 2026."""
        conversation = self.conversation(customer, number.phone_number_id)
        now = self.clock.now()
        if conversation.referred_at and now - conversation.referred_at < WINDOW and conversation.free_until < now:
            conversation.free_until = now + FREE_ENTRY
            conversation.referred_at = 0
        if conversation.free_until > now:
            return _pricing("free_entry_point", "referral_conversion")
        if category == "service":
            number.service_messages += 1
            if number.service_messages <= FREE_SERVICE_MESSAGES:
                return _pricing("free_customer_service", category)
        return _pricing("regular", category)

    def chats(self, phone_number_id: str) -> Iterator[tuple[Customer, Conversation]]:
        """Every customer with the chat to this number, an empty one if there is none yet."""
        for customer in self.customers.values():
            yield customer, customer.conversations.get(phone_number_id) or Conversation()

    def _check_customer(self, phone: str | None, username: str | None) -> None:
        errors: list[tuple[str, str]] = []
        if not phone and not username:
            errors.append(("phone", "give a phone number, or a username for someone who hides it"))
        if phone is not None and not 7 <= len(phone) <= 15:
            errors.append(("phone", "give 7 to 15 digits with the country code"))
        if phone and phone in self._by_address:
            errors.append(("phone", "another customer has this number"))
        if username and any(known.username == username for known in self.customers.values()):
            errors.append(("username", "another customer has this username"))
        if errors:
            raise Invalid(errors)


def _pricing(kind: str, category: str) -> dict[str, Any]:
    return {"billable": kind == "regular", "pricing_model": "PMP", "type": kind, "category": category}
