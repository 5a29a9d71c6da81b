"""What became of our messages, as Meta reports it: in any order, any number of times, perhaps before the answer to
our own send call. A status for a message we do not know yet waits in its table until we do.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime import channels, contacts
from chime.inbox import callback, changes, echoes, waiting_again
from chime.inbox.model import WINDOW, Origin, Status, may_follow
from chime.whatsapp import event_key
from chime.whatsapp.errors import explain
from chime.whatsapp.events import StatusReceived
from chime.workspaces import Transaction

_PRICED = "UPDATE message SET pricing_json = coalesce(?2, pricing_json)"
# Each of these statuses has a column for its moment, which the first report of it sets.
_TIMED = {
    Status.SENT: _PRICED + ", sent_at = coalesce(sent_at, ?3)",
    Status.DELIVERED: _PRICED + ", delivered_at = coalesce(delivered_at, ?3)",
    Status.READ: _PRICED + ", read_at = coalesce(read_at, ?3)",
}
# What arrived after all has no error any more.
_MOVED = (", status = ?4, next_attempt_at = NULL, error_code = NULL, error_title = NULL, error_what_to_do = NULL "
          "WHERE id = ?1")
_KEEP = {status: statement + " WHERE id = ?1" for status, statement in _TIMED.items()}
_MOVE = {status: statement + _MOVED for status, statement in _TIMED.items()}


async def record(tx: Transaction, channel_id: str, callback_key: bytes, event: StatusReceived) -> bool:
    """Keep the status, and move its message forward when it may. False when it was known already.

    The callback data settles a doubtful send: it carries our message id under our own signature, so another app on
    the same account can't claim one of our messages.
    """
    details = {"pricing": event.pricing, "errors": event.errors, "conversation": event.conversation}
    rows = await tx.rows("SELECT id, origin FROM message WHERE channel_id = ? AND wamid = ?", channel_id, event.wamid)
    message_id = rows[0][0] if rows else None
    if message_id is None or rows[0][1] in (Origin.PHONE, Origin.HISTORY):
        message_id = await _by_callback(tx, channel_id, callback_key, event) or message_id
    added = await tx.execute(
        "INSERT INTO message_status (key, channel_id, message_id, wamid, status, at, details_json, received_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        event_key(event), channel_id, message_id, event.wamid, event.status, event.at,
        msgspec.json.encode(details).decode(), tx.now)
    if added and message_id is not None:
        await _apply(tx, message_id, event.status, event.at, msgspec.json.decode(msgspec.json.encode(details)))
    return bool(added)


async def _by_callback(tx: Transaction, channel_id: str, key: bytes, event: StatusReceived) -> str | None:
    """The message a status names by our own token; from now on it is known by Meta's id too."""
    token = callback.read(key, event.callback_data) if event.callback_data else None
    if token is None:
        return None
    # Only of the last attempt, and not while another one waits: a repeated status of a send that failed must not
    # give its id to the message that a person is sending again. But when that person was in doubt about it, this is
    # the word they waited for: the first one left, so the second need not; an upload that failed since then counts as
    # an attempt, but Meta never gave it an id. And where a person gave up on it, Meta knows better: it is a doubt once
    # more, which this status settles.
    message_id, attempt = token
    if not await tx.value(
            "SELECT 1 FROM message WHERE id = ?1 AND channel_id = ?2 AND wamid IS NULL AND direction = 'out' "
            "AND ((status <> 'queued' AND attempts = ?3) OR (status = 'queued' AND settled_as = 'resend' "
            "AND attempts >= ?3 AND ?4 IN ('sent', 'delivered', 'read', 'played') AND NOT EXISTS "
            "(SELECT 1 FROM message_status WHERE wamid = ?5 AND message_id = ?1)))",
            message_id, channel_id, attempt, event.status, event.wamid):
        return None
    was_echoed = await echoes.take_over(tx, message_id, channel_id, event.wamid)
    await tx.execute("UPDATE message SET wamid = ?, status = CASE WHEN status = 'failed' AND settled_as = 'failed' "
                     "THEN 'unconfirmed' ELSE status END WHERE id = ?", event.wamid, message_id)
    if was_echoed:
        await apply_waiting(tx, channel_id, message_id, event.wamid)
    await changes.apply_waiting(tx, channel_id, event.wamid)
    return message_id


