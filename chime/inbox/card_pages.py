"""Saving a person whose card somebody sent as a contact of the workspace."""

from __future__ import annotations

import json
from typing import Any

from litestar import post
from litestar.response import Response

from chime import contacts
from chime.contacts import NewContact
from chime.errors import Conflict, Forbidden, NotFound
from chime.inbox.cards import card_at
from chime.inbox.message_pages import answer_bubble, message_or_404
from chime.security.permissions import Permission, Reach
from chime.web.here import Here

_SAVE = "/w/{slug:str}/inbox/{conversation_id:str}/messages/{message_id:str}/cards/{place:str}"


@post(_SAVE, opt={"permission": Permission.CONTACTS_EDIT}, status_code=200)
async def create_contact_of_card(here: Here, conversation_id: str, message_id: str, place: str) -> Response[Any]:
    """Save the person of a card. Whoever is a contact already stays as they are."""
    card = card_at(await message_or_404(here, conversation_id, message_id), place)
    if card is None:
        raise NotFound("There is no card with a number.")
    # A refusal because the contact is there already would tell an agent who else is a customer.
    if here.actor.grant(Permission.CONTACTS_EDIT).reach <= Reach.OWN:
        raise Forbidden("This needs the whole list of contacts, or a team's.")
    said = here.words("Saved as a contact")
    try:
        async with here.workspace.write(here.actor) as tx:
            await contacts.create(tx, NewContact(name=card.name, phone=card.phone))
    except Conflict:
        said = here.words("This person is a contact already")
    answer = await answer_bubble(here, conversation_id, message_id)
    answer.headers["HX-Trigger"] = json.dumps({"toast": {"text": said}})
    return answer


ROUTES = [create_contact_of_card]
