"""Contact cards inside messages: who is on one, as far as one can write to them."""

from __future__ import annotations

import msgspec

from chime.inbox import queries, thread
from chime.inbox.model import Message
from chime.web.here import Here


class Card(msgspec.Struct, frozen=True):
    """A person on a card, as far as one can write to them."""

    name: str
    phone: str


def card_of(message: Message, place: int) -> Card | None:
    """The person at a place of a message; None for no such place, and for one without a number."""
    content = message.content.get("contacts") or []
    if message.type != "contacts" or not isinstance(content, list) or not 0 <= place < len(content):
        return None
    person = content[place] if isinstance(content[place], dict) else {}
    name, phones = person.get("name"), person.get("phones")
    named = name if isinstance(name, dict) else {}
    numbers = [phone for phone in phones if isinstance(phone, dict)] if isinstance(phones, list) else []
    number = next((str(phone.get("wa_id") or phone.get("phone")) for phone in numbers
                   if phone.get("wa_id") or phone.get("phone")), "")
    if not number:
        return None
    return Card(name=str(named.get("formatted_name") or named.get("first_name") or "")[:120],
                phone="+" + "".join(sign for sign in number if sign.isdigit()))


def card_at(message: Message, place: str) -> Card | None:
    """The same of a place as an address has it."""
    return card_of(message, int(place)) if place.isascii() and place.isdigit() and len(place) < 4 else None


async def card_named(here: Here, text: str) -> Card | None:
    """The one that an address names as `<message>.<place>`, if its reader may read the conversation it is in."""
    message_id, _, place = text.partition(".")
    found = await queries.message(here.db, message_id)
    if found is None or not here.actor.sees_numbers:
        return None
    return card_at(found, place) if await thread.in_hand(here, found.conversation_id) else None
