"""From what happened to who is rung: who hears of a customer's message, which devices are pushed, each push.

Promises: whoever was removed, re-scoped or has read it meanwhile is not pushed: all of that is asked right before the
push leaves, also when it is tried again. A push service that is slow or down keeps nobody else waiting, and what is an
hour old comes too late to ring.
"""

from __future__ import annotations

from chime import accounts
from chime.clock import SECOND
from chime.db import Db
from chime.jobs import JobKind, Work
from chime.notifications import devices, queries
from chime.notifications.actions import DELIVER, FAN_OUT, PUSH, WAITING, notify, push_to
from chime.notifications.choices import choices_of
from chime.notifications.model import FRESH_FOR, Choices, Kind, Notification, Way
from chime.notifications.pushing import LONGEST_PAUSE, Message, ring, tag_of
from chime.notifications.queries import Event, Push
from chime.notifications.reader import Reader, reader
from chime.notifications.words import address, cut, headline
from chime.phone import shown_text
from chime.security.addresses import NotAllowed
from chime.security.permissions import SYSTEM, Permission
from chime.security.scope import Viewer, viewer
from chime.security.web_push import NotAKey

SOURCE = "notifications"
# Seconds between two looks at who is to be told: nobody hears the difference, and a busy number is told of together.
APART = 0.2
# Seconds for which nobody else comes to the loop, while a hundred people are told of a hundred customers.
MOMENT = 0.003
_URGENT = frozenset({Kind.ASSIGNED_TO_ME, Kind.NEW_MESSAGE, Kind.MENTION, Kind.WAITING_TOO_LONG, Kind.REMINDER,
                     Kind.STAND_IN})
_GONE = frozenset({404, 410})
_LATER = frozenset({408, 425, 429})


async def fan_out(work: Work, _: str) -> None:
    """Customers wrote: whoever has the conversation hears of it; of one that nobody has, those who may take it."""
    people = _People(work)
    while found := await queries.events(work.workspace.db):
        told = await people.who_hear(found)
        async with work.workspace.ingest(SOURCE) as tx:
            for event, kind, user_ids in told:
                await notify(tx, user_ids, kind, conversation_id=event.conversation_id)
                await tx.execute("DELETE FROM notification_event WHERE conversation_id = ? AND at = ?",
                                 event.conversation_id, event.at)
        if len(told) == len(found) < queries.EVENTS_AT_ONCE:
            break