async def apply_waiting(tx: Transaction, channel_id: str, message_id: str, wamid: str) -> None:
    """Statuses that were here before the message had this id of Meta's."""
    waiting = await tx.rows("SELECT key, status, at, details_json FROM message_status WHERE wamid = ? "
                            "AND channel_id = ? AND message_id IS NULL ORDER BY at", wamid, channel_id)
    for key, status, at, details in waiting:
        await tx.execute("UPDATE message_status SET message_id = ? WHERE key = ?", message_id, key)
        await _apply(tx, message_id, status, at, msgspec.json.decode(details))


async def _apply(tx: Transaction, message_id: str, word: str, at: int, details: dict[str, Any]) -> None:
    rows = await tx.rows("SELECT status, conversation_id, channel_id FROM message WHERE id = ?", message_id)
    current, conversation_id, channel_id = rows[0]
    pricing = msgspec.json.encode(details["pricing"]).decode() if details.get("pricing") else None
    try:
        status = Status(word)
    except ValueError:
        status = None  # a word Meta invented since: its row is kept, the message stays as it is
    if status is None or not may_follow(Status(current), status):
        if status in _KEEP:
            await tx.execute(_KEEP[status], message_id, pricing, at)
        elif pricing is not None:
            await tx.execute(_PRICED + " WHERE id = ?1", message_id, pricing)
        return
    await tx.execute(_MOVE.get(status, _PRICED + _MOVED), message_id, pricing, at, status.value)
    if status is Status.FAILED:
        await _failed(tx, message_id, conversation_id, channel_id, details.get("errors") or [{}], at)
    elif current in (Status.FAILED, Status.UNCONFIRMED):
        await waiting_again.arrived(tx, message_id)
    tx.publish("message", message_id, conversation_id=conversation_id)
    tx.publish("conversation", conversation_id)


async def _failed(tx: Transaction, message_id: str, conversation_id: str, channel_id: str,
                  errors: list[dict[str, Any]], at: int) -> None:
    code, details = int(errors[0].get("code") or 0), str(errors[0].get("details") or "")
    rule = explain(code, details)
    await tx.execute("UPDATE message SET error_code = ?, error_title = ?, error_what_to_do = ? WHERE id = ?",
                     code, rule.title, rule.what_to_do, message_id)
    await remove_reaction_of(tx, message_id)
    await waiting_again.failed(tx, message_id)
    await heed(tx, rule.effect, channel_id=channel_id, conversation_id=conversation_id, words=rule.title, at=at)


async def remove_reaction_of(tx: Transaction, message_id: str) -> None:
    """A reaction of ours that did not go out must not be shown on its message."""
    await tx.execute(
        "DELETE FROM reaction WHERE side = 'out' AND message_id = (SELECT target.id FROM message AS target "
        "JOIN message AS reaction ON reaction.id = ? AND reaction.type = 'reaction' "
        "WHERE target.channel_id = reaction.channel_id AND target.wamid = reaction.quoted_wamid)", message_id)


async def heed(tx: Transaction, effect: str, *, channel_id: str, conversation_id: str, words: str, at: int) -> None:
    """What an error of Meta's means beyond the one message: an opt-out, a closed window, a number that can't send. `at`
    is when Meta found so: a customer who has written since then has opened a window of their own."""
    if effect == "opt_out":
        contact_id = await tx.value("SELECT contact_id FROM conversation WHERE id = ?", conversation_id)
        await contacts.record_refusal(tx, contact_id, source="WhatsApp",
                                      evidence="Meta says the person stopped marketing messages")
    elif effect == "close_window":
        await tx.execute("UPDATE conversation SET window_expires_at = min(coalesce(window_expires_at, 0), ?) "
                         "WHERE id = ? AND coalesce(window_expires_at, 0) <= ?",
                         tx.now, conversation_id, at + WINDOW)
    elif effect == "reconnect_channel":
        await channels.mark_trouble(tx, channel_id, words)
    elif effect == "pause_channel":
        await channels.pause(tx, channel_id, tx.now + channels.LONGEST_PAUSE)
