"""Messages for later: kept here until their moment, then sent through the one door, exactly once.

Promises: the rules are asked when somebody chooses the moment (the reply window as it will be then) and again when it
comes; the row and the message change places in one transaction, so neither a crash nor a second run sends twice; when
the customer wrote first, nothing leaves before a person said so, unless they had said it beforehand.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from chime.clock import HOUR, MINUTE
from chime.db import Db
from chime.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Sentence
from chime.inbox import notes, rules, sending, unsent_files
from chime.inbox.client_ids import made_before
from chime.inbox.model import Origin, Window
from chime.inbox.sending import Draft
from chime.inbox.snooze import LONGEST
from chime.phone import shown_content, shown_text
from chime.security.scope import CONVERSATIONS, Viewer
from chime.whatsapp import parse_message
from chime.workspaces import Transaction

SEND_SCHEDULED = "inbox.send_scheduled"
DROP_CANCELLED = "inbox.drop_cancelled"
MOST_OF_ONE = 50
# A nudge is planned this shortly before; what is further away the sweep finds.
SOON = MINUTE
# So long somebody can have back what they cancelled.
KEPT = HOUR
LATE = 2 * HOUR
NOT_ALLOWED = "Who scheduled this may not answer here any more."
TOO_LATE = "Chime was not running at that time. Send it now, or choose another moment."


class ScheduledState(StrEnum):
    """Held: the customer wrote first, so a person is asked. Failed: a rule forbade it when its time came."""

    WAITING = "waiting"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to leave at `send_at`. `customer_wrote`: since somebody last said that it shall go."""

    id: str
    conversation_id: str
    state: ScheduledState
    send_at: int
    sends_anyway: bool
    type: str
    text: str
    content: dict[str, Any]
    media_id: str | None
    media_filename: str | None
    media_kind: str | None
    reply_to: str | None
    origin: Origin
    author_kind: str
    author_id: str | None
    author_name: str
    trouble: str
    created_at: int
    asked_at: int
    customer_wrote: bool

    @property
    def asks(self) -> bool:
        """Whether a person has to say what shall become of it."""
        return self.state is ScheduledState.HELD or (self.state is ScheduledState.WAITING and self.customer_wrote
                                                     and not self.sends_anyway)


_FIRST = (0, "")
# What came in is sorted by the customer's clock and found by ours; a day holds whatever the two differ by.
_SCHEDULED = """
    SELECT scheduled_message.id, scheduled_message.conversation_id, scheduled_message.state, scheduled_message.send_at,
        scheduled_message.sends_anyway, scheduled_message.type, scheduled_message.text, scheduled_message.content_json,
        scheduled_message.media_id, media.filename AS media_filename, media.kind AS media_kind,
        scheduled_message.reply_to, scheduled_message.origin, scheduled_message.author_kind,
        scheduled_message.author_id, scheduled_message.author_name, scheduled_message.trouble,
        scheduled_message.created_at, scheduled_message.asked_at, EXISTS (SELECT 1 FROM message
            WHERE message.conversation_id = scheduled_message.conversation_id AND message.direction = 'in'
            AND message.type <> 'reaction' AND message.at > scheduled_message.asked_at - 86400000
            AND message.created_at > scheduled_message.asked_at) AS customer_wrote
    FROM scheduled_message JOIN conversation ON conversation.id = scheduled_message.conversation_id
    LEFT JOIN media ON media.id = scheduled_message.media_id
"""


def _shown(row: Scheduled) -> Scheduled:
    return msgspec.structs.replace(row, text=shown_text(row.text), content=shown_content(row.content),
                                   media_filename=shown_text(row.media_filename or "") or None)


async def scheduled(db: Db, scheduled_id: str) -> Scheduled | None:
    """One that was not cancelled, as its reader may see it."""
    found = await _stored(db, scheduled_id)
    return _shown(found) if found else None


async def _stored(db: Db, scheduled_id: str) -> Scheduled | None:
    return await db.one(Scheduled, _SCHEDULED + " WHERE scheduled_message.id = ? "
                        "AND scheduled_message.state <> 'cancelled'", scheduled_id)


async def of_conversation(db: Db, conversation_id: str) -> list[Scheduled]:
    """Those of a conversation, the next one first."""
    rows = await db.all(Scheduled, _SCHEDULED + " WHERE scheduled_message.conversation_id = ? AND "
                        "scheduled_message.state <> 'cancelled' ORDER BY scheduled_message.send_at, "
                        "scheduled_message.id LIMIT ?", conversation_id, MOST_OF_ONE)
    return [_shown(row) for row in rows]


async def in_sight(db: Db, viewer: Viewer, *, after: tuple[int, str] | None = None, limit: int) -> list[Scheduled]:
    """A page of all that somebody reaches, the next one first, after `(send_at, id)`."""
    rows = await db.all(Scheduled, _SCHEDULED + " WHERE scheduled_message.state <> 'cancelled'"
                        + CONVERSATIONS[viewer.sight] + " AND (scheduled_message.send_at, scheduled_message.id) "
                        "> (?, ?) ORDER BY scheduled_message.send_at, scheduled_message.id LIMIT ?",
                        *viewer.values, *(after or _FIRST), limit)
    return [_shown(row) for row in rows]


