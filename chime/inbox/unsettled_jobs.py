"""Telling those who look after a workspace that messages wait for somebody's word: held after a restore, or in doubt
because nobody knows whether they were sent.

Nobody is in such a conversation, perhaps: a script or a rule wrote it. Owners and admins hear of it by bell, push and
mail, of each kind once an hour at most and only of what is newer than what they were told. Promises: no customer's
word, name or number is in it; a crash may tell it twice, never not at all.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from chime import accounts, notifications
from chime.checked import filled, words
from chime.clock import HOUR
from chime.db import Db
from chime.errors import ChimeError
from chime.inbox.held import RESTORED, SCHEDULED_HELD_AT
from chime.inbox.model import CLOCK_SLACK, DOUBT_WAITS
from chime.jobs import JobKind, Work
from chime.notifications import Kind
from chime.security.permissions import SYSTEM, Permission
from chime.web.language import catalogue

TELL = "inbox.tell_of_unsettled"
HELD, DOUBT = "held", "doubt"
_TOLD = "unsettled_told:"
_NEWEST = {
    HELD: "SELECT max(coalesce((SELECT max(held_at) FROM held_message JOIN message ON message.id = message_id "
          f"WHERE message.status = 'queued'), 0), coalesce((SELECT value FROM meta WHERE key = '{SCHEDULED_HELD_AT}'), "
          "0) + 0)",
    DOUBT: "SELECT coalesce(max(claimed_at), 0) FROM message WHERE status = 'unconfirmed' AND type <> 'reaction' "
           "AND claimed_at NOT BETWEEN ? AND ?",
}
_COUNT = {
    HELD: "SELECT (SELECT count(*) FROM held_message JOIN message ON message.id = message_id "
          "WHERE message.status = 'queued') + (SELECT count(*) FROM scheduled_message WHERE state = 'held' "
          "AND trouble = ?)",
    DOUBT: "SELECT count(*) FROM message WHERE status = 'unconfirmed' AND type <> 'reaction'",
}
_KINDS = {HELD: Kind.MESSAGES_HELD, DOUBT: Kind.MESSAGES_IN_DOUBT}
_PATHS = {HELD: "/held", DOUBT: "/inbox?view=doubt"}
_SUBJECTS = {HELD: words("Chime: messages wait for your word"), DOUBT: words("Chime: messages may have been sent")}
_TEXTS = {
    HELD: words("Messages on hold: %(count)s. They waited to be sent when this workspace was restored or moved. Say of "
                "each whether it shall go."),
    DOUBT: words("Messages in doubt: %(count)s. The connection to WhatsApp broke off while they were being sent. Say "
                 "of each whether it arrived or shall be sent again."),
}


class _Told(msgspec.Struct, frozen=True):
    """Up to which moment of theirs people were told, and when that was."""

    upto: int = 0
    at: int = -HOUR


async def _told(db: Db, which: str) -> _Told:
    text = await db.value("SELECT value FROM meta WHERE key = ?", _TOLD + which)
    return msgspec.json.decode(text, type=_Told) if text else _Told()


async def _newest(db: Db, which: str, now: int) -> int:
    # Of those in doubt WhatsApp's own word is waited for first.
    waited_for = (now - DOUBT_WAITS + 1, now + CLOCK_SLACK) if which == DOUBT else ()
    return int(await db.value(_NEWEST[which], *waited_for))


async def _count(db: Db, which: str) -> int:
    return int(await db.value(_COUNT[which], *((RESTORED,) if which == HELD else ())))


async def due(db: Db, now: int) -> list[str]:
    """Of which kind there is something new to tell."""
    found = []
    for which in (HELD, DOUBT):
        told = await _told(db, which)
        if not told.at <= now < told.at + HOUR and await _newest(db, which, now) > told.upto:
            found.append(which)
    return found


async def tell(work: Work, which: str) -> None:
    """The mails first: a crash before the commit tells again."""
    workspace, now = work.workspace, work.clock.now()
    if which not in await due(workspace.db, now):
        return
    upto, count = await _newest(workspace.db, which, now), await _count(workspace.db, which)
    people = [one.id or "" for one in await accounts.member_actors(work.control.db, workspace.id)
              if one.may(Permission.CHANNELS_CONNECT)] if count else []
    for user_id in people:
        await _mail(work, user_id, which, count)
    async with workspace.write(SYSTEM) as tx:
        await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", _TOLD + which, msgspec.json.encode(_Told(upto, now)).decode())
        await notifications.notify(tx, people, _KINDS[which], path=_PATHS[which], from_chime=True)
        await tx.audit("messages.unsettled_announced", "workspace", workspace.id, kind=which, count=count)


async def _mail(work: Work, user_id: str, which: str, count: int) -> None:
    user = await accounts.user(work.control.db, user_id)
    rows = await work.control.db.rows("SELECT slug, name FROM workspace WHERE id = ?", work.workspace.id)
    if user is None or not rows or not work.mailer.configured:
        return
    slug, name = rows[0]
    say = catalogue(user.locale or "en").gettext
    link = work.mailer.link(f"/w/{slug}{_PATHS[which]}")
    text = f"{name}\n\n{filled(say(_TEXTS[which]), {'count': count})}\n\n{link}\n"
    with suppress(ChimeError):  # an address no mail goes to; the bell has it
        await work.mailer.send(user.email, say(_SUBJECTS[which]), text, name=user.name)


JOBS = [JobKind(TELL, tell, due, at_once=1)]
