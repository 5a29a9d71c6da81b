"""From the body of `POST /api/v1/messages` to a draft: whom it goes to, from which number, what it names.

`read_send` finds everything that is wrong with the body by itself; the rest asks the workspace. An id of the body that
this workspace does not have is a NotFound naming its field, like one in the path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from chime import channels, contacts
from chime.contacts import check_user_id, normalise_phone
from chime.db import Db
from chime.errors import Invalid, NotFound
from chime.inbox import conversation_queries, merging, queries
from chime.inbox.actions import open_thread
from chime.inbox.model import Conversation, Direction, MediaState, Message, Origin
from chime.inbox.sending import Draft
from chime.security.scope import EVERYTHING
from chime.whatsapp import MEDIA_RULES, OutboundMessage, Person, check_media, parse_message
from chime.whatsapp import message_kinds as kinds
from chime.whatsapp.outbound import Interactive
from chime.whatsapp.shape import read
from chime.whatsapp.template_message import Template
from chime.workspaces import Transaction

_WHOM = ("to", "contact_id", "recipient", "conversation_id")


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who gets a message, from which of our numbers; `last_seen_message_id` is the newest that was known when it was
    written."""

    to: str | None = None
    contact_id: str | None = None
    recipient: str | None = None
    conversation_id: str | None = None
    channel_id: str | None = None
    last_seen_message_id: str | None = None


