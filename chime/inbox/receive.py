"""What WhatsApp tells us, applied: messages, reactions, edits, deletions, statuses, echoes, history.

Every verb may be told the same thing many times and in any order and leaves the same rows (UNIQUE keys decide, never
a check before an insert). `tx` is an `ingest` transaction: these are Meta's facts, the journal is their log.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec

from chime import contacts, notifications
from chime.clock import DAY, SECOND
from chime.inbox import blocking, changes, clocks, reopening, statuses
from chime.inbox.actions import Thread, add_event, move_threads, open_thread
from chime.inbox.changes import FETCH_MEDIA
from chime.inbox.model import WINDOW, Direction, Origin, Status
from chime.whatsapp import MediaReference, Person
from chime.whatsapp.events import (
    CallReceived,
    HistoryMessage,
    HistoryReceived,
    IdentityChanged,
    MessageEchoed,
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
)
from chime.workspaces import Transaction

STOP_WORDS = frozenset({"stop", "unsubscribe", "stop promotions"})
# What stands around the word, or between two: marks, emoji, signs of bold type and of writing direction.
_NO_WORD = re.compile(r"[\W_]+")
# Meta's second resolution against our milliseconds: what came in a second sorts after what we sent in it.
_END_OF_SECOND = 999
_BETWEEN_BREATHS = 4
# They say nothing by themselves.
_ABOUT_ANOTHER = frozenset({"reaction", "edit", "revoke"})
# A phone whose clock is wrong tells of years to come: such a message would be the newest one for ever.
_MOST_AHEAD = DAY
# A file Meta no longer holds can't be fetched (ids from webhooks live seven days).
MEDIA_LIFETIME = 7 * DAY


async def receive(tx: Transaction, channel_id: str, event: MessageReceived, *, asks_nothing: bool = False) -> bool:
    """A customer's message: contact, conversation, message, window. False when it was known already. One that
    `asks_nothing` of anybody (a tap on a question of ours) neither reopens nor waits."""
    if await _known(tx, channel_id, event.wamid):
        return False
    contact_id = await _sender(tx, event)
    blocked = await blocking.meets_blocked(tx, contact_id, channel_id)
    asks_nothing = asks_nothing or blocked
    thread = await reopening.customer_came(tx, channel_id, contact_id, at=event.at, reopen=not asks_nothing)
    media_id = await _media(tx, channel_id, event.type, event.media, event.at)
    message_id = tx.new_id()
    error = event.errors[0] if event.errors else None
    await tx.execute(
        "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, wamid, text, "
        "content_json, media_id, quoted_wamid, referral_json, author_name, at, created_at, error_code, error_title) "
        "VALUES (?, ?, ?, 'in', 'customer', ?, 'received', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        message_id, thread.id, channel_id, event.type, event.wamid, event.text or "", _json(_content(event)), media_id,
        event.context.wamid if event.context else None, _json(event.referral) if event.referral else None,
        event.sender.name or event.sender.username or "", _sorted_at(tx, event.at), tx.now,
        error.code if error else None, (error.details or error.title) if error else None)
    await _touch(tx, thread.id, message_id, at=_sorted_at(tx, event.at),
                 window=event.at + WINDOW if event.opens_window else None, unread=0 if asks_nothing else 1)
    if not asks_nothing:
        await clocks.customer_wrote(tx, thread.id, at=_sorted_at(tx, event.at))
        await _answered_by_phone(tx, thread.id, since=_sorted_at(tx, event.at))
    if thread.was_snoozed:
        await add_event(tx, thread.id, "woken", at=event.at)
    await changes.apply_waiting(tx, channel_id, event.wamid)
    await _heed_stop(tx, contact_id, event)
    if not blocked:
        await notifications.customer_wrote(tx, thread.id)
    tx.publish("message", message_id, conversation_id=thread.id)
    tx.publish("conversation", thread.id)
    return True


def _content(event: MessageReceived) -> dict[str, Any]:
    """The type's own content, with what forwarding and product pages add to it."""
    extra: dict[str, Any] = {}
    if event.context is not None:
        if event.context.forwarded or event.context.frequently_forwarded:
            extra["forwarded"] = "frequently" if event.context.frequently_forwarded else "once"
        if event.context.referred_product:
            extra["referred_product"] = event.context.referred_product
    return {**event.content, **extra}


