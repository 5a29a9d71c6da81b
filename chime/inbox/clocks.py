"""The clocks of a conversation: until when the first answer, the next one and the resolution are due.

They start when the customer writes, in the same transaction; an answer of ours stops the first two and pauses the
resolution, which also rests while a conversation is snoozed; resolving stops all. Automatic messages stop nothing. Each
end is kept in `response_time`. A workspace without targets pays for one look into a table that is empty.
"""

from __future__ import annotations

import msgspec

from chime import working_time
from chime.clock import MINUTE
from chime.working_time import Clock, Terms
from chime.workspaces import Transaction

# Urgent when less than a quarter of the time is left, or less than this.
SOON = 15 * MINUTE
_ANSWERS = (Clock.FIRST, Clock.NEXT)


class _Conversation(msgspec.Struct, frozen=True, kw_only=True):
    channel_id: str
    team_id: str | None
    state: str
    waiting_since: int | None
    answered_at: int | None


class ServiceClock(msgspec.Struct, frozen=True, kw_only=True):
    """One of them as it stands; paused while `running_since` is None."""

    kind: Clock
    minutes: int
    began_at: int
    running_since: int | None
    used: int
    due_at: int | None


async def customer_wrote(tx: Transaction, conversation_id: str, *, at: int) -> None:
    """Somebody waits for an answer: what is not running starts from the first message that nobody answered."""
    if not await working_time.has_targets(tx):
        return
    found = await _conversation(tx, conversation_id)
    if found is None or found.waiting_since is None or found.state != "open":
        return
    terms = await _terms(tx, found)
    running = await _clocks(tx, conversation_id)
    wanted = Clock.NEXT if found.answered_at else Clock.FIRST
    if wanted in terms.minutes and not any(kind in running for kind in _ANSWERS):
        await _start(tx, conversation_id, terms, wanted, found.waiting_since)
    if Clock.RESOLUTION in running:
        await _resume(tx, conversation_id, terms, running[Clock.RESOLUTION], at)
    elif Clock.RESOLUTION in terms.minutes:
        await _start(tx, conversation_id, terms, Clock.RESOLUTION, found.waiting_since)
    await show(tx, conversation_id)


async def answered(tx: Transaction, conversation_id: str, *, agent_id: str | None, at: int | None = None) -> None:
    """A person of ours answered: nobody waits for us now."""
    running = await _clocks(tx, conversation_id)
    if not running:
        return
    found = await _conversation(tx, conversation_id)
    if found is None:
        return
    terms = await _terms(tx, found)
    for kind in _ANSWERS:
        if kind in running:
            await _end(tx, conversation_id, found, terms, running[kind], agent_id, at or tx.now)
    if Clock.RESOLUTION in running:
        await _pause(tx, conversation_id, terms, running[Clock.RESOLUTION], at or tx.now)
    await show(tx, conversation_id)


async def answer_undone(tx: Transaction, conversation_id: str, *, since: int, said_at: int) -> None:
    """What was said at this moment reached nobody: no answer to those who wait since then counts, and the clocks run on
    as if it had not been said."""
    await tx.execute("DELETE FROM response_time WHERE conversation_id = ? AND began_at >= ? AND kind <> 'resolution'",
                     conversation_id, since)
    await tx.execute("DELETE FROM service_clock WHERE conversation_id = ? AND began_at > ? AND kind <> 'resolution'",
                     conversation_id, since)
    await customer_wrote(tx, conversation_id, at=said_at)


async def resolved(tx: Transaction, conversation_id: str, *, agent_id: str | None) -> None:
    """The matter is over. An answer that was still due is not counted: none was given."""
    running = await _clocks(tx, conversation_id)
    if not running:
        return
    found = await _conversation(tx, conversation_id)
    if found is not None and Clock.RESOLUTION in running:
        await _end(tx, conversation_id, found, await _terms(tx, found), running[Clock.RESOLUTION], agent_id, tx.now)
    await tx.execute("DELETE FROM service_clock WHERE conversation_id = ?", conversation_id)
    await show(tx, conversation_id)


