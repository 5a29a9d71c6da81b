"""The one door for everything that goes out, and the steps of a send.

`queue_message` is what agents, the API and later bots and campaigns call. Its rules are asked again in `claim`, just
before the network: an hour may have passed, or a STOP have come. `claim` commits `sending` before the first byte; a
send whose answer was lost becomes `unconfirmed` and is never repeated by itself, because Meta has no idempotency key.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime import channels, contacts, message_templates
from chime.channels import Channel
from chime.contacts import Consent, Contact
from chime.errors import Conflict, Invalid, NotFound, Refused
from chime.inbox import callback, changes, queries, statuses
from chime.inbox.actions import add_event
from chime.inbox.model import Conversation, Message, Origin, Status, Window
from chime.message_templates import SYNC
from chime.whatsapp import (
    MEDIA_RULES,
    Failure,
    OutboundMessage,
    Recipient,
    Verdict,
    graph_body,
    parse_message,
    text_of,
)
from chime.workspaces import Transaction

DELIVER = "inbox.deliver"
MOST_ATTEMPTS = 8


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to send. `media_id` is a stored file of ours; `client_id` makes saying it twice harmless."""

    message: OutboundMessage
    origin: Origin
    client_id: str | None = None
    reply_to: str | None = None
    media_id: str | None = None


async def queue_message(tx: Transaction, conversation_id: str, draft: Draft) -> str:
    """Take a message for sending; its id. Raises NotFound, Refused (with the rule that forbids it), Conflict."""
    if draft.client_id is not None:
        known = await queries.message_by_client_id(tx, draft.client_id)
        if known is not None:
            if known.conversation_id != conversation_id:
                raise Conflict("This message id was used in another conversation.")
            return known.id
    conversation, contact, channel = await _parties(tx, conversation_id)
    template = await _template(tx, channel, draft.message)
    _check(conversation, contact, channel, draft.message, template, tx.now)
    message_id = tx.new_id()
    at = max(tx.now, conversation.last_message_at + 1)
    content = msgspec.to_builtins(draft.message)
    await tx.execute(
        "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, client_id, text, "
        "content_json, media_id, quoted_wamid, author_id, author_name, at, created_at, next_attempt_at) "
        "VALUES (?, ?, ?, 'out', ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        message_id, conversation_id, channel.id, draft.origin.value, draft.message.type, draft.client_id,
        _text(draft.message, template), msgspec.json.encode(content).decode(), draft.media_id,
        await _quoted(tx, conversation_id, draft, content), tx.actor.id, tx.actor.name, at, tx.now, tx.now)
    if draft.message.type == "reaction":
        await _show_reaction(tx, conversation_id, content["reaction"])
    else:
        await tx.execute("UPDATE conversation SET last_message_id = ?, last_message_at = ? WHERE id = ?",
                         message_id, at, conversation_id)
    await tx.audit("message.queued", "message", message_id, type=draft.message.type)
    tx.enqueue(DELIVER, message_id)
    tx.publish("message", message_id, conversation_id=conversation_id)
    tx.publish("conversation", conversation_id)
    return message_id


async def _parties(tx: Transaction, conversation_id: str) -> tuple[Conversation, Contact, Channel]:
    conversation = await queries.conversation(tx, conversation_id)
    if conversation is None:
        raise NotFound("There is no such conversation.")
    contact = await contacts.contact(tx, conversation.contact_id)
    channel = await channels.channel(tx, conversation.channel_id)
    if contact is None:
        raise Refused("This contact was deleted.", code="contact_deleted")
    if channel is None:
        raise Refused("The number of this conversation is not connected any more.", code="channel_removed")
    return conversation, contact, channel


async def _template(tx: Transaction, channel: Channel, message: OutboundMessage
                    ) -> message_templates.MessageTemplate | None:
    content = msgspec.to_builtins(message).get("template")
    if not content:
        return None
    return await message_templates.template(tx, channel.waba_id, content["name"], content["language"]["code"])


