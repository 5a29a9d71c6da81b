"""The demo world: a small pottery shop's customers, of every kind, and what they wrote.

Older messages of both sides come as one `history` webhook, the newest ones as ordinary inbound messages with the time
they were written, so unread counts and reply windows in Chime are real. Names of messages and people are the same each
time: a sample that is sent twice is known already. All numbers are from ranges reserved for fiction.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from chime.clock import DAY, HOUR, MINUTE
from chime.simulator import identifiers, payloads, sample_media
from chime.simulator.customer_messages import write
from chime.simulator.model import Customer, Message, Number
from chime.simulator.sample_templates import sample_templates
from chime.simulator.simulator import Simulator


class Person(msgspec.Struct, kw_only=True, frozen=True):
    """A sample customer: older lines (`>` from the business, `<` from the customer) and what is new.

    `history` has (hours ago, line), `fresh` has (minutes ago, message body). `$last` in a body stands for the
    business's last message, `$own` for the customer's own newest one.
    """

    slug: str
    name: str
    phone: str | None
    about: str
    username: str | None = None
    history: tuple[tuple[float, str], ...] = ()
    fresh: tuple[tuple[float, dict[str, Any]], ...] = ()


def _text(body: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": body}}


_LIST_ANSWER = {"type": "list_reply", "list_reply": {"id": "sat-10", "title": "10:00", "description": "Saturday"}}
_CARD = {
    "name": {"formatted_name": "Rosa Marin", "first_name": "Rosa", "last_name": "Marin"},
    "phones": [{"phone": "+1 415-555-0177", "wa_id": "14155550177", "type": "CELL"}],
    "org": {"company": "Marin Events"},
}
_ORDER = {
    "catalog_id": "801",
    "text": "Gift wrapped if you can",
    "product_items": [
        {"product_retailer_id": "MUG-BLUE", "quantity": 2, "item_price": 18.5, "currency": "USD"},
        {"product_retailer_id": "PLATE-SAND", "quantity": 4, "item_price": 24, "currency": "USD"},
    ],
}
_AD = {
    "source_url": "https://shop.example/ad/harbour", "source_id": "120210000000000001", "source_type": "ad",
    "headline": "The harbour series", "body": "Handmade, a fifth off this week", "media_type": "image",
    "image_url": "https://shop.example/ad/harbour.png", "ctwa_clid": "AffSampleClickHarbour",
}
_POLL_ERROR = {
    "code": 131051, "title": "Message type unknown", "message": "Message type unknown",
    "error_data": {"details": "Message type is currently not supported."},
}

PEOPLE = (
    Person(
        slug="maya", name="Maya Chen", phone="14155550101", about="asks, and reacts to answers",
        history=(
            (50, "< Hi! Do the blue mugs survive the dishwasher?"),
            (49.5, "> They do, all our glazes are fired at 1,240 °C."),
            (49, "< Great, I ordered two 🙌"),
            (27, "> They left this morning and should be with you on Friday."),
        ),
        fresh=(
            (16, {"type": "reaction", "reaction": {"message_id": "$last", "emoji": "❤️"}}),
            (15, _text("They just arrived and they are beautiful! Do you also make matching saucers?")),
        ),
    ),
    Person(
        slug="tom", name="Tom Hughes", phone="447700900142", about="sends a picture",
        history=((70, "> Your parcel was handed to the courier."), (69, "< Thanks!")),
        fresh=((42, {"type": "image", "image": {"caption": "The mug has a chip on the rim 😕"}}),),
    ),
    Person(
        slug="aisha", name="Aisha Rahman", phone="447700900377", about="sends voice notes",
        fresh=((8, {"type": "audio", "audio": {"voice": True}}), (7, _text("Sorry, easier to say than to type"))),
    ),
    Person(
        slug="lucas", name="Lucas Moreau", phone="33639980014", about="shares a place",
        history=((5, "> Of course we deliver. Where to?"),),
        fresh=((95, {"type": "location", "location": {
            "latitude": 37.8079, "longitude": -122.4177, "name": "Pier 39 Café", "address": "Beach Street",
        }}),),
    ),
    Person(
        slug="priya", name="Priya Nair", phone="14155550119", about="answers a list",
        history=((4, "> When would you like to come to the workshop?"),),
        fresh=((180, {"type": "interactive", "interactive": _LIST_ANSWER, "context": {"id": "$last"}}),),
    ),
    Person(
        slug="noor", name="Noor", phone=None, username="noor.makes", about="username only, no phone number",
        fresh=((25, _text("Hello, do you sell unglazed test tiles?")), (24, _text("About fifty of them"))),
    ),
    Person(
        slug="elena", name="Elena Rossi", phone="33639980027", about="came by an advertisement",
        fresh=((3, {**_text("I saw your ad. Is the offer valid for shipping to France?"), "referral": _AD}),),
    ),
    Person(
        slug="jonas", name="Jonas Weber", phone="493023125042", about="outside the 24-hour window",
        history=((76, "> Wir melden uns, sobald die Vase fertig ist."),),
        fresh=((31 * 60, _text("Guten Tag, ist die Vase schon gebrannt?")),),
    ),
    Person(
        slug="sam", name="Sam Taylor", phone="14155550133", about="orders from the catalogue",
        fresh=((58, {"type": "order", "order": _ORDER}),),
    ),
    Person(
        slug="hana", name="Hana Sato", phone="61491570156", about="sends stickers", username="hana.s",
        history=((30, "< Can I pick it up today?"), (29.8, "> Yes, until six.")),
        fresh=((120, {"type": "sticker", "sticker": {}}), (119, _text("Thank you, got it!"))),
    ),
    Person(
        slug="diego", name="Diego Vargas", phone="14155550148", about="shares a contact",
        fresh=((210, _text("For the wholesale order please talk to my colleague")),
               (209, {"type": "contacts", "contacts": [_CARD]})),
    ),
    Person(
        slug="grace", name="Grace Okafor", phone="447700900580", about="sends a document",
        history=((26, "> Could you send us the purchase order?"),),
        fresh=((310, {"type": "document", "document": {"caption": "Here it is"}}),),
    ),
    Person(
        slug="omar", name="Omar Haddad", phone="14155550162", about="edits and deletes",
        fresh=(
            (12, _text("Can you keep 3 bowls for me?")),
            (11, {"type": "edit", "edit": {"original_message_id": "$own", "message": _text("Can you keep 6 bowls?")}}),
            (10, _text("sent to the wrong chat")),
            (9, {"type": "revoke", "revoke": {"original_message_id": "$own"}}),
        ),
    ),
    Person(
        slug="ruth", name="Ruth Levi", phone="61491570157", about="sends what cannot be shown",
        fresh=(
            (400, {"type": "unsupported", "unsupported": {"type": "poll_creation"}, "errors": [_POLL_ERROR]}),
            (399, _text("Which of the three colours do you like best?")),
        ),
    ),
    Person(
        slug="ivy", name="Ivy Brooks", phone="14155550185", about="sends a video",
        fresh=((500, {"type": "video", "video": {"caption": "How I use your bowls"}}),),
    ),
)


async def seed(simulator: Simulator, phone_number_id: str | None = None, *, deliver: bool = True) -> None:
    """Fill the shop, once. With `deliver=False` only the phones: for a Chime that has the conversations already."""
    number = simulator.world.number(phone_number_id)
    first = simulator.world.customers.get(PEOPLE[0].slug)
    if first is not None and number.phone_number_id in first.conversations:
        return
    for template in sample_templates():
        simulator.world.add_template(number.waba_id, template)
    with simulator.courier.muted(not deliver):
        people = [(person, _customer(simulator, person)) for person in PEOPLE]
        _send_history(simulator, number, people)
        for person, customer in people:
            _send_fresh(simulator, number, person, customer)
    await simulator.settled()


def _customer(simulator: Simulator, person: Person) -> Customer:
    known = simulator.world.customers.get(person.slug)
    if known is not None:
        return known
    digits = str(int(hashlib.sha256(person.slug.encode()).hexdigest(), 16))[:20]
    return simulator.world.add_customer(
        customer_id=person.slug, name=person.name, phone=person.phone, username=person.username, about=person.about,
        user_id=f"{identifiers.country(person.phone)}.{digits}",
    )


def _send_history(simulator: Simulator, number: Number, people: list[tuple[Person, Customer]]) -> None:
    now = simulator.clock.now()
    threads: list[tuple[Customer, list[Message]]] = []
    for person, customer in people:
        messages = [
            _old_message(customer, number, index, line, now - int(hours * HOUR))
            for index, (hours, line) in enumerate(person.history)
        ]
        for message in messages:
            simulator.world.remember(customer, number.phone_number_id, message)
        if messages:
            threads.append((customer, messages))
    told = payloads.state_sync(number, [customer for _, customer in people], now - 7 * DAY)
    simulator.courier.publish(number.waba_id, "smb_app_state_sync", told)
    simulator.courier.publish(number.waba_id, "history", payloads.history(number, threads))


def _old_message(customer: Customer, number: Number, index: int, line: str, at: int) -> Message:
    outgoing = line.startswith(">")
    name = f"{number.phone_number_id}:{customer.customer_id}:old:{index}"
    return Message(
        wamid=identifiers.sample_wamid(customer.address, name, outgoing=outgoing),
        sender="business" if outgoing else "customer", type="text", content={"body": line[2:]}, at=at, status="read",
    )


def _send_fresh(simulator: Simulator, number: Number, person: Person, customer: Customer) -> None:
    now = simulator.clock.now()
    messages = simulator.world.conversation(customer, number.phone_number_id).messages
    for index, (minutes, body) in enumerate(person.fresh):
        names = {
            "$last": next((one.wamid for one in reversed(messages) if not one.from_customer), ""),
            "$own": next((one.wamid for one in reversed(messages) if one.from_customer), ""),
        }
        name = f"{number.phone_number_id}:{person.slug}:new:{index}"
        wamid = identifiers.sample_wamid(customer.address, name, outgoing=False)
        at = now - int(minutes * MINUTE)
        write(simulator, customer, _filled(body, names, simulator, number), number=number, at=at, wamid=wamid)


def _filled(body: dict[str, Any], names: dict[str, str], simulator: Simulator, number: Number) -> dict[str, Any]:
    """The body with the wamids in place of their names, and the picture of a mug where a picture is sent."""
    filled: dict[str, Any] = _replace(body, names)
    if filled["type"] == "image":
        content = sample_media.product_photo(70, 130, 170)
        media = simulator.world.add_media(number.phone_number_id, content, "image/png")
        filled["image"] = {**filled["image"], "id": media.media_id}
    return filled


def _replace(thing: Any, names: dict[str, str]) -> Any:
    if isinstance(thing, dict):
        return {key: _replace(item, names) for key, item in thing.items()}
    return names.get(thing, thing) if isinstance(thing, str) else thing