async def schedule(tx: Transaction, conversation_id: str, draft: Draft, *, at: int, sends_anyway: bool = False) -> str:
    """Take a message for a moment to come; its id. The same `client_id` twice is one. Raises NotFound, Invalid,
    Refused (also when the reply window will be closed then), Conflict."""
    known = made_before(await tx.rows("SELECT id, conversation_id FROM scheduled_message WHERE client_id = ?",
                                      draft.client_id), conversation_id)
    if known is not None:
        return known
    if await tx.value("SELECT count(*) FROM scheduled_message WHERE conversation_id = ? AND state <> 'cancelled'",
                      conversation_id) >= MOST_OF_ONE:
        raise Conflict(Sentence("A conversation has at most %(most)s scheduled messages.", most=MOST_OF_ONE))
    text = await _allowed(tx, conversation_id, draft, at)
    scheduled_id = tx.new_id()
    await tx.execute(
        "INSERT INTO scheduled_message (id, conversation_id, send_at, sends_anyway, type, text, content_json, "
        "media_id, reply_to, origin, author_kind, author_id, author_name, client_id, created_at, asked_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", scheduled_id, conversation_id, at,
        int(sends_anyway), draft.message.type, text, _json(draft), draft.media_id, draft.reply_to, draft.origin.value,
        tx.actor.kind, tx.actor.id, tx.actor.name, draft.client_id, tx.now, tx.now)
    await tx.audit("message.scheduled", "scheduled_message", scheduled_id, conversation_id=conversation_id,
                   type=draft.message.type, send_at=at)
    _plan(tx, scheduled_id, conversation_id, at)
    return scheduled_id


async def edit(tx: Transaction, scheduled_id: str, *, draft: Draft | None = None, at: int | None = None,
               sends_anyway: bool | None = None) -> None:
    """Other words, or another moment; whoever does so has seen what the customer wrote. Raises NotFound, Invalid,
    Refused."""
    row = await _row(tx, scheduled_id)
    moment = row.send_at if at is None else at
    new = draft or _draft(row)
    text = await _allowed(tx, row.conversation_id, new, moment)
    anyway = row.sends_anyway if sends_anyway is None else sends_anyway
    await tx.execute(
        "UPDATE scheduled_message SET state = 'waiting', send_at = ?, sends_anyway = ?, type = ?, text = ?, "
        "content_json = ?, media_id = ?, reply_to = ?, trouble = '', asked_at = ?, author_kind = ?, author_id = ?, "
        "author_name = ?, origin = ? WHERE id = ?", moment, int(anyway), new.message.type, text, _json(new),
        new.media_id, new.reply_to, tx.now, tx.actor.kind, tx.actor.id, tx.actor.name, new.origin.value, scheduled_id)
    if row.media_id is not None and row.media_id != new.media_id:
        await unsent_files.let_go_of(tx, row.media_id, row.origin)
    await tx.audit("message.rescheduled", "scheduled_message", scheduled_id, send_at=moment,
                   reworded=draft is not None)
    _plan(tx, scheduled_id, row.conversation_id, moment)


async def keep(tx: Transaction, scheduled_id: str) -> str | None:
    """It shall go although the customer wrote: at its moment, or at once when that is over; then the id of the
    message. Raises NotFound, Refused."""
    row = await _row(tx, scheduled_id)
    if row.state is not ScheduledState.WAITING:
        return await send_now(tx, scheduled_id)
    await tx.execute("UPDATE scheduled_message SET asked_at = ? WHERE id = ?", tx.now, scheduled_id)
    await tx.audit("message.schedule_confirmed", "scheduled_message", scheduled_id)
    tx.publish("conversation", row.conversation_id)
    return None


async def send_now(tx: Transaction, scheduled_id: str) -> str:
    """Somebody does not want to wait; the id of the message. Raises NotFound, Refused."""
    return await _send(tx, await _row(tx, scheduled_id))


async def cancel(tx: Transaction, scheduled_id: str) -> None:
    """It will not leave. Raises NotFound."""
    row = await _row(tx, scheduled_id)
    await tx.execute("UPDATE scheduled_message SET state = 'cancelled', cancelled_at = ? WHERE id = ?", tx.now,
                     scheduled_id)
    await tx.audit("message.schedule_cancelled", "scheduled_message", scheduled_id)
    tx.publish("conversation", row.conversation_id)


async def restore(tx: Transaction, scheduled_id: str) -> None:
    """What was cancelled a moment ago stands again. Raises NotFound, Conflict when its time is over."""
    rows = await tx.rows("SELECT conversation_id, send_at FROM scheduled_message WHERE id = ? "
                         "AND state = 'cancelled'", scheduled_id)
    if not rows:
        raise NotFound("There is no such scheduled message.")
    conversation_id, send_at = rows[0]
    if send_at <= tx.now:
        raise Conflict("Its moment is over by now. Schedule it anew.")
    await sending.in_hand(tx, conversation_id)
    await tx.execute("UPDATE scheduled_message SET state = 'waiting', cancelled_at = NULL WHERE id = ?", scheduled_id)
    await tx.audit("message.schedule_restored", "scheduled_message", scheduled_id)
    _plan(tx, scheduled_id, conversation_id, send_at)