async def resolution_undone(tx: Transaction, conversation_id: str, *, closed_at: int) -> None:
    """It was resolved at this moment by mistake: the matter goes on with the time it had taken, and so does an answer
    that was due."""
    await tx.execute(
        "INSERT OR IGNORE INTO service_clock (conversation_id, kind, minutes, began_at, used) SELECT conversation_id, "
        "kind, minutes, began_at, took FROM response_time WHERE conversation_id = ?1 AND kind = 'resolution' "
        "AND ended_at = ?2", conversation_id, closed_at)
    await tx.execute("DELETE FROM response_time WHERE conversation_id = ? AND kind = 'resolution' AND ended_at = ?",
                     conversation_id, closed_at)
    await customer_wrote(tx, conversation_id, at=closed_at)


async def rests(tx: Transaction, conversation_id: str) -> None:
    """It was snoozed: the resolution waits; an answer that is due stays due."""
    running = await _clocks(tx, conversation_id)
    found = await _conversation(tx, conversation_id) if Clock.RESOLUTION in running else None
    if found is not None:
        await _pause(tx, conversation_id, await _terms(tx, found), running[Clock.RESOLUTION], tx.now)
        await show(tx, conversation_id)


async def goes_on(tx: Transaction, conversation_id: str) -> None:
    """It came back from its snooze: what rested goes on if the customer waits for us, and an answer that was lost
    meanwhile is due again."""
    await customer_wrote(tx, conversation_id, at=tx.now)


async def count_again(tx: Transaction, conversation_id: str, *, changed_at: int | None = None) -> None:
    """Its hours or targets are others now (they were changed, or it went to another team): what runs is due by the new
    ones, from when it began, and what is new begins. What was missed stays missed. Of what was over only by terms that
    were changed at `changed_at`, after its moment, nobody is told."""
    found = await _conversation(tx, conversation_id)
    if found is None:
        return
    await tx.execute("UPDATE service_clock SET is_stale = 0 WHERE conversation_id = ? AND is_stale", conversation_id)
    terms, before = await _terms(tx, found), await _clocks(tx, conversation_id)
    for kind, clock in before.items():
        if kind not in terms.minutes:
            await tx.execute("DELETE FROM service_clock WHERE conversation_id = ? AND kind = ?",
                             conversation_id, kind.value)
            continue
        clock = msgspec.structs.replace(clock, minutes=terms.minutes[kind])
        await tx.execute("UPDATE service_clock SET minutes = ? WHERE conversation_id = ? AND kind = ?",
                         clock.minutes, conversation_id, kind.value)
        if clock.running_since is not None:
            await _run(tx, conversation_id, terms, clock, clock.running_since)
    await customer_wrote(tx, conversation_id, at=tx.now)
    if changed_at is not None:
        await _hush(tx, conversation_id, before, changed_at)
    await show(tx, conversation_id)


async def _hush(tx: Transaction, conversation_id: str, before: dict[Clock, ServiceClock], changed_at: int) -> None:
    """A clock that was past its moment when its terms came to be, and was not by those before."""
    for kind, clock in (await _clocks(tx, conversation_id)).items():
        known = before.get(kind)
        was_over = known is not None and known.due_at is not None and known.due_at <= changed_at
        if clock.due_at is not None and clock.due_at <= changed_at and not was_over:
            await tx.execute("UPDATE service_clock SET missed_at = 0 WHERE conversation_id = ? AND kind = ? "
                             "AND missed_at IS NULL", conversation_id, kind.value)


async def move(tx: Transaction, *, kept: str, gone: str) -> None:
    """Two conversations became one: of each kind the clock that began first goes on."""
    await tx.execute("DELETE FROM service_clock WHERE conversation_id = ?1 AND EXISTS (SELECT 1 FROM service_clock "
                     "AS other WHERE other.conversation_id = ?2 AND other.kind = service_clock.kind "
                     "AND other.began_at < service_clock.began_at)", kept, gone)
    await tx.execute("UPDATE OR IGNORE service_clock SET conversation_id = ? WHERE conversation_id = ?", kept, gone)
    await tx.execute("DELETE FROM service_clock WHERE conversation_id = ?", gone)
    await tx.execute("UPDATE conversation SET answered_at = coalesce(answered_at, (SELECT other.answered_at "
                     "FROM conversation AS other WHERE other.id = ?2)) WHERE id = ?1", kept, gone)
    await tx.execute("UPDATE response_time SET conversation_id = ? WHERE conversation_id = ?", kept, gone)
    # Resolved both in the same moment, they were one matter.
    await tx.execute("UPDATE OR IGNORE satisfaction SET conversation_id = ? WHERE conversation_id = ?", kept, gone)
    await tx.execute("DELETE FROM satisfaction WHERE conversation_id = ?", gone)
    await show(tx, kept)


