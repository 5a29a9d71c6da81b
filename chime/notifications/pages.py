"""The page behind the bell, and what the open page asks to ring, flash and count. Works without a script."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime.notifications import actions, queries
from chime.notifications.choices import choices
from chime.notifications.model import Kind, Way, local_time
from chime.notifications.pushing import tag_of
from chime.notifications.queries import NEWEST, PAGE
from chime.notifications.words import Shown, cut, kind_words, shown
from chime.phone import shown_text
from chime.security import limits
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.listing import decode_cursor, encode_cursor

READ = {"permission": Permission.INBOX_READ}
SMALL = {"small": True}
_PAGE = "/w/{slug:str}/notifications"
MOST_ASKED = 50


class Day(msgspec.Struct, frozen=True):
    """The lines of one day; `at` is a moment of it."""

    at: int
    lines: list[Shown]


@get(_PAGE, opt=READ)
async def list_notifications(here: Here) -> Response[bytes]:
    """The newest first, by day. `only=unread` leaves out what was read, `kind` all but one."""
    asked = here.request.query_params
    chosen, user_id = await choices(here.services.control.db, here.actor.id or ""), here.actor.id or ""
    kinds, kind = chosen.kinds_by(Way.IN_APP), asked.get("kind", "")
    only_unread = asked.get("only") == "unread"
    wanted = tuple(one for one in kinds if kind in ("", one.value))
    rows = await queries.notifications(here.db, here.viewer, user_id, kinds=wanted, unread_only=only_unread,
                                       after=decode_cursor(asked.get("cursor")) or NEWEST, limit=PAGE + 1)
    page = rows[:PAGE]
    kept = {name: value for name, value in (("only", "unread" if only_unread else ""), ("kind", kind)) if value}
    more = urlencode(kept | {"cursor": encode_cursor(page[-1].at, page[-1].id)}) if len(rows) > PAGE else ""
    unread = await queries.unread(here.db, here.viewer, user_id, kinds=kinds)
    return here.page("notifications/index.html", days=_by_day(here, [shown(here.words, row, here.base)
                                                                     for row in page]),
                     more=more, bell=unread, only_unread=only_unread, kind=kind,
                     kinds=[(one.value, kind_words(here.words)[one.value][0]) for one in kinds],
                     is_first="cursor" not in asked, said=asked.get("said", ""))


def _by_day(here: Here, lines: list[Shown]) -> list[Day]:
    days: list[Day] = []
    zone, last = here.identity.time_zone or here.record.time_zone, None
    for line in lines:
        date = local_time(line.at, zone).date()
        if date != last:
            days.append(Day(line.at, []))
            last = date
        days[-1].lines.append(line)
    return days


@post(_PAGE + "/read", opt=READ | SMALL, status_code=303)
async def create_reading(here: Here) -> Response[Any]:
    """All is read, or the one that `id` names."""
    named = (await form_fields(here.request)).get("id", "")
    async with here.workspace.write(here.actor) as tx:
        await actions.read_by_person(tx, here.actor.id or "", [named] if named else None)
    if here.is_htmx:
        return Response(None, status_code=204)
    return Redirect(f"{here.base}/notifications{'' if named else '?said=read'}", status_code=303)


@post(_PAGE + "/seen", opt=READ | SMALL | {"rate": limits.UNASKED}, status_code=204)
async def create_notification_sight(here: Here) -> None:
    """The conversation is on the screen of somebody who was told of it."""
    conversation_id = (await form_fields(here.request)).get("conversation_id", "")
    user_id = here.actor.id or ""
    if await queries.is_told_of(here.db, user_id, conversation_id):
        async with here.workspace.write(here.actor) as tx:
            await actions.see_by_person(tx, user_id, conversation_id)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to ring or flash. `rings_on`: until somebody looks."""

    id: str
    title: str
    body: str
    url: str
    tag: str
    conversation: str | None
    sound: bool
    desktop: bool
    rings_on: bool


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What an open page is told. `blocked` is what it says when the browser lets no sound pass."""

    unread: int
    items: list[Item]
    sound: str
    volume: int
    blocked: str


@get(_PAGE + "/news", opt=READ | {"document": False, "rate": limits.UNASKED})
async def list_news(here: Here) -> Response[bytes]:
    """How many are unread, and of those that `ids` names what is to ring and flash."""
    chosen, user_id = await choices(here.services.control.db, here.actor.id or ""), here.actor.id or ""
    ids = [one for one in here.request.query_params.get("ids", "").split(",")[:MOST_ASKED] if one]
    rows = await queries.named(here.db, here.viewer, user_id, ids) if ids else []
    peace = chosen.in_peace(here.now, here.identity.time_zone or here.record.time_zone)
    items = []
    for row in rows:
        text = ""
        if row.conversation_id and row.kind in (Kind.NEW_MESSAGE, Kind.NEW_UNASSIGNED):
            text = cut(shown_text(await queries.excerpt(here.db, here.viewer, row.conversation_id)))
        line = shown(here.words, row, here.base)
        sounds = chosen.wants(row.kind, Way.SOUND) and not peace
        items.append(Item(id=row.id, title=line.text, body=text or here.record.name, url=line.url,
                          tag=tag_of(row), conversation=row.conversation_id, sound=sounds,
                          desktop=chosen.wants(row.kind, Way.DESKTOP) and not peace,
                          rings_on=sounds and chosen.rings_on and row.kind is Kind.WAITING_TOO_LONG))
    news = News(unread=await queries.unread(here.db, here.viewer, user_id, kinds=chosen.kinds_by(Way.IN_APP)),
                items=items, sound=chosen.sound.value, volume=chosen.volume,
                blocked=here.words("Your browser blocks sounds until you click somewhere on this page."))
    return Response(msgspec.json.encode(news), media_type="application/json", headers={"Cache-Control": "no-store"})


ROUTES = [list_notifications, create_reading, create_notification_sight, list_news]