async def come_due(tx: Transaction, scheduled_id: str, *, may_send: bool) -> None:
    """Its moment is here: sent in the author's name, or held for a person, or failed with the reason. `tx` is its
    author's, or Chime's own when the author may not send any more."""
    found = await _stored(tx, scheduled_id)
    if found is None or found.state is not ScheduledState.WAITING or found.send_at > tx.now:
        return
    if not may_send:
        await _stop(tx, found, ScheduledState.FAILED, NOT_ALLOWED)
    elif found.asks:
        await _stop(tx, found, ScheduledState.HELD, "")
    elif found.send_at < tx.now - LATE:
        await _stop(tx, found, ScheduledState.FAILED, TOO_LATE)
    else:
        try:
            await tx.savepoint(lambda: _send(tx, found))
        except (Refused, NotFound, Conflict, Invalid, Forbidden) as refusal:
            await _stop(tx, found, ScheduledState.FAILED, str(refusal))


async def drop(tx: Transaction, scheduled_id: str) -> str | None:
    """The end of a cancelled one; the id of a file that nothing needs any more."""
    media_id: str | None = await tx.value("SELECT media_id FROM scheduled_message WHERE id = ?", scheduled_id)
    await tx.execute("DELETE FROM scheduled_message WHERE id = ? AND state = 'cancelled'", scheduled_id)
    if media_id is None or not await tx.execute(
            "DELETE FROM media WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM message WHERE media_id = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM scheduled_message WHERE media_id = ?1)", media_id):
        return None
    return media_id


async def _row(tx: Transaction, scheduled_id: str) -> Scheduled:
    """Raises NotFound, also for who may not answer there."""
    found = await _stored(tx, scheduled_id)
    if found is None:
        raise NotFound("There is no such scheduled message.")
    await sending.in_hand(tx, found.conversation_id)
    return found


async def _allowed(tx: Transaction, conversation_id: str, draft: Draft, at: int) -> str:
    """The words of a message that may be scheduled for this moment. Raises NotFound, Invalid, Refused."""
    await sending.in_hand(tx, conversation_id)
    if not tx.now < at <= tx.now + LONGEST:
        raise Invalid.field("send_at", "Choose a moment to come, within a year.")
    if draft.message.type == "reaction":
        raise Invalid.field("type", "A reaction cannot be scheduled.")
    found = await rules.circumstances(tx, conversation_id)
    if draft.message.type != "template" and not Window(found.window_expires_at, at).is_open:
        raise Refused("The reply window will be closed by then, and WhatsApp will take only templates. "
                      "Choose an earlier moment, or schedule a template.", code="window_will_close")
    template = await rules.template_of(tx, found.waba_id, msgspec.to_builtins(draft.message))
    rules.check(found, draft.message.type, template, at)
    if draft.reply_to is not None and not await tx.value("SELECT 1 FROM message WHERE id = ? AND conversation_id = ?",
                                                         draft.reply_to, conversation_id):
        raise NotFound("The message to answer is not in this conversation.")
    return sending.shown_words(draft.message, template)


async def _send(tx: Transaction, row: Scheduled) -> str:
    """The row goes and the message is queued, together."""
    await tx.execute("DELETE FROM scheduled_message WHERE id = ?", row.id)
    return await sending.queue_message(tx, row.conversation_id, _draft(row))


def _draft(row: Scheduled) -> Draft:
    return Draft(message=parse_message(row.content), origin=row.origin, client_id=f"scheduled:{row.id}",
                 reply_to=row.reply_to, media_id=row.media_id)


async def _stop(tx: Transaction, row: Scheduled, state: ScheduledState, trouble: str) -> None:
    """Not sent: it stands there with its reason, and its author is called."""
    await tx.execute("UPDATE scheduled_message SET state = ?, trouble = ? WHERE id = ?", state.value, trouble, row.id)
    held = state is ScheduledState.HELD
    await tx.audit("message.schedule_questioned" if held else "message.schedule_failed", "scheduled_message", row.id)
    if row.author_kind == "user" and row.author_id is not None:
        await notes.call(tx, row.conversation_id, user_id=row.author_id, user_name=row.author_name, text="",
                         about="scheduled_held" if held else "scheduled_failed")
    tx.publish("conversation", row.conversation_id)


def _plan(tx: Transaction, scheduled_id: str, conversation_id: str, at: int) -> None:
    if at - tx.now <= SOON:
        tx.enqueue(SEND_SCHEDULED, scheduled_id, at=at)
    tx.publish("conversation", conversation_id)


def _json(draft: Draft) -> str:
    return msgspec.json.encode(msgspec.to_builtins(draft.message)).decode()
