"""Mails of what somebody has not read, while they are away: at most one an hour, or one a day, as they chose.

A mail names kinds and people, and a customer's words only for who chose that. The usual is no mail at all.
"""

from __future__ import annotations

import msgspec

from chime.db import Db
from chime.jobs import JobKind, Work
from chime.notifications import queries
from chime.notifications.model import AWAY_AFTER, Digest, Kind, Notification, Way
from chime.notifications.reader import Reader, reader
from chime.notifications.words import address, cut, headline
from chime.phone import shown_text
from chime.web.language import Reader as Dates
from chime.web.mail_page import as_page

MAIL = "notifications.mail"
SOURCE = "notifications"
MOST_LISTED = 20


class Line(msgspec.Struct, frozen=True):
    """One notification of a mail."""

    when: str
    text: str
    link: str
    excerpt: str


async def mail(work: Work, user_id: str) -> None:
    """Tell one person by mail, or note that nothing is to be told."""
    now = work.clock.now()
    who = await reader(work.control, work.workspace.id, user_id)
    if who is None or who.choices.digest is Digest.OFF or not work.mailer.configured:
        await _settle(work, user_id, now, sent=False)
        return
    last = await queries.mailed_at(work.workspace.db, user_id)
    if not who.choices.mails_at(now, last, who.zone) or await _is_here(work, user_id):
        return
    rows = await queries.unmailed(work.workspace.db, who.viewer, user_id, kinds=who.choices.kinds_by(Way.MAIL),
                                  before=now - AWAY_AFTER)
    if rows:
        who.begin()
        lines = [await _line(work, who, row, now) for row in rows[:MOST_LISTED]]
        await _send(work, who, lines, len(rows))
    await _settle(work, user_id, now, sent=bool(rows))


async def _is_here(work: Work, user_id: str) -> bool:
    """Whether they did something in the last minutes: they see the bell. Asked by the machine's time, as it is kept."""
    seen = await work.control.db.value("SELECT at FROM last_seen WHERE workspace_id = ? AND user_id = ?",
                                       work.workspace.id, user_id)
    return seen is not None and work.clock.real_now() - int(seen) < AWAY_AFTER


async def _line(work: Work, who: Reader, row: Notification, now: int) -> Line:
    text = ""
    if who.choices.shows_text and row.conversation_id and row.kind in (Kind.NEW_MESSAGE, Kind.NEW_UNASSIGNED):
        text = cut(shown_text(await queries.excerpt(work.workspace.db, who.viewer, row.conversation_id)))
    dates = Dates(who.user.locale, who.zone, now)
    return Line(dates.short_when(row.at), headline(who.words, row),
                work.mailer.link(address(row, f"/w/{who.workspace.slug}")), text)


async def _send(work: Work, who: Reader, lines: list[Line], count: int) -> None:
    words = who.words
    head = words("Not read yet in %(workspace)s:") % {"workspace": who.workspace.name}
    more = words("And %(count)s more.") % {"count": count - len(lines)} if count > len(lines) else ""
    choices = work.mailer.link("/me/notifications")
    foot = words("Choose what you are told of, and how:")
    plain = [head, ""]
    for line in lines:
        plain += [f"{line.when}  {line.text}", *([f"    “{line.excerpt}”"] if line.excerpt else []),
                  f"    {line.link}", ""]
    text = "\n".join([*plain, *([more, ""] if more else []), foot, choices, ""])
    await work.mailer.tell(who.user.email, words("You have unread notifications"), text, name=who.user.name,
                           html=as_page(text, who.user.locale))


async def _settle(work: Work, user_id: str, now: int, *, sent: bool) -> None:
    async with work.workspace.ingest(SOURCE) as tx:
        await tx.execute("UPDATE notification SET mailed_at = ? WHERE user_id = ? AND mailed_at IS NULL AND at <= ?",
                         now, user_id, now - AWAY_AFTER)
        if sent:
            await tx.execute("INSERT INTO notification_digest (user_id, at) VALUES (?, ?) ON CONFLICT (user_id) "
                             "DO UPDATE SET at = excluded.at", user_id, now)


async def waiting(db: Db, now: int) -> list[str]:
    return await queries.waiting_for_mail(db, now)


JOBS = [JobKind(MAIL, mail, waiting, at_once=2)]
