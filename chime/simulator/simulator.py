"""The simulator itself: what the Graph API and the phone do to the world, and what Chime is told of it.

One object holds the world, the switches, the courier and the open phone pages. Its verbs change the world and publish
the webhooks that follow; HTTP is the business of the modules above.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from chime.clock import HOUR, SECOND, Clock
from chime.errors import Invalid, NotFound
from chime.ids import Ids
from chime.simulator import faults, identifiers, payloads
from chime.simulator.faults import Switches
from chime.simulator.graph_errors import GraphError
from chime.simulator.model import (
    App,
    Conversation,
    Customer,
    Draft,
    LedgerEntry,
    Media,
    Message,
    Number,
    Template,
    Token,
    World,
)
from chime.simulator.webhooks import RETRY_DELAYS, Courier

TYPING = 25 * SECOND
HEARTBEAT_SECONDS = 15.0
MAX_FORWARD_HOURS = 24 * 90


class Pace(msgspec.Struct, kw_only=True, frozen=True):
    """How long a message takes from one tick to the next, in seconds."""

    sent: float = 0.08
    delivered: float = 0.35
    read: float = 0.9


class _Listener:
    """One open phone page: what changed since it was told last. Bounded by the number of customers."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self.woken = asyncio.Event()


class Simulator:
    """A WhatsApp of our own: Meta's side of the wire and the customers' phones."""

    def __init__(
        self, clock: Clock, ids: Ids | None = None, *, pace: Pace | None = None,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self.clock = clock
        self.ids = ids or Ids()
        self.world = World(clock, self.ids)
        self.switches = Switches()
        self.courier = Courier(self.world, lambda: self.switches, retry_delays=retry_delays)
        self._pace = pace or Pace()
        self._listeners: set[_Listener] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._following = 0
        self._closed = False

    @asynccontextmanager
    async def running(self, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[None]:
        """Webhooks are posted while inside, over the network or by `transport`; everything is cancelled and awaited
        on the way out."""
        self._closed = False
        async with self.courier.running(transport):
            try:
                yield
            finally:
                self.hang_up()

    def add_app(
        self, *, app_id: str, app_secret: str, verify_token: str, webhook_url: str, access_token: str,
    ) -> App:
        """Add a Meta app with one access token of its system user."""
        app = App(app_id=app_id, app_secret=app_secret, verify_token=verify_token, webhook_url=webhook_url)
        self.world.apps[app_id] = app
        self.world.tokens[access_token] = Token(value=access_token, app_id=app_id)
        return app

    # -- switches and time ------------------------------------------------------------------------------------------

    def set_switches(self, change: object) -> Switches:
        """Set the named switches; `hold_statuses` going off lets the held ones go."""
        self.switches = faults.changed(self.switches, change)
        if self.switches.hold_statuses:
            self._flowing.clear()
        else:
            self._flowing.set()
        return self.switches

    def forward(self, hours: float) -> int:
        """Move the clock; returns the new time."""
        if not 0 < hours <= MAX_FORWARD_HOURS:
            raise Invalid.field("hours", f"give a number of hours above 0 and up to {MAX_FORWARD_HOURS}")
        self.clock.advance(int(hours * HOUR))
        for customer_id in self.world.customers:
            self.nudge(customer_id)
        return self.clock.now()

    async def settled(self, seconds: float = 10.0) -> bool:
        """Wait until every webhook has arrived and no status is due any more. False when it takes longer."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            if self.courier.open == 0 and self._following == 0:
                return True
            await asyncio.sleep(0.02)
        return False

    # -- what the business does -------------------------------------------------------------------------------------

    def accept(self, number: Number, draft: Draft, *, dropped: bool = False) -> dict[str, Any]:
        """Take a checked send: ledger, the customer's chat, the statuses to come. Returns Meta's answer."""
        world, now = self.world, self.clock.now()
        message = Message(
            wamid=identifiers.wamid(self.ids, draft.address, outgoing=True),
            sender="business",
            type=draft.type,
            content=draft.content,
            at=now,
            status="accepted",
            quoted=draft.quoted,
            callback_data=draft.callback_data,
            template_text=draft.template_text,
        )
        if draft.later is None and self.switches.spend("fail_next"):
            draft.later = GraphError(self.switches.fail_code)
        if draft.customer is not None and draft.later is None:
            message.pricing = world.price(draft.customer, number, _category(draft))
            self._show(draft.customer, number, message)
        world.record(
            LedgerEntry(
                wamid=message.wamid, phone_number_id=number.phone_number_id, at=now, type=draft.type,
                to=None if draft.by_user_id else draft.given, recipient=draft.given if draft.by_user_id else None,
                callback_data=draft.callback_data, dropped=dropped,
                customer_id=draft.customer.customer_id if draft.customer else None,
            )
        )
        self._following += 1
        self.courier.spawn(self._follow(number, draft, message))
        return {
            "messaging_product": "whatsapp",
            "contacts": [{"input": draft.given, ("user_id" if draft.by_user_id else "wa_id"): draft.address}],
            "messages": [{"id": message.wamid, "message_status": "accepted"}],
        }

    def mark_read(self, number: Number, wamid: str, *, typing: bool) -> None:
        """The business saw this message and all before it; perhaps it is typing."""
        found = self.world.find_message(wamid)
        if found is None or found[1] != number.phone_number_id or not found[2].from_customer:
            raise GraphError(131009, "Parameter 'message_id' is not valid: there is no such message")
        customer, _, read = found
        conversation = self.world.conversation(customer, number.phone_number_id)
        for message in conversation.messages:
            if message.from_customer and message.at <= read.at:
                message.status = "read"
        if typing:
            conversation.typing_until = self.clock.now() + TYPING
        self.nudge(customer.customer_id)

    def _show(self, customer: Customer, number: Number, message: Message) -> None:
        """The message reaches the phone; a reaction sticks to its message instead."""
        conversation = self.world.conversation(customer, number.phone_number_id)
        if message.type == "reaction":
            found = self.world.find_message(message.content["message_id"])
            if found is not None:
                found[2].react("business", message.content["emoji"])
        else:
            self.world.remember(customer, number.phone_number_id, message)
            conversation.typing_until = 0
        self.nudge(customer.customer_id)

    async def _follow(self, number: Number, draft: Draft, message: Message) -> None:
        """The statuses of one message, one after the other."""
        try:
            for name, delay in self._statuses(draft, message):
                # Out of order they must meet in the courier's hands, so nothing waits.
                if not self.switches.out_of_order:
                    await asyncio.sleep(delay)
                await self._flowing.wait()
                if name == "read" and self.switches.no_read_receipts:
                    break
                self._tell_status(number, draft, message, name)
        finally:
            self._following -= 1

    def _statuses(self, draft: Draft, message: Message) -> list[tuple[str, float]]:
        pace = self._pace
        if draft.later is not None:
            # 131053 is found out after the message has left, everything else before.
            first = [("sent", pace.sent)] if draft.later.code == 131053 else []
            return [*first, ("failed", pace.sent)]
        if message.type == "reaction":
            return [("sent", pace.sent)]
        return [("sent", pace.sent), ("delivered", pace.delivered), ("read", pace.read)]

    def _tell_status(self, number: Number, draft: Draft, message: Message, name: str) -> None:
        message.status = name
        if name == "failed" and draft.later is not None:
            message.error = draft.later.in_webhook()
        conversation: Conversation | None = None
        if draft.customer is not None:
            conversation = self.world.conversation(draft.customer, number.phone_number_id)
            self.nudge(draft.customer.customer_id)
        told = payloads.status(number, draft, message, name, self.clock.now(), conversation)
        self.courier.publish(number.waba_id, "messages", told)

    def played(self, wamid: str) -> None:
        """The customer played a voice note of the business for the first time."""
        found = self.world.find_message(wamid)
        if found is None or found[2].from_customer or found[2].type != "audio" or found[2].status == "played":
            raise NotFound("There is no such voice message left to play.")
        customer, phone_number_id, message = found
        number = self.world.number(phone_number_id)
        draft = Draft(
            customer=customer, address=customer.address, given=customer.address, by_user_id=customer.phone is None,
            type=message.type, content=message.content, quoted=None, callback_data=message.callback_data,
        )
        self._tell_status(number, draft, message, "played")

    # -- what the account does --------------------------------------------------------------------------------------

    def change_template(self, waba_id: str, template_id: str, event: str, reason: str = "NONE") -> Template:
        """Meta decides about a template (APPROVED, PAUSED, REJECTED …) and says so."""
        template = self.world.templates.get(waba_id, {}).get(template_id)
        if template is None:
            raise NotFound("There is no such template.")
        template.status = event
        told = payloads.template_status(template, event, reason)
        self.courier.publish(waba_id, "message_template_status_update", told)
        return template

    def change_preference(self, customer: Customer, choice: str) -> None:
        """The customer stops or resumes marketing messages."""
        if choice not in ("stop", "resume"):
            raise Invalid.field("value", "it is stop or resume")
        customer.stopped_marketing = choice == "stop"
        for number in list(self.world.numbers.values()):
            told = payloads.preference(number, customer, choice, self.clock.now())
            self.courier.publish(number.waba_id, "user_preferences", told)
        self.nudge(customer.customer_id)

    def echo(self, customer: Customer, number: Number, message: Message) -> None:
        """The owner answered from the business's own phone (coexistence)."""
        self.world.remember(customer, number.phone_number_id, message)
        told = payloads.echo(number, customer, message)
        self.courier.publish(number.waba_id, "smb_message_echoes", told)
        self.nudge(customer.customer_id)

    def publish_raw(self, waba_id: str, field: str, value: dict[str, Any]) -> None:
        """Any webhook field with any value, as given."""
        if waba_id not in self.world.subscriptions:
            raise NotFound("There is no such account.")
        self.courier.publish(waba_id, field, value)

    def store_upload(self, number: Number, content: bytes, mime_type: str, filename: str | None, life: int) -> Media:
        """A file comes in, from the business or from a phone."""
        return self.world.add_media(number.phone_number_id, content, mime_type, filename=filename, life=life)

    # -- phone pages ------------------------------------------------------------------------------------------------

    def nudge(self, customer_id: str) -> None:
        """Something about this customer changed; open phone pages fetch it."""
        for listener in self._listeners:
            listener.changed.add(customer_id)
            listener.woken.set()

    async def nudges(self) -> AsyncIterator[list[str]]:
        """The customers that changed, as it happens; an empty list every 15 s. Ends when the simulator stops."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while not self._closed:
                try:
                    await asyncio.wait_for(listener.woken.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield []
                    continue
                listener.woken.clear()
                changed, listener.changed = sorted(listener.changed), set()
                if changed:
                    yield changed
        finally:
            self._listeners.discard(listener)

    def hang_up(self) -> None:
        """End every open stream, so that the server can stop at once."""
        self._closed = True
        for listener in self._listeners:
            listener.woken.set()


def _category(draft: Draft) -> str:
    return draft.template.category.lower() if draft.template is not None else "service"