def _check(conversation: Conversation, contact: Contact, channel: Channel, message: OutboundMessage,
           template: message_templates.MessageTemplate | None, now: int) -> None:
    """Every rule about whether this may go out now. Raises Refused with words for the person who wrote it."""
    if contact.phone is None and contact.user_id is None:
        raise Refused("Chime knows neither a number nor a WhatsApp user id of this contact.", code="no_address")
    if message.type != "template" and not Window(conversation.window_expires_at, now).is_open:
        raise Refused("The 24-hour reply window is closed: the customer has not written within 24 hours. "
                      "Send a template instead.", code="window_closed")
    if message.type == "template":
        if template is not None and template.status != "APPROVED":
            raise Refused(f"Meta has this template as {template.status.lower()}; only approved ones can be sent.",
                          code="template_not_approved")
        # A template we don't know may be marketing: who said no gets only what is known to be something else.
        marketing = template is None or template.category == "MARKETING"
        if marketing and contact.marketing_consent is Consent.OPTED_OUT:
            raise Refused("This person opted out of marketing messages.", code="opted_out")
    if channel.state != "connected":
        raise Refused(f"The number {channel.display_phone} needs to be reconnected: {channel.trouble}",
                      code="channel_disconnected")


def _text(message: OutboundMessage, template: message_templates.MessageTemplate | None) -> str:
    """All the words the customer reads; of a file without a caption there are none."""
    content = msgspec.to_builtins(message)[message.type]
    if template is not None:
        return message_templates.filled_text(template, list(content.get("components") or ()))
    return str(content.get("caption") or "") if message.type in MEDIA_RULES else text_of(message)


async def _quoted(tx: Transaction, conversation_id: str, draft: Draft, content: dict[str, Any]) -> str | None:
    if draft.message.type == "reaction":
        wamid: str = content["reaction"]["message_id"]
        return wamid
    if draft.reply_to is None:
        return None
    found: str | None = await tx.value("SELECT wamid FROM message WHERE id = ? AND conversation_id = ?",
                                       draft.reply_to, conversation_id)
    if found is None:
        raise NotFound("The message to answer is not in this conversation.")
    return found


async def _show_reaction(tx: Transaction, conversation_id: str, reaction: dict[str, Any]) -> None:
    target = await tx.value("SELECT id FROM message WHERE conversation_id = ? AND wamid = ?",
                            conversation_id, reaction["message_id"])
    if target is None:
        raise NotFound("The message to react to is not in this conversation.")
    if reaction.get("emoji"):
        await tx.execute("INSERT INTO reaction (message_id, side, emoji, author_name, at) VALUES (?, 'out', ?, ?, ?) "
                         "ON CONFLICT (message_id, side) DO UPDATE SET emoji = excluded.emoji, at = excluded.at, "
                         "author_name = excluded.author_name", target, reaction["emoji"], tx.actor.name, tx.now)
    else:
        await tx.execute("DELETE FROM reaction WHERE message_id = ? AND side = 'out'", target)
    tx.publish("message", target, conversation_id=conversation_id)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is ours to send now: `sending` is committed, the body is ready."""

    message_id: str
    conversation_id: str
    channel_id: str
    phone_number_id: str
    attempt: int
    body: dict[str, Any]


async def claim(tx: Transaction, message_id: str, callback_key: bytes) -> Claim | None:
    """`queued` → `sending`, with every rule asked again. None when it is not due, not ours, or was refused now."""
    row = await queries.message(tx, message_id)
    if row is None or row.status is not Status.QUEUED or (row.next_attempt_at or 0) > tx.now:
        return None
    try:
        conversation, contact, channel = await _parties(tx, row.conversation_id)
        message = parse_message(row.content)
        _check(conversation, contact, channel, message, await _template(tx, channel, message), tx.now)
        recipient = Recipient(phone=contact.phone, user_id=contact.user_id)
        message = await _with_media(tx, message, row)
    except (Refused, NotFound, Invalid) as refusal:
        # Invalid: stored by an older Chime, or a file without Meta's id. It can't go, and trying again won't help.
        await _give_up(tx, message_id, row.conversation_id, None, str(refusal), "")
        return None
    if channel.paused_until is not None and channel.paused_until > tx.now:
        await put_back(tx, message_id, at=channel.paused_until)
        return None
    attempt = int(await tx.value("SELECT attempts FROM message WHERE id = ?", message_id)) + 1
    claimed = await tx.execute("UPDATE message SET status = 'sending', attempts = ?, claimed_at = ? "
                               "WHERE id = ? AND status = 'queued'", attempt, tx.now, message_id)
    if claimed != 1:
        return None
    body = graph_body(message, recipient, callback.make(callback_key, message_id, attempt),
                      None if row.type == "reaction" else row.quoted_wamid)
    return Claim(message_id=message_id, conversation_id=row.conversation_id, channel_id=channel.id,
                 phone_number_id=channel.phone_number_id, attempt=attempt, body=body)


async def _with_media(tx: Transaction, message: OutboundMessage, row: Message) -> OutboundMessage:
    """The message with Meta's id of the uploaded file in place of ours, wherever in it the file stands."""
    if row.media is None:
        return message
    stored = await queries.media(tx, row.media.id)
    meta_media_id = (stored.meta_media_id if stored else None) or ""
    return parse_message(_renamed(msgspec.to_builtins(message), row.media.id, meta_media_id))