class _People:
    """The members, read once for all events of a run."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._members: dict[str, Viewer] | None = None
        self._choices: dict[str, Choices] = {}
        self._flooded: set[str] = set()

    async def who_hear(self, events: list[Event]) -> list[tuple[Event, Kind, list[str]]]:
        """Of the first of these, as many as take a moment: a page is drawn before the next ones."""
        begun, found = self._work.clock.monotonic(), []
        for event in events:
            kind = Kind.NEW_MESSAGE if event.assignee_id else Kind.NEW_UNASSIGNED
            found.append((event, kind, await self._who_hears(event, kind)))
            if self._work.clock.monotonic() - begun > MOMENT:
                break
        return found

    async def _who_hears(self, event: Event, kind: Kind) -> list[str]:
        if event.state == "closed":
            return []
        members = await self._read()
        # A flood of customers nobody has makes no flood of rows: who has a hundred to read is told of no more of them.
        silent = set() if event.assignee_id else self._flooded | await queries.told_of_waiting(
            self._work.workspace.db, event.conversation_id)
        found, in_sight = [], dict[Viewer, bool]()  # most of a team have the same sight, so it is asked once for them
        for user_id, seen in members.items():
            wants = user_id not in silent and not self._choices.get(user_id, Choices()).ignores(kind)
            if event.assignee_id in (None, user_id) and wants:
                if seen not in in_sight:
                    in_sight[seen] = await queries.sees(self._work.workspace.db, seen, event.conversation_id)
                if in_sight[seen]:
                    found.append(user_id)
        return found

    async def _read(self) -> dict[str, Viewer]:
        if self._members is None:
            db = self._work.control.db
            actors = await accounts.member_actors(db, self._work.workspace.id)
            self._members = {actor.id or "": viewer(actor, Permission.INBOX_READ) for actor in actors
                             if actor.may(Permission.INBOX_REPLY)}
            self._choices = await choices_of(db, self._members)
            self._flooded = await queries.flooded(self._work.workspace.db, self._members)
        return self._members


async def deliver(work: Work, _: str) -> None:
    """Which devices are rung, for all that was told since."""
    rows, now = await queries.untold(work.workspace.db), work.clock.now()
    held: dict[str, list[str]] = {}
    found = []
    for row in rows:
        if row.user_id not in held:
            held[row.user_id] = [device.id for device in await devices.devices(work.control.db, row.user_id, now)]
        found.append((row, held[row.user_id] if held[row.user_id] and await _rings(work, row, now) else []))
    async with work.workspace.ingest(SOURCE) as tx:
        for row, subscription_ids in found:
            await tx.execute("UPDATE notification SET told_at = ? WHERE id = ? AND at = ?", now, row.id, row.at)
            for subscription_id in subscription_ids:
                await push_to(tx, row.id, subscription_id)
        if len(rows) == queries.AT_ONCE:
            tx.enqueue(DELIVER, WAITING)


async def _rings(work: Work, row: Notification, now: int) -> bool:
    """Whether its person wants to be rung for it, and may be."""
    if row.read_at is not None or now - row.at >= FRESH_FOR:
        return False
    who = await _allowed(work, row)
    return who is not None and who.choices.wants(row.kind, Way.PUSH) and not who.in_peace(now)


async def _allowed(work: Work, row: Notification) -> Reader | None:
    """Its person, if they may hear of it now."""
    who = await reader(work.control, work.workspace.id, row.user_id)
    if who is None or not await queries.sees(work.workspace.db, who.viewer, row.conversation_id):
        return None
    return who


async def push(work: Work, push_id: str) -> None:
    """Ring one device."""
    waiting = await queries.push(work.workspace.db, push_id)
    if waiting is None or waiting.next_attempt_at > work.clock.now():
        return
    row = await queries.unread_one(work.workspace.db, waiting.notification_id)
    who = await _allowed(work, row) if row is not None else None
    where = await devices.address(work.control, waiting.subscription_id, row.user_id) if row and who else None
    if row is None or who is None or where is None or work.clock.now() - row.at >= FRESH_FOR:
        await _settle(work, waiting, None)
        return
    message = await _message(work, who, row)
    try:
        status, pause = await ring(work.control, work.egress, where, message, topic=tag_of(row),
                                   urgent=row.kind in _URGENT, subject=work.mailer.contact,
                                   now=work.clock.real_now())
    except (NotAKey, NotAllowed):
        status, pause = 410, 0  # what was let in once must not be called any more
    if status in _GONE:
        async with work.control.write(SYSTEM) as tx:
            await devices.forget(tx, waiting.subscription_id)
    again = status in _LATER or status >= 500 or status == 0
    await _settle(work, waiting, max(pause, _pause(waiting.attempts)) if again else None)


def _pause(attempts: int) -> int:
    return min(10 * SECOND << min(attempts, 10), LONGEST_PAUSE)


async def _settle(work: Work, waiting: Push, pause: int | None) -> None:
    """Done with it, or another try after a pause; the minute's sweep finds that one."""
    async with work.workspace.ingest(SOURCE) as tx:
        if pause is None:
            await tx.execute("DELETE FROM notification_push WHERE id = ?", waiting.id)
        else:
            at = tx.now + pause
            await tx.execute("UPDATE notification_push SET attempts = attempts + 1, next_attempt_at = ? WHERE id = ?",
                             at, waiting.id)
            tx.enqueue(PUSH, waiting.id, at=at)


async def _message(work: Work, who: Reader, row: Notification) -> bytes:
    """What the browser shows: little, and a customer's words only for who chose to have them on a locked screen."""
    who.begin()
    base, text = f"/w/{who.workspace.slug}", ""
    if who.choices.shows_text and row.conversation_id:
        text = cut(shown_text(await queries.excerpt(work.workspace.db, who.viewer, row.conversation_id)))
    count = await queries.unread(work.workspace.db, who.viewer, who.user.id, kinds=who.choices.kinds_by(Way.IN_APP))
    return Message(title=headline(who.words, row), body=text or who.workspace.name, url=address(row, base),
                   tag=tag_of(row), count=count).encoded()


async def waiting_events(db: Db, now: int) -> list[str]:
    return [WAITING] if await db.value("SELECT 1 FROM notification_event LIMIT 1") else []


async def untold(db: Db, now: int) -> list[str]:
    return [WAITING] if await queries.is_any_untold(db) else []


async def waiting_pushes(db: Db, now: int) -> list[str]:
    return await queries.due_pushes(db, now)


JOBS = [JobKind(FAN_OUT, fan_out, waiting_events, at_once=4, apart=APART),
        JobKind(DELIVER, deliver, untold, at_once=4, apart=APART), JobKind(PUSH, push, waiting_pushes, at_once=8)]
