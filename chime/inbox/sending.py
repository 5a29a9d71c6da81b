"""The one door for everything that goes out.

`queue_message` is what agents, the API and later bots and campaigns call. Its rules are asked again when the message
is claimed (see `claims`). What failed or is in doubt leaves again only because a person says so, through `retry`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime.errors import Conflict, NotFound
from chime.inbox import answered, clocks, queries, rules, unsent_files, waiting_again
from chime.inbox.actions import add_event, newest_without
from chime.inbox.claiming import claim
from chime.inbox.client_ids import made_before
from chime.inbox.model import Message, Origin, Status
from chime.message_templates import MessageTemplate, filled_text
from chime.security.permissions import Permission
from chime.security.scope import IN_HAND, viewer
from chime.whatsapp import MEDIA_RULES, OutboundMessage, text_of
from chime.workspaces import Transaction, quotas

DELIVER = "inbox.deliver"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to send. `media_id` is a stored file of ours; `client_id` makes saying it twice harmless;
    `last_seen` is the newest message they knew of; for `hold` milliseconds it can be taken back."""

    message: OutboundMessage
    origin: Origin
    client_id: str | None = None
    reply_to: str | None = None
    media_id: str | None = None
    last_seen: str | None = None
    hold: int = 0


async def queue_message(tx: Transaction, conversation_id: str, draft: Draft) -> str:
    """Take a message for sending; its id. Raises NotFound, Refused (with the rule that forbids it), Conflict, Answered
    (a colleague was faster)."""
    known = made_before(await tx.rows("SELECT id, conversation_id FROM message WHERE client_id = ?", draft.client_id),
                        conversation_id)
    if known is not None:
        return known
    await in_hand(tx, conversation_id)
    await answered.check(tx, conversation_id, last_seen=draft.last_seen)
    found = await rules.circumstances(tx, conversation_id)
    content = msgspec.to_builtins(draft.message)
    template = await rules.template_of(tx, found.waba_id, content)
    rules.check(found, draft.message.type, template, tx.now)
    if draft.message.type != "reaction":
        await quotas.count_sent(tx)
    message_id = tx.new_id()
    at = max(tx.now, found.last_message_at + 1)
    await tx.execute(
        "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, client_id, text, "
        "content_json, media_id, quoted_wamid, author_id, author_name, at, created_at, next_attempt_at) "
        "VALUES (?, ?, ?, 'out', ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        message_id, conversation_id, found.channel_id, draft.origin.value, draft.message.type, draft.client_id,
        shown_words(draft.message, template), msgspec.json.encode(content).decode(), draft.media_id,
        await _quoted(tx, conversation_id, draft, content), tx.actor.id, tx.actor.name, at, tx.now,
        tx.now + draft.hold)
    if draft.message.type == "reaction":
        await _show_reaction(tx, conversation_id, content["reaction"])
    else:
        await _answer(tx, conversation_id, message_id, at, is_answer=draft.origin is not Origin.AUTOMATIC)
    await tx.audit("message.queued", "message", message_id, type=draft.message.type)
    if draft.origin is Origin.AGENT and draft.message.type != "reaction":
        await claim(tx, conversation_id)
    tx.enqueue(DELIVER, found.channel_id)
    tx.publish("message", message_id, conversation_id=conversation_id)
    tx.publish("conversation", conversation_id)
    return message_id


async def _answer(tx: Transaction, conversation_id: str, message_id: str, at: int, *, is_answer: bool) -> None:
    """The newest message is ours. Unless a machine wrote it, nobody waits any more."""
    if not is_answer:
        await tx.execute("UPDATE conversation SET last_message_id = ?, last_message_at = ? WHERE id = ?",
                         message_id, at, conversation_id)
        return
    await tx.execute("UPDATE conversation SET last_message_id = ?1, last_message_at = ?2, waiting_since = NULL, "
                     "answered_at = coalesce(answered_at, ?3) WHERE id = ?4", message_id, at, tx.now, conversation_id)
    await clocks.answered(tx, conversation_id, agent_id=tx.actor.id if tx.actor.kind == "user" else None)


async def in_hand(tx: Transaction, conversation_id: str) -> None:
    """Whoever writes must hold the conversation, by whatever address they named it. Raises NotFound."""
    seen = viewer(tx.actor, Permission.INBOX_REPLY)
    if seen.is_limited and not await tx.value(IN_HAND[seen.sight], conversation_id, *seen.held_values):
        raise NotFound("There is no such conversation, or it is not yours to answer.")


def shown_words(message: OutboundMessage, template: MessageTemplate | None) -> str:
    """All the words the customer reads; of a file without a caption there are none."""
    content = msgspec.to_builtins(message)[message.type]
    if template is not None:
        return filled_text(template, list(content.get("components") or ()))
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


async def retry(tx: Transaction, message_id: str) -> None:
    """A person sends a failed or doubtful message again, knowing it may arrive twice. Raises NotFound, Conflict."""
    row = await _settled(tx, message_id)
    found = await rules.circumstances(tx, row.conversation_id)
    rules.check(found, row.type, await rules.template_of(tx, found.waba_id, row.content), tx.now)
    # The old id of Meta's stays with its own statuses; the new attempt gets a new one.
    await tx.execute("UPDATE message SET status = 'queued', wamid = NULL, error_code = NULL, error_title = NULL, "
                     "error_what_to_do = NULL, next_attempt_at = ?, sent_at = NULL, settled_as = NULL, "
                     "settled_by = NULL, settled_at = NULL WHERE id = ?", tx.now, message_id)
    if row.status is Status.FAILED:
        await waiting_again.sent_again(tx, row)
    await tx.audit("message.resent", "message", message_id, was=row.status.value)
    tx.enqueue(DELIVER, found.channel_id)
    tx.publish("message", message_id, conversation_id=row.conversation_id)


async def discard(tx: Transaction, message_id: str) -> str:
    """Take a failed or doubtful message out of the thread; its conversation. Raises NotFound, Conflict."""
    row = await _settled(tx, message_id)
    await remove(tx, row)
    await waiting_again.removed(tx, row)
    if row.status is Status.UNCONFIRMED:
        await add_event(tx, row.conversation_id, "doubt_discarded", actor_name=tx.actor.name)
    await tx.audit("message.discarded", "message", message_id, was=row.status.value)
    tx.publish("conversation", row.conversation_id)
    return row.conversation_id


async def remove(tx: Transaction, row: Message) -> None:
    """Out of its thread, as if it had never been written."""
    await newest_without(tx, row.conversation_id, row.id)
    await tx.execute("DELETE FROM reaction WHERE message_id = ?", row.id)
    await tx.execute("DELETE FROM message WHERE id = ?", row.id)
    await unsent_files.let_go(tx, row)


async def _settled(tx: Transaction, message_id: str) -> Message:
    row = await queries.message(tx, message_id)
    if row is None:
        raise NotFound("There is no such message.")
    if row.status not in (Status.FAILED, Status.UNCONFIRMED):
        raise Conflict("Only a message that failed or is in doubt can be sent again or discarded.")
    return row