def _renamed(content: Any, ours: str, theirs: str) -> Any:
    if isinstance(content, list | tuple):
        return [_renamed(item, ours, theirs) for item in content]
    if not isinstance(content, dict):
        return content
    return {key: theirs if key == "id" and value == ours else _renamed(value, ours, theirs)
            for key, value in content.items()}


async def put_back(tx: Transaction, message_id: str, *, at: int) -> None:
    """Not now: queued again, due at that moment."""
    await tx.execute("UPDATE message SET status = 'queued', next_attempt_at = ? "
                     "WHERE id = ? AND status IN ('queued', 'sending')", at, message_id)
    tx.enqueue(DELIVER, message_id, at=at)


async def accepted(tx: Transaction, claim: Claim, wamid: str) -> None:
    """Meta took it: from here its id leads, and statuses that came before this answer are applied."""
    # A status may have named it already through the callback data, and moved it on, perhaps to `failed` with a reason.
    await tx.execute("UPDATE message SET wamid = coalesce(wamid, ?), sent_at = coalesce(sent_at, ?) WHERE id = ?",
                     wamid, tx.now, claim.message_id)
    await tx.execute("UPDATE message SET status = 'sent', next_attempt_at = NULL, error_code = NULL, "
                     "error_title = NULL, error_what_to_do = NULL WHERE id = ? AND status IN ('sending', "
                     "'unconfirmed')", claim.message_id)
    await statuses.apply_waiting(tx, claim.channel_id, claim.message_id, wamid)
    await changes.apply_waiting(tx, claim.channel_id, wamid)
    _tell(tx, claim)


async def refused(tx: Transaction, claim: Claim, failure: Failure) -> None:
    """Meta said no in so many words: again at a time, doubt, or the end with a reason and what to do."""
    if failure.verdict is Verdict.DOUBT:
        await doubtful(tx, claim)
    # Attempts count on when a person sends the message again: the callback data tells them apart.
    elif failure.verdict in (Verdict.RETRY, Verdict.DELAY) and claim.attempt % MOST_ATTEMPTS != 0:
        await tx.execute("UPDATE message SET error_code = ?, error_title = ?, error_what_to_do = ? WHERE id = ?",
                         failure.code, failure.title, failure.what_to_do, claim.message_id)
        await put_back(tx, claim.message_id, at=tx.now + int((failure.retry_after_seconds or 5) * 1000))
    else:
        await _give_up(tx, claim.message_id, claim.conversation_id, failure.code, failure.title, failure.what_to_do)
    await statuses.heed(tx, failure.effect, channel_id=claim.channel_id, conversation_id=claim.conversation_id,
                        words=failure.title)
    if failure.effect == "resync_template":
        tx.enqueue(SYNC, await tx.value("SELECT waba_id FROM channel WHERE id = ?", claim.channel_id))
    _tell(tx, claim)


