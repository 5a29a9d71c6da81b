"""What the list pane shows: the conversations of a view, a filter or a saved view, or what a search found.

The address is the state: views and filters, sort, what is searched for. A saved view is named by its id alone.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from chime import accounts, contacts
from chime.errors import Invalid, NotFound
from chime.inbox import (
    carried_tags,
    conversation_queries,
    doubt_queries,
    filter_queries,
    list_filter,
    pins,
    resolving,
    saved_views,
    search_asked,
    search_pages,
    thread,
)
from chime.inbox.conversation_queries import PAGE
from chime.inbox.filter_queries import Asked
from chime.inbox.list_filter import FILES, ME, NOBODY, Filter
from chime.inbox.model import View
from chime.inbox.number_names import number_names
from chime.inbox.saved_views import SavedView
from chime.web.here import Here
from chime.web.language import zone
from chime.web.listing import decode_cursor, encode_cursor


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What an address asks for. `saved` is the view it names; `is_gone` when that is not there any more."""

    filter: Filter
    saved: SavedView | None = None
    is_gone: bool = False

    @property
    def query(self) -> str:
        """What the address says of it."""
        return urlencode({"view": self.saved.id}) if self.saved else self.filter.query


async def shown(here: Here) -> Shown:
    """Raises NotFound, Invalid."""
    asked = here.request.query_params
    if asked.get("view"):
        found = await saved_views.view(here.db, saved_views.reader(here.actor), asked["view"])
        return Shown(filter=found.filter, saved=found) if found else Shown(filter=Filter(), is_gone=True)
    if asked.get("v", "") not in ("", *View):
        raise NotFound("There is no such view.")
    try:
        return Shown(filter=list_filter.read(asked.multi_items()))
    except Invalid as error:
        raise NotFound("There is no such list.") from error


def asked(here: Here, wanted: Filter) -> Asked:
    """A filter as the reader means it: their own conversations, their calendar."""
    return Asked(filter=wanted, user_id=here.actor.id or "", zone=zone(thread.zone_of(here)))


async def pane(here: Here, *, selected: str = "") -> dict[str, Any]:
    """What `inbox/_list.html` needs."""
    wanted, user_id, numbers = await shown(here), here.actor.id or "", await number_names(here)
    members = await thread.members(here)
    search = search_asked.understood(here, members, numbers)
    values: dict[str, Any] = {
        "view": wanted.filter.v.value, "shown": wanted, "query": wanted.query, "q": search.text, "selected": selected,
        "search": search,
        "members": members, "doubts": {}, "tags": {}, "is_cut_short": False,
        "numbers": numbers if len(numbers) > 1 else {}, "pinned": await pins.pinned(here.db, user_id),
        "choices": await choices(here) if wanted.filter.how_many else {},
        "saved": await saved_views.views(here.db, saved_views.reader(here.actor)),
        "counts": await conversation_queries.counts(here.db, here.viewer, user_id=user_id) | {
            "doubt": await doubt_queries.count_asking(here.db, here.viewer, here.now)}}
    if search.is_on:
        return values | {"found": await search_pages.results(here, search), "conversations": [], "next_cursor": ""}
    values |= await (_in_doubt(here) if wanted.filter.v is View.DOUBT else _page(here, wanted.filter))
    return values | {"tags": await carried_tags.carried(here.db, [row.id for row in values["conversations"]])}


async def _page(here: Here, wanted: Filter) -> dict[str, Any]:
    if wanted.is_plain:
        return await _plain(here, wanted.v)
    found = await filter_queries.page(here.workspace.db, here.viewer, asked(here, wanted), limit=PAGE + 1,
                                      after=decode_cursor(here.request.query_params.get("cursor")))
    places = found.found[:PAGE]
    rows = await conversation_queries.conversations_by_id(here.db, here.viewer, [row_id for _, row_id in places])
    return {"conversations": rows, "is_cut_short": found.is_cut_short,
            "next_cursor": encode_cursor(*places[-1]) if len(found.found) > PAGE else ""}


async def _plain(here: Here, view: View) -> dict[str, Any]:
    """A view as it is, read in one go: what everybody looks at all day."""
    place, user_id = decode_cursor(here.request.query_params.get("cursor")), here.actor.id or ""
    if view is View.WAITING:
        rows = await conversation_queries.conversations_waiting(
            here.db, here.viewer, after=place or conversation_queries.OLDEST, limit=PAGE + 1)
    else:
        rows = await conversation_queries.conversations(here.db, here.viewer, view, user_id=user_id, limit=PAGE + 1,
                                                        after=place or conversation_queries.NEWEST)
    last = rows[:PAGE][-1:]
    at = (last[0].waiting_since or 0 if view is View.WAITING else last[0].last_message_at) if last else 0
    return {"conversations": rows[:PAGE], "next_cursor": encode_cursor(at, last[0].id) if len(rows) > PAGE else ""}


async def _in_doubt(here: Here) -> dict[str, Any]:
    """The conversations in which a message waits for a person, with that message."""
    place = decode_cursor(here.request.query_params.get("cursor")) or doubt_queries.OLDEST
    found = await doubt_queries.conversations_asking(here.db, here.viewer, here.now, after=place,
                                                     limit=PAGE + 1)
    doubts = {doubt.conversation_id: doubt for doubt in found[:PAGE]}
    last = found[:PAGE][-1:]
    more = encode_cursor(last[0].doubted_at, last[0].message_id) if len(found) > PAGE else ""
    rows = await conversation_queries.conversations_by_id(here.db, here.viewer, list(doubts))
    return {"doubts": doubts, "conversations": rows, "next_cursor": more}


async def choices(here: Here) -> dict[str, dict[str, str]]:
    """What each field of a filter can be: names by what addresses have; the template has words for what is no name."""
    people = {ME: "", NOBODY: ""} | {one.id: one.name for one in (await thread.members(here)).values()}
    return {
        "channel": await number_names(here),
        "assignee": people,
        "team": {NOBODY: ""} | await accounts.team_names(here.services.control.db, here.record.id),
        "tag": {one.id: one.name for one in await carried_tags.all_tags(here.db)},
        "contact_tag": {one.id: one.name for one in await contacts.tags(here.db)},
        "state": dict.fromkeys(("open", "snoozed", "closed"), ""),
        "has": dict.fromkeys(FILES, ""),
        "reason": {one.id: one.name for one in await resolving.reasons(here.db)},
        "owner": people,
    }


def address(here: Here, selected: str, values: dict[str, Any]) -> str:
    """Where this list stands, with the conversation that is open beside it."""
    path = f"{here.base}/inbox/{quote(selected, safe='')}" if selected else f"{here.base}/inbox"
    return "&".join(part for part in (f"{path}?{values['query']}", values["search"].query) if part)
