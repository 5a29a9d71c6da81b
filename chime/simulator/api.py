"""The simulator by JSON: customers and what they do, ledger, switches, clock. The phone page and tests use it.

Errors are problem documents that name the field. Bodies must be declared as JSON: a page of another origin cannot
send that without asking, so no cookie or token is needed on an address that only a demo or a test has.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, TypeAlias, TypeVar

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from chime.errors import Invalid, NotFound
from chime.simulator import display, identifiers
from chime.simulator.customer_messages import write
from chime.simulator.faults import Switches
from chime.simulator.model import INBOUND_MEDIA_LIFE, Conversation, Customer, Number
from chime.simulator.simulator import Simulator

MAX_FILE = 20 << 20

PhoneRequest = Request[Any, Any, Any]
Injected: TypeAlias = NamedDependency[Simulator]
Id: TypeAlias = FromPath[str]
Answer = Response[Any]
T = TypeVar("T")


class NewCustomer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /simulator/customers`. Without `phone` the customer is known by username only."""

    name: str
    phone: str | None = None
    username: str | None = None


class NewNumber(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /simulator/numbers`: another business number, perhaps of another account."""

    phone_number_id: str
    waba_id: str
    display_phone_number: str
    verified_name: str


class NewChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /simulator/changes`: any webhook field, as given."""

    field: str
    value: dict[str, Any]
    waba_id: str | None = None


class Preference(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`PUT …/preference`: stop or resume marketing."""

    value: str


class Verdict(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST …/status` of a template: Meta's word on it."""

    event: str
    reason: str = "NONE"


class Forward(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /simulator/clock`."""

    hours: float


class Played(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST …/played`: the voice note that was played."""

    wamid: str


@get("/customers")
async def list_customers(request: PhoneRequest, simulator: Injected) -> Answer:
    """Every customer with the end of the chat, newest chat first."""
    number = simulator.world.number(request.query_params.get("phone_number_id"))
    rows = list(simulator.world.chats(number.phone_number_id))
    rows.sort(key=lambda row: row[1].messages[-1].at if row[1].messages else 0, reverse=True)
    return Response({"items": [_customer(simulator, customer, chat) for customer, chat in rows]})


@post("/customers")
async def create_customer(request: PhoneRequest, simulator: Injected) -> Answer:
    """A new person with WhatsApp."""
    new = await _read(request, NewCustomer)
    if not new.name.strip():
        raise Invalid.field("name", "give a name")
    username = new.username.strip().lstrip("@") if new.username else None
    customer = simulator.world.add_customer(name=new.name.strip(), phone=new.phone, username=username or None)
    simulator.nudge(customer.customer_id)
    return Response(_customer(simulator, customer, Conversation()), status_code=201)


@get("/customers/{customer_id:str}/messages")
async def list_messages(request: PhoneRequest, customer_id: Id, simulator: Injected) -> Answer:
    """The chat as the phone shows it, oldest first."""
    customer = simulator.world.customer(customer_id)
    number = simulator.world.number(request.query_params.get("phone_number_id"))
    conversation = simulator.world.conversation(customer, number.phone_number_id)
    return Response(
        {
            "customer": _customer(simulator, customer, conversation),
            "business": number.verified_name,
            "typing": conversation.typing_until > simulator.clock.now(),
            "items": display.chat(conversation, customer),
        }
    )


@post("/customers/{customer_id:str}/messages")
async def create_message(request: PhoneRequest, customer_id: Id, simulator: Injected) -> Answer:
    """The customer writes, answers, reacts, edits, deletes: the body of an inbound message without its base.

    `phone_number_id` (which business number) and `at` (unix milliseconds, may lie in the past) may stand beside it.
    """
    body = await _json(request)
    if not isinstance(body, dict):
        raise Invalid.field("body", "give a JSON object")
    customer = simulator.world.customer(customer_id)
    at = body.pop("at", None)
    if at is not None and (not isinstance(at, int) or isinstance(at, bool) or not 0 < at <= simulator.clock.now()):
        raise Invalid.field("at", "give unix milliseconds, not later than now")
    number = simulator.world.number(body.pop("phone_number_id", None))
    return Response(write(simulator, customer, body, number=number, at=at), status_code=201)


@post("/customers/{customer_id:str}/media", request_max_body_size=MAX_FILE)
async def create_media(request: PhoneRequest, customer_id: Id, simulator: Injected) -> Answer:
    """A file from the phone: the raw bytes with their Content-Type; `?filename=`. Send it as a message by its id."""
    simulator.world.customer(customer_id)
    content = await request.body()
    mime_type = request.headers.get("content-type", "").strip()
    errors = [("content-type", "say what kind of file it is")] if "/" not in mime_type else []
    if not content:
        errors.append(("body", "the file is empty"))
    if errors:
        raise Invalid(errors)
    number = simulator.world.number(request.query_params.get("phone_number_id"))
    filename = request.query_params.get("filename")
    media = simulator.store_upload(number, content, mime_type, filename, INBOUND_MEDIA_LIFE)
    return Response({"id": media.media_id, "mime_type": mime_type, "sha256": media.sha256}, status_code=201)


@post("/customers/{customer_id:str}/played", status_code=204)
async def create_play(request: PhoneRequest, customer_id: Id, simulator: Injected) -> None:
    """The customer played a voice note of the business."""
    simulator.world.customer(customer_id)
    simulator.played((await _read(request, Played)).wamid)


@put("/customers/{customer_id:str}/preference", status_code=204)
async def update_preference(request: PhoneRequest, customer_id: Id, simulator: Injected) -> None:
    """The customer stops or resumes marketing messages in WhatsApp's own settings."""
    choice = await _read(request, Preference)
    simulator.change_preference(simulator.world.customer(customer_id), choice.value)


@put("/customers/{customer_id:str}/reachability", status_code=204)
async def update_reachability(request: PhoneRequest, customer_id: Id, simulator: Injected) -> None:
    """Whether the customer still has WhatsApp; messages to someone who has not fail with 131026."""
    body = await _json(request)
    reachable = body.get("reachable") if isinstance(body, dict) else None
    if not isinstance(reachable, bool):
        raise Invalid.field("reachable", "give true or false")
    simulator.world.customer(customer_id).unreachable = not reachable


@post("/numbers")
async def create_number(request: PhoneRequest, simulator: Injected) -> Answer:
    """Another business number, with the first app listening to its account."""
    new = await _read(request, NewNumber)
    if new.phone_number_id in simulator.world.numbers:
        raise Invalid.field("phone_number_id", "this number is there already")
    number = Number(
        phone_number_id=new.phone_number_id, waba_id=new.waba_id, verified_name=new.verified_name,
        display_phone_number=identifiers.digits(new.display_phone_number),
    )
    simulator.world.add_number(number, subscribed_app=next(iter(simulator.world.apps), None))
    return Response(number, status_code=201)


@post("/changes", status_code=202)
async def create_change(request: PhoneRequest, simulator: Injected) -> Answer:
    """Post any webhook field with any value."""
    new = await _read(request, NewChange)
    waba_id = new.waba_id or simulator.world.number(None).waba_id
    simulator.publish_raw(waba_id, new.field, new.value)
    return Response({"waba_id": waba_id, "field": new.field}, status_code=202)


@post("/templates/{template_id:str}/status", status_code=202)
async def create_verdict(request: PhoneRequest, template_id: Id, simulator: Injected) -> Answer:
    """Meta approves, rejects, pauses … a template."""
    verdict = await _read(request, Verdict)
    for waba_id, known in simulator.world.templates.items():
        if template_id in known:
            return Response(simulator.change_template(waba_id, template_id, verdict.event, verdict.reason))
    raise NotFound("There is no such template.")


@get("/ledger")
async def list_ledger(simulator: Injected) -> Answer:
    """Every accepted send, and how often each `biz_opaque_callback_data` was accepted."""
    entries = simulator.world.ledger
    counts = Counter(entry.callback_data for entry in entries if entry.callback_data is not None)
    return Response({"items": entries, "count_by_callback_data": counts})


@get("/deliveries")
async def list_deliveries(simulator: Injected) -> Answer:
    """How the last webhook POSTs went, and how many updates are still on their way or lost."""
    courier = simulator.courier
    return Response({"items": list(courier.deliveries), "open": courier.open, "lost": courier.lost})


@get("/switches")
async def show_switches(simulator: Injected) -> Response[Switches]:
    return Response(simulator.switches)


@put("/switches")
async def update_switches(request: PhoneRequest, simulator: Injected) -> Response[Switches]:
    """Set the switches named in the body; the others stay as they are."""
    return Response(simulator.set_switches(await _json(request)))


@delete("/switches", status_code=200)
async def delete_switches(simulator: Injected) -> Response[Switches]:
    """Everything off again."""
    return Response(simulator.set_switches(msgspec.to_builtins(Switches())))


@post("/clock", status_code=200)
async def update_clock(request: PhoneRequest, simulator: Injected) -> Answer:
    """Move the time forward."""
    now = simulator.forward((await _read(request, Forward)).hours)
    return Response({"now": now, "ahead_ms": simulator.clock.offset})


HANDLERS = (
    list_customers, create_customer, list_messages, create_message, create_media, create_play, update_preference,
    update_reachability, create_number, create_change, create_verdict, list_ledger, list_deliveries, show_switches,
    update_switches, delete_switches, update_clock,
)


def _customer(simulator: Simulator, customer: Customer, conversation: Conversation) -> dict[str, Any]:
    messages = conversation.messages
    return {
        "id": customer.customer_id,
        "name": customer.name,
        "phone": customer.phone,
        "username": customer.username,
        "user_id": customer.user_id,
        "about": customer.about,
        "stopped_marketing": customer.stopped_marketing,
        "reachable": not customer.unreachable,
        "window_open": conversation.window_until > simulator.clock.now(),
        "last_text": display.summary(messages[-1]) if messages else "",
        "last_at": messages[-1].at if messages else None,
    }


async def _json(request: PhoneRequest) -> Any:
    if request.content_type[0] != "application/json":
        raise Invalid.field("content-type", "send application/json")
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise Invalid.field("body", "this is no JSON") from error


async def _read(request: PhoneRequest, kind: type[T]) -> T:
    try:
        return msgspec.convert(await _json(request), kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise Invalid.field(place.rstrip("`") or _named(message), message) from error


def _named(message: str) -> str:
    """The field a message of msgspec's names in backticks (missing and unknown ones), else the body as a whole."""
    parts = message.split("`")
    return parts[1] if len(parts) > 2 and "field" in message else "body"