class SendMessage(Address, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of `to` (a number with + and country code), `contact_id`, `recipient` (a WhatsApp user id) and
    `conversation_id`; `type` and the object of that name. `channel_id` may be left out when there is one number, or
    one that was used with this contact before. Files are given by `link`, or by the `id` of an uploaded one; the
    language of a template may also be the bare code. `context` quotes a message, by our id or WhatsApp's. With
    `last_seen_message_id` the message is refused when a colleague has answered after that one."""

    type: Literal["text", "image", "video", "audio", "document", "sticker", "location", "contacts", "reaction",
                  "interactive", "template"]
    context: kinds.Quoted | None = None
    text: kinds.Text | None = None
    image: kinds.CaptionedFile | None = None
    video: kinds.CaptionedFile | None = None
    audio: kinds.AudioFile | None = None
    document: kinds.DocumentFile | None = None
    sticker: kinds.File | None = None
    location: kinds.Place | None = None
    contacts: tuple[kinds.Card, ...] = ()
    reaction: kinds.Reaction | None = None
    interactive: Interactive | None = None
    template: Template | None = None


def read_send(body: Any) -> tuple[Address, OutboundMessage]:
    """The two halves of a body. Raises Invalid naming every field that does not fit."""
    if not isinstance(body, dict):
        raise Invalid.field("body", "must be an object")
    names = Address.__struct_fields__
    given = {name: value for name, value in body.items() if name in names}
    # Generated clients spell out every field they know; null is the same as nothing.
    said = {name: value for name, value in body.items()
            if name not in names and (value is not None or name not in SendMessage.__struct_fields__)}
    _, problems = read(Address, given)
    problems += _whom_problems(given)
    message = None
    try:
        message = parse_message(said)
    except Invalid as error:
        problems += [(problem.field, problem.message) for problem in error.errors]
    if problems or message is None:
        raise Invalid(problems)
    if given.get("to") is not None:
        given["to"] = normalise_phone(given["to"], field="to")
    return Address(**given), message


def _whom_problems(given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    named = [name for name in _WHOM if given.get(name) is not None]
    if not named:
        yield "to", "is missing: give to, contact_id, recipient or conversation_id"
    for name in named[1:]:
        yield name, f"cannot be given together with {named[0]}"
    for name, check in (("to", normalise_phone), ("recipient", check_user_id)):
        if isinstance(given.get(name), str):
            try:
                check(given[name], field=name)
            except Invalid as error:
                yield from ((problem.field, problem.message) for problem in error.errors)


async def conversation_for(tx: Transaction, address: Address) -> Conversation:
    """The conversation an address means, begun when there is none. Raises NotFound, Invalid."""
    conversation_id = address.conversation_id
    if conversation_id is None:
        contact_id = await _contact(tx, address)
        channel_id = await channel_for(tx, address.channel_id, contact_id)
        # Writing to a resolved conversation does not open it again; the customer's answer does.
        conversation_id = (await open_thread(tx, channel_id, contact_id, at=tx.now, reopen=False)).id
    else:
        conversation_id = await merging.leads_to(tx, conversation_id) or conversation_id
    found = await conversation_queries.conversation(tx, conversation_id)
    if found is None:
        raise NotFound("conversation_id: there is no such conversation.")
    if address.channel_id not in (None, found.channel_id):
        raise Invalid.field("channel_id", "This conversation is on another of your numbers.")
    return found


async def _contact(tx: Transaction, address: Address) -> str:
    if address.contact_id is None:
        return (await contacts.recognise(tx, Person(phone=address.to, user_id=address.recipient))).contact_id
    if await contacts.contact(tx, address.contact_id) is None:
        raise NotFound("contact_id: there is no such contact.")
    return address.contact_id


async def channel_for(db: Db, channel_id: str | None, contact_id: str | None = None) -> str:
    """The number to use: the given one, the only one, or the one last used with this contact."""
    known = [channel.id for channel in await channels.channels(db)]
    if channel_id is not None:
        if channel_id not in known:
            raise NotFound("channel_id: there is no such channel.")
        return channel_id
    if len(known) == 1:
        return known[0]
    of_contact = conversation_queries.conversations_of_contact
    for conversation in await of_contact(db, EVERYTHING, contact_id) if contact_id is not None else ():
        if conversation.channel_id in known:
            return conversation.channel_id
    raise Invalid.field("channel_id", "Say which of your numbers to use." if known else
                        "No number is connected to this workspace.")


async def draft_for(tx: Transaction, conversation: Conversation, message: OutboundMessage,
                    client_id: str | None) -> Draft:
    """The draft of a message, with the ids it names found. Raises NotFound, Invalid."""
    reply_to = None
    if isinstance(message, kinds.ReactionMessage):
        target = await _message(tx, conversation, message.reaction.message_id, "reaction.message_id")
        if target.wamid is None:
            raise Invalid.field("reaction.message_id", "This message has not been sent yet.")
        reaction = msgspec.structs.replace(message.reaction, message_id=target.wamid)
        message = msgspec.structs.replace(message, reaction=reaction)
    elif message.context is not None:
        reply_to = (await _message(tx, conversation, message.context.message_id, "context.message_id")).id
        message = msgspec.structs.replace(message, context=None)
    return Draft(message=message, origin=Origin.API, client_id=client_id, reply_to=reply_to,
                 media_id=await _file(tx, conversation, message))


async def _message(tx: Transaction, conversation: Conversation, name: str, field: str) -> Message:
    found = await queries.message_named(tx, conversation.channel_id, name)
    if found is None or found.conversation_id != conversation.id:
        raise NotFound(f"{field}: there is no such message in this conversation.")
    return found


async def _file(tx: Transaction, conversation: Conversation, message: OutboundMessage) -> str | None:
    """The uploaded file a message carries, wherever in it the file is named. Raises NotFound, Invalid."""
    named = list(_files(msgspec.to_builtins(message), ()))
    for field, kind, media_id in named:
        stored = await queries.media(tx, media_id)
        if stored is None or stored.direction is not Direction.OUTBOUND or stored.state is MediaState.FAILED:
            raise NotFound(f"{field}: there is no such uploaded file.")
        if stored.channel_id != conversation.channel_id:
            raise Invalid.field(field, "This file was uploaded for another of your numbers.")
        problem = check_media(kind, stored.mime_type, stored.size or 0)
        if problem is not None:
            raise Invalid.field(field, problem)
    if len({media_id for _, _, media_id in named}) > 1:
        raise Invalid.field(named[-1][0], "A message carries one uploaded file; give the others by link.")
    return named[0][2] if named else None


def _files(content: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Field, kind and id of every file that is given by an id."""
    if not isinstance(content, dict | list | tuple):
        return
    for name, value in content.items() if isinstance(content, dict) else enumerate(content):
        place = (*path, str(name))
        if name in MEDIA_RULES and isinstance(value, dict) and "id" in value:
            yield ".".join((*place, "id")), str(name), str(value["id"])
        else:
            yield from _files(value, place)