async def _known(tx: Transaction, channel_id: str, wamid: str) -> bool:
    return bool(await tx.value("SELECT 1 FROM message WHERE channel_id = ? AND wamid = ?", channel_id, wamid))


async def _sender(tx: Transaction, event: MessageReceived | MessageReacted) -> str:
    if event.group_id:
        return await contacts.recognise_group(tx, event.group_id)
    return await recognise(tx, event.sender, event.at)


async def recognise(tx: Transaction, person: Person, at: int) -> str:
    """The contact behind a person who came at that moment; the threads of contacts that turn out to be the same person
    go on under it."""
    return await _with_threads(tx, await contacts.recognise(tx, person, at))


async def _with_threads(tx: Transaction, found: contacts.Recognised) -> str:
    for gone in found.absorbed:
        await move_threads(tx, kept=found.contact_id, gone=gone)
        await blocking.move_blocks(tx, kept=found.contact_id, gone=gone)
    return found.contact_id


def _sorted_at(tx: Transaction, at: int) -> int:
    return (at - at % 1000 + _END_OF_SECOND) if 0 < at <= tx.now + _MOST_AHEAD else tx.now


async def _media(tx: Transaction, channel_id: str, kind: str, media: MediaReference | None, at: int) -> str | None:
    if media is None:
        return None
    media_id = tx.new_id()
    gone = at and tx.now - at > MEDIA_LIFETIME
    await tx.execute(
        "INSERT INTO media (id, channel_id, direction, kind, meta_media_id, mime_type, filename, sha256, is_voice, "
        "state, trouble, next_attempt_at, created_at) VALUES (?, ?, 'in', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        media_id, channel_id, kind, media.id, media.mime_type, media.filename or "", media.sha256, int(media.voice),
        "failed" if gone else "pending", "expired" if gone else "", None if gone else tx.now, tx.now)
    if not gone:
        tx.enqueue(FETCH_MEDIA, media_id)
    return media_id


async def _touch(tx: Transaction, conversation_id: str, message_id: str, *, at: int, window: int | None,
                 unread: int) -> None:
    """The conversation's newest message, window and unread count; an older message moves none of them back. A thread
    that a reaction or a call began has no message yet, and its moment is no message's. Who writes waits for an answer,
    also when we wrote before their message came: nobody had read it then."""
    await tx.execute(
        "UPDATE conversation SET last_message_id = CASE WHEN ?2 >= last_message_at OR last_message_id IS NULL "
        "THEN ?3 ELSE last_message_id END, "
        "waiting_since = CASE WHEN ?4 THEN coalesce(waiting_since, ?2) ELSE waiting_since END, "
        "last_message_at = CASE WHEN last_message_id IS NULL THEN ?2 ELSE max(last_message_at, ?2) END, "
        "unread_count = unread_count + ?4, "
        "window_expires_at = CASE WHEN ?5 IS NULL THEN window_expires_at "
        "ELSE max(coalesce(window_expires_at, 0), ?5) END WHERE id = ?1",
        conversation_id, at, message_id, unread, window)


async def _answered(tx: Transaction, conversation_id: str, at: int) -> None:
    """On the phone, at this moment: whoever wrote before it waits no more."""
    if await tx.execute("UPDATE conversation SET waiting_since = NULL, answered_at = coalesce(answered_at, ?2) "
                        "WHERE id = ?1 AND waiting_since <= ?2", conversation_id, at):
        await clocks.answered(tx, conversation_id, agent_id=None, at=at)


async def _answered_by_phone(tx: Transaction, conversation_id: str, *, since: int) -> None:
    """What was written at this moment came to us after its answer: on the phone they had read it. What a phone says to
    have sent later than now, with a clock that is ahead, answered nobody who writes now."""
    at = await tx.value("SELECT at FROM message WHERE conversation_id = ? AND at BETWEEN ? AND ? AND direction = 'out' "
                        "AND origin IN ('phone', 'history') AND status <> 'failed' ORDER BY at LIMIT 1",
                        conversation_id, since, tx.now + SECOND)
    if at is not None:
        await _answered(tx, conversation_id, at)