async def _conversation(tx: Transaction, conversation_id: str) -> _Conversation | None:
    return await tx.one(_Conversation, "SELECT channel_id, team_id, state, waiting_since, answered_at "
                        "FROM conversation WHERE id = ?", conversation_id)


async def _terms(tx: Transaction, found: _Conversation) -> Terms:
    return await working_time.terms(tx, channel_id=found.channel_id, team_id=found.team_id)


async def _clocks(tx: Transaction, conversation_id: str) -> dict[Clock, ServiceClock]:
    found = await tx.all(ServiceClock, "SELECT kind, minutes, began_at, running_since, used, due_at "
                         "FROM service_clock WHERE conversation_id = ?", conversation_id)
    return {clock.kind: clock for clock in found}


async def _start(tx: Transaction, conversation_id: str, terms: Terms, kind: Clock, at: int) -> None:
    clock = ServiceClock(kind=kind, minutes=terms.minutes[kind], began_at=at, running_since=at, used=0, due_at=None)
    await tx.execute("INSERT INTO service_clock (conversation_id, kind, minutes, began_at) VALUES (?, ?, ?, ?)",
                     conversation_id, kind.value, clock.minutes, at)
    await _run(tx, conversation_id, terms, clock, at)


async def _run(tx: Transaction, conversation_id: str, terms: Terms, clock: ServiceClock, since: int) -> None:
    whole = clock.minutes * MINUTE
    left = max(0, whole - clock.used)
    urgent = max(whole // 4, SOON)
    due_at = working_time.after(terms.calendar, since, left)
    soon_at = working_time.after(terms.calendar, since, left - urgent) if left > urgent else since
    # Over when its terms came to be, and not any more: it can be missed again.
    await tx.execute("UPDATE service_clock SET running_since = ?1, due_at = ?2, soon_at = ?3, missed_at = "
                     "CASE WHEN ?2 > ?4 THEN nullif(missed_at, 0) ELSE missed_at END WHERE conversation_id = ?5 "
                     "AND kind = ?6", since, due_at, soon_at, tx.now, conversation_id, clock.kind.value)


async def _resume(tx: Transaction, conversation_id: str, terms: Terms, clock: ServiceClock, at: int) -> None:
    if clock.running_since is None:
        await _run(tx, conversation_id, terms, clock, at)


async def _pause(tx: Transaction, conversation_id: str, terms: Terms, clock: ServiceClock, at: int) -> None:
    if clock.running_since is not None:
        await tx.execute("UPDATE service_clock SET used = ?, running_since = NULL, due_at = NULL, soon_at = NULL "
                         "WHERE conversation_id = ? AND kind = ?", _used(terms, clock, at), conversation_id,
                         clock.kind.value)


async def _end(tx: Transaction, conversation_id: str, found: _Conversation, terms: Terms, clock: ServiceClock,
               agent_id: str | None, at: int) -> None:
    await tx.execute("DELETE FROM service_clock WHERE conversation_id = ? AND kind = ?", conversation_id,
                     clock.kind.value)
    await tx.execute(
        "INSERT INTO response_time (id, kind, conversation_id, channel_id, team_id, agent_id, began_at, ended_at, "
        "took, minutes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", tx.new_id(), clock.kind.value, conversation_id,
        found.channel_id, found.team_id, agent_id, clock.began_at, at, _used(terms, clock, at), clock.minutes)


def _used(terms: Terms, clock: ServiceClock, at: int) -> int:
    """The working time it has run until now."""
    if clock.running_since is None:
        return clock.used
    return clock.used + working_time.working(terms.calendar, clock.running_since, at)


async def show(tx: Transaction, conversation_id: str) -> None:
    """The earliest of what runs stands at the conversation, for lists to sort by."""
    await tx.execute(
        "UPDATE conversation SET (due_at, due_soon_at, due_kind) = (SELECT due_at, soon_at, kind FROM service_clock "
        "WHERE conversation_id = ?1 AND due_at IS NOT NULL UNION ALL SELECT NULL, NULL, NULL ORDER BY 1 NULLS LAST "
        "LIMIT 1) WHERE id = ?1", conversation_id)
    tx.publish("conversation", conversation_id)
