"""Out of the open lists until a moment, or until the customer writes; then back on top of them."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from chime.accounts import QUEUE, ROUTE
from chime.clock import DAY, HOUR, rfc3339
from chime.db import Db
from chime.errors import Conflict, Invalid, NotFound
from chime.inbox import clocks
from chime.inbox.actions import AFTERWARDS, add_event, reopen
from chime.workspaces import Transaction

LONGEST = 366 * DAY
MORNING, EVENING = time(9), time(18)


class Preset(StrEnum):
    """What one key press can mean."""

    HOUR = "hour"
    EVENING = "evening"
    TOMORROW = "tomorrow"
    MONDAY = "monday"
    REPLY = "reply"


def moment(preset: Preset, now: int, zone: tzinfo) -> int | None:
    """When it ends on the reader's calendar; None for the customer's reply. After six in the evening `evening` is the
    next day's."""
    if preset is Preset.REPLY:
        return None
    if preset is Preset.HOUR:
        return now + HOUR
    here = datetime.fromtimestamp(now / 1000, zone)
    days = {Preset.EVENING: int(here.time() >= EVENING), Preset.TOMORROW: 1,
            Preset.MONDAY: 7 - here.weekday()}[preset]
    hour = EVENING if preset is Preset.EVENING else MORNING
    return int(datetime.combine(here.date() + timedelta(days=days), hour, zone).timestamp() * 1000)


def typed_moment(text: str, now: int, zone: tzinfo, *, field: str = "until") -> int:
    """What somebody chose in their own zone, as the browser writes it (2026-11-23T09:30). Raises Invalid."""
    try:
        until = int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise Invalid.field(field, "Choose a day and a time.") from error
    if not now < until <= now + LONGEST:
        raise Invalid.field(field, "Choose a moment to come, within a year.")
    return until


def as_typed(at: int, zone: tzinfo) -> str:
    """A moment as the browser's field for day and time wants it."""
    return datetime.fromtimestamp(at / 1000, zone).strftime("%Y-%m-%dT%H:%M")


def chosen_moment(choice: str, typed: str, now: int, zone: tzinfo, *, field: str) -> int | None:
    """A moment by its name, or a day and time that was typed beside it; None when neither was given. A day that is
    filled in counts also where no name was chosen: better too late than at once. Raises Invalid."""
    if choice in set(Preset) - {Preset.REPLY}:
        return moment(Preset(choice), now, zone)
    if not choice and not typed:
        return None
    return typed_moment(typed or choice, now, zone, field=field)


async def way_back(db: Db, conversation_id: str, now: int) -> dict[str, str] | None:
    """What to ask of the form that snoozes, to have the snooze that stands now again; None where there is none."""
    rows = await db.rows("SELECT snoozed_until FROM conversation WHERE id = ? AND state = 'snoozed' "
                         "AND (snoozed_until IS NULL OR snoozed_until > ?)", conversation_id, now)
    if not rows:
        return None
    return {"until": Preset.REPLY.value if rows[0][0] is None else rfc3339(rows[0][0])}


async def snooze(tx: Transaction, conversation_id: str, *, until: int | None, expected: str | None = None) -> None:
    """Until a moment, or until the customer writes. At once after it was resolved, that is undone first. `expected` is
    the state in which somebody left it who takes that back: it may be another by now. Raises NotFound, Conflict."""
    rows = await tx.rows("SELECT state, closed_at FROM conversation WHERE id = ?", conversation_id)
    if not rows:
        raise NotFound("There is no such conversation.")
    state, closed_at = rows[0]
    if expected is not None and state != expected:
        raise Conflict("It is too late to undo this.")
    if state == "closed" and closed_at is not None and tx.now - closed_at <= AFTERWARDS:
        await reopen(tx, conversation_id)
    await tx.execute("UPDATE conversation SET state = 'snoozed', snoozed_until = ?, closed_at = NULL, "
                     "reason_id = NULL WHERE id = ?", until, conversation_id)
    await clocks.rests(tx, conversation_id)
    await add_event(tx, conversation_id, "snoozed", actor_name=tx.actor.name, until=until)
    await tx.audit("conversation.snoozed", "conversation", conversation_id, until=until)
    tx.enqueue(ROUTE, QUEUE)


async def wake(tx: Transaction, conversation_id: str) -> None:
    """Back among the open ones; by a person, or because its time came. Raises NotFound."""
    state = await tx.value("SELECT state FROM conversation WHERE id = ?", conversation_id)
    if state is None:
        raise NotFound("There is no such conversation.")
    if state != "snoozed":
        return
    # It returns on top of lists that are sorted by the last thing that happened.
    await tx.execute("UPDATE conversation SET state = 'open', snoozed_until = NULL, "
                     "last_message_at = max(last_message_at, ?) WHERE id = ?", tx.now, conversation_id)
    await clocks.goes_on(tx, conversation_id)
    await add_event(tx, conversation_id, "woken", actor_name=tx.actor.name if tx.actor.kind == "user" else "")
    await tx.audit("conversation.woken", "conversation", conversation_id)
    tx.enqueue(ROUTE, QUEUE)