async def _heed_stop(tx: Transaction, contact_id: str, event: MessageReceived) -> None:
    """Whoever writes STOP is not sent marketing any more, from this very transaction on."""
    if _says_stop(event):
        await contacts.record_consent(tx, contact_id, contacts.Consent.OPTED_OUT,
                                      source="message", evidence=f"message {event.wamid}", at=event.at)


def _says_stop(event: MessageReceived) -> bool:
    """Typed, or tapped: the button under a template comes back with its words and what was put behind them."""
    said = {"text": (event.text,), "button": (event.text, event.content.get("payload"))}.get(event.type, ())
    return any(_NO_WORD.sub(" ", words or "").strip().lower() in STOP_WORDS for words in said)


async def react(tx: Transaction, channel_id: str, event: MessageReacted) -> None:
    """A customer's reaction, or its removal; it opens the window like a message."""
    contact_id = await _sender(tx, event)
    blocked = await blocking.meets_blocked(tx, contact_id, channel_id)
    thread = await reopening.customer_came(tx, channel_id, contact_id, at=event.at, reopen=not blocked)
    await tx.execute("UPDATE conversation SET window_expires_at = max(coalesce(window_expires_at, 0), ?) WHERE id = ?",
                     event.at + WINDOW, thread.id)
    await _woken(tx, thread, at=event.at)
    name = event.sender.name or event.sender.username or ""
    await changes.keep(tx, channel_id, event.target_wamid, "reaction:in", event.at,
                       {"emoji": event.emoji, "name": name})


async def _woken(tx: Transaction, thread: Thread, *, at: int) -> None:
    """Without a word of theirs nothing new is due, and what rested goes on."""
    if thread.was_snoozed:
        await clocks.goes_on(tx, thread.id)
        await add_event(tx, thread.id, "woken", at=at)


async def edit(tx: Transaction, channel_id: str, event: MessageEdited | MessageEchoed) -> None:
    """A message got other words. Works before the message itself is here."""
    if event.target_wamid:
        await changes.keep(tx, channel_id, event.target_wamid, "edit", event.at,
                           {"text": event.text or "", "content": event.content})


async def revoke(tx: Transaction, channel_id: str, event: MessageRevoked | MessageEchoed) -> None:
    """A message was deleted by its sender. Works before the message itself is here."""
    if event.target_wamid:
        await changes.keep(tx, channel_id, event.target_wamid, "revoke", event.at, {})


async def change_identity(tx: Transaction, channel_id: str, event: IdentityChanged) -> None:
    """A customer's number or user id changed, or their keys did: the thread stays and says so."""
    known = Person(phone=event.previous_phone or event.sender.phone,
                   user_id=event.previous_user_id or event.sender.user_id)
    if event.kind == "identity":
        contact_id = await recognise(tx, event.sender, event.at) if event.sender.is_known else None
    else:
        contact_id = await _with_threads(tx, await contacts.update_identity(tx, known=known, new=event.new,
                                                                          at=event.at or tx.now))
    if contact_id is None:
        return
    thread_id = await tx.value("SELECT id FROM conversation WHERE channel_id = ? AND contact_id = ?",
                               channel_id, contact_id)
    if thread_id:
        await add_event(tx, thread_id, f"{event.kind}_changed", at=event.at or tx.now)


async def call(tx: Transaction, channel_id: str, event: CallReceived) -> None:
    """A call opens the window and leaves a line in the thread; Chime does not answer calls."""
    if not event.person.is_known:
        return
    contact_id = await recognise(tx, event.person, event.at)
    # A call of ours, by whatever app, is nobody's coming.
    comes = event.user_initiated is not False and not await blocking.meets_blocked(tx, contact_id, channel_id)
    thread = await reopening.customer_came(tx, channel_id, contact_id, at=event.at, reopen=comes)
    if event.opens_window:
        await tx.execute("UPDATE conversation SET window_expires_at = max(coalesce(window_expires_at, 0), ?) "
                         "WHERE id = ?", event.at + WINDOW, thread.id)
    await _woken(tx, thread, at=event.at)
    if event.event in ("connect", "terminate"):
        await add_event(tx, thread.id, f"call_{event.event}", at=event.at or tx.now,
                        seconds=event.duration_seconds)