async def not_sent(tx: Transaction, claim: Claim) -> None:
    """It certainly never left: queued again with growing pauses, for a day."""
    pause = min(2 ** min(claim.attempt, 10), 900) * 1000
    # An attempt that sent nothing must not lead to the last of those that Meta may refuse.
    await tx.execute("UPDATE message SET attempts = attempts + 1 WHERE id = ? AND (attempts + 1) % ? = 0",
                     claim.message_id, MOST_ATTEMPTS)
    await put_back(tx, claim.message_id, at=tx.now + pause)
    _tell(tx, claim)


async def doubtful(tx: Transaction, claim: Claim) -> None:
    """It may have been sent. A status with our callback data settles it; otherwise a person decides."""
    await tx.execute("UPDATE message SET status = 'unconfirmed' WHERE id = ? AND status = 'sending'",
                     claim.message_id)
    _tell(tx, claim)


async def _give_up(tx: Transaction, message_id: str, conversation_id: str, code: int | None, title: str,
                   what_to_do: str) -> None:
    await tx.execute("UPDATE message SET status = 'failed', error_code = ?, error_title = ?, error_what_to_do = ?, "
                     "next_attempt_at = NULL WHERE id = ? AND status IN ('queued', 'sending', 'unconfirmed')",
                     code, title, what_to_do, message_id)
    await statuses.remove_reaction_of(tx, message_id)
    tx.publish("message", message_id, conversation_id=conversation_id)
    tx.publish("conversation", conversation_id)


def _tell(tx: Transaction, claim: Claim) -> None:
    tx.publish("message", claim.message_id, conversation_id=claim.conversation_id)
    tx.publish("conversation", claim.conversation_id)


async def retry(tx: Transaction, message_id: str) -> None:
    """A person sends a failed or doubtful message again, knowing it may arrive twice. Raises NotFound, Conflict."""
    row = await _settled(tx, message_id)
    conversation, contact, channel = await _parties(tx, row.conversation_id)
    message = parse_message(row.content)
    _check(conversation, contact, channel, message, await _template(tx, channel, message), tx.now)
    # The old id of Meta's stays with its own statuses; the new attempt gets a new one.
    await tx.execute("UPDATE message SET status = 'queued', wamid = NULL, error_code = NULL, error_title = NULL, "
                     "error_what_to_do = NULL, next_attempt_at = ?, sent_at = NULL WHERE id = ?", tx.now, message_id)
    await tx.audit("message.resent", "message", message_id, was=row.status.value)
    tx.enqueue(DELIVER, message_id)
    tx.publish("message", message_id, conversation_id=row.conversation_id)


async def discard(tx: Transaction, message_id: str) -> str:
    """Take a failed or doubtful message out of the thread; its conversation. Raises NotFound, Conflict."""
    row = await _settled(tx, message_id)
    await tx.execute("UPDATE conversation SET last_message_id = (SELECT id FROM message WHERE conversation_id = ?1 "
                     "AND id <> ?2 AND type <> 'reaction' ORDER BY at DESC, id DESC LIMIT 1) "
                     "WHERE id = ?1 AND last_message_id = ?2", row.conversation_id, message_id)
    await tx.execute("DELETE FROM reaction WHERE message_id = ?", message_id)
    await tx.execute("DELETE FROM message WHERE id = ?", message_id)
    if row.status is Status.UNCONFIRMED:
        await add_event(tx, row.conversation_id, "doubt_discarded", actor_name=tx.actor.name)
    await tx.audit("message.discarded", "message", message_id, was=row.status.value)
    tx.publish("conversation", row.conversation_id)
    return row.conversation_id


async def _settled(tx: Transaction, message_id: str) -> Message:
    row = await queries.message(tx, message_id)
    if row is None:
        raise NotFound("There is no such message.")
    if row.status not in (Status.FAILED, Status.UNCONFIRMED):
        raise Conflict("Only a message that failed or is in doubt can be sent again or discarded.")
    return row
