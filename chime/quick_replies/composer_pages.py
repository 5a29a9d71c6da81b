"""Quick replies where an answer is written: what fits the letters after a slash, filled for this conversation."""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.response import Response

from chime import audit, channels, contacts, inbox
from chime.audit import Reading
from chime.contacts import Contact
from chime.errors import NotFound
from chime.phone import shown_text
from chime.quick_replies import actions, queries
from chime.quick_replies.model import QuickReply, reader
from chime.quick_replies.variables import FIELDS, fill, first_name
from chime.security.permissions import Permission
from chime.web.here import Here

REPLY = {"permission": Permission.INBOX_REPLY}
_HERE = "/w/{slug:str}/inbox/{conversation_id:str}/replies"
MOST_OFFERED = 12
_LONGEST_TYPED = 40


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A quick reply as the composer takes it: `text` for this customer, `missing` the names of what nothing filled."""

    reply: QuickReply
    text: str
    missing: tuple[str, ...]


@get(_HERE, opt=REPLY)
async def list_offered_replies(here: Here, conversation_id: str) -> Response[bytes]:
    typed = here.request.query_params.get("q", "").replace("\0", "")[:_LONGEST_TYPED]
    found = await queries.offered(here.db, reader(here.actor), typed, limit=MOST_OFFERED)
    values = await _values(here, conversation_id)
    offers = []
    for reply in found:
        filled = fill(reply.text, values)
        offers.append(Offer(reply=reply, text=filled.text, missing=filled.missing))
    return here.page("quick_replies/_offers.html", offers=offers, conversation_id=conversation_id)


async def _values(here: Here, conversation_id: str) -> dict[str, str]:
    """What there is to put into the blanks. Raises NotFound."""
    conversation = await inbox.conversation(here.db, conversation_id)
    if conversation is None:
        raise NotFound("There is no such conversation.")
    contact = await contacts.contact(here.db, conversation.contact_id)
    audit.read(here, Reading.CONTACT, conversation.contact_id)  # a text with blanks is another way to look somebody up
    channel = await channels.channel(here.db, conversation.channel_id)
    agent = here.actor.name
    ours = {"agent.name": agent, "agent.first_name": first_name(agent), "workspace.name": here.record.name,
            "channel.name": channel.title if channel else ""}
    return ours | (_of(contact) if contact else {})


def _of(contact: Contact) -> dict[str, str]:
    """The contact's side, as this reader may see it: a number prints itself masked for who may not."""
    name = contact.name or contact.profile_name
    values = {"contact.name": name, "contact.first_name": first_name(name),
              "contact.username": f"@{contact.username}" if contact.username else ""}
    values |= {FIELDS + key: str(value) for key, value in contacts.shown_values(contact.fields).items()
               if value is not None and not isinstance(value, bool)}
    return {key: shown_text(value) for key, value in values.items()} | {
        "contact.phone": str(contact.phone) if contact.phone else ""}


@post(_HERE + "/{reply_id:str}/use", opt=REPLY | {"small": True}, status_code=204)
async def create_reply_use(here: Here, conversation_id: str, reply_id: str) -> None:
    """It was put into an answer; counted, so that what is used comes first."""
    if await inbox.conversation(here.db, conversation_id) is None:
        raise NotFound("There is no such conversation.")
    async with here.workspace.write(here.actor) as tx:
        await actions.note_use(tx, reply_id, conversation_id)


ROUTES = [list_offered_replies, create_reply_use]