async def echo(tx: Transaction, channel_id: str, event: MessageEchoed) -> None:
    """Something the business wrote on its phone: shown as ours, opens no window, counts as no reply of an agent."""
    if event.echo_kind == "edit":
        await edit(tx, channel_id, event)
    elif event.echo_kind == "revoke":
        await revoke(tx, channel_id, event)
    elif event.echo_kind == "reaction" and event.target_wamid:
        await changes.keep(tx, channel_id, event.target_wamid, "reaction:out", event.at,
                           {"emoji": event.content.get("emoji"), "name": ""})
    elif event.recipient.is_known and not await _known(tx, channel_id, event.wamid):
        await _insert_old(tx, channel_id, event, event.recipient, Origin.PHONE, Direction.OUTBOUND, Status.SENT)


async def history(tx: Transaction, channel_id: str, event: HistoryReceived) -> int:
    """Old messages from the phone's memory; how many were new. No unread counts, windows, files older than Meta
    keeps them, or automations come from it."""
    new = 0
    for place, old in enumerate(event.messages, 1):
        if place % _BETWEEN_BREATHS == 0:
            await asyncio.sleep(0)  # there may be thousands, and others want to be answered
        if old.type in _ABOUT_ANOTHER:
            new += await _remembered_change(tx, channel_id, old)
        elif old.person.is_known and old.type != "media_placeholder" and not await _known(tx, channel_id, old.wamid):
            direction = Direction.OUTBOUND if old.outgoing else Direction.INBOUND
            await _insert_old(tx, channel_id, old, old.person, Origin.HISTORY, direction, _history_status(old))
            new += 1
    return new


async def _remembered_change(tx: Transaction, channel_id: str, old: HistoryMessage) -> bool:
    """A reaction, an edit or a deletion in the phone's memory: laid over its message like any other. Whether it was
    new."""
    target = old.content.get("message_id")
    if not target:
        return False
    content = {name: value for name, value in old.content.items() if name not in ("message_id", "type")}
    kind = f"reaction:{'out' if old.outgoing else 'in'}" if old.type == "reaction" else old.type
    said: dict[str, dict[str, Any]] = {
        "edit": {"text": old.text or "", "content": content},
        "revoke": {},
        "reaction": {"emoji": old.content.get("emoji"), "name": "" if old.outgoing else old.person.name or ""}}
    if await changes.is_kept(tx, channel_id, target, kind, old.at):
        return False
    await changes.keep(tx, channel_id, target, kind, old.at, said[old.type])
    return True


def _history_status(old: HistoryMessage) -> Status:
    if not old.outgoing:
        return Status.RECEIVED
    named = {"DELIVERED": Status.DELIVERED, "READ": Status.READ, "PLAYED": Status.PLAYED, "ERROR": Status.FAILED}
    return named.get(old.status or "", Status.SENT)


async def _insert_old(tx: Transaction, channel_id: str, event: MessageEchoed | HistoryMessage, person: Person,
                      origin: Origin, direction: Direction, status: Status) -> None:
    contact_id = await recognise(tx, person, event.at)
    thread = await open_thread(tx, channel_id, contact_id, at=event.at, reopen=False)
    media_id = await _media(tx, channel_id, event.type, event.media, event.at)
    message_id = tx.new_id()
    at = _sorted_at(tx, event.at)
    await tx.execute(
        "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, wamid, text, "
        "content_json, media_id, quoted_wamid, author_name, at, created_at, sent_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        message_id, thread.id, channel_id, direction.value, origin.value, event.type, status.value, event.wamid,
        event.text or "", _json(event.content), media_id, event.context.wamid if event.context else None,
        (person.name or "") if direction is Direction.INBOUND else "", at, tx.now,
        at if direction is Direction.OUTBOUND else None)
    await _touch(tx, thread.id, message_id, at=at, window=None, unread=0)
    if direction is Direction.OUTBOUND:
        await _answered(tx, thread.id, at)
    await statuses.apply_waiting(tx, channel_id, message_id, event.wamid)
    await changes.apply_waiting(tx, channel_id, event.wamid)
    tx.publish("message", message_id, conversation_id=thread.id)
    tx.publish("conversation", thread.id)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
