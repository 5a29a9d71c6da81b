"""Finding the conversations that fit a filter: their ids in order, how many, and which of some.

Each state is read along its own index in the list's order, so a page is bounded by its length and not by what fits;
where few fit, the reading goes on beside the loop and ends after `SECONDS`.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

import msgspec

from chime.db import DatabaseFile, Db
from chime.inbox.conversation_queries import MOST_COUNTED, NEWEST, OLDEST
from chime.inbox.list_filter import ME, NOBODY, Filter, Sort, begins
from chime.inbox.model import ConversationState, View
from chime.security.scope import CONVERSATIONS, HELD, Viewer

SECONDS = 2.0
Place = tuple[int, str]

_OF_STATE = "FROM conversation WHERE conversation.state = ?"
_UNREAD = "FROM conversation INDEXED BY conversation_unread WHERE conversation.state = 'open' AND unread_count > 0"
_WAITING = ("FROM conversation INDEXED BY conversation_waiting WHERE conversation.state = 'open' "
            "AND conversation.waiting_since IS NOT NULL")
_DUE = ("FROM conversation INDEXED BY conversation_due WHERE conversation.state = 'open' "
        "AND conversation.due_at IS NOT NULL")
_COUNT = "SELECT count(*) FROM (SELECT 1 "
_BY_MESSAGE = "SELECT conversation.last_message_at, conversation.id "
_BY_WAITING = "SELECT conversation.waiting_since, conversation.id "
_BY_DUE = "SELECT conversation.due_at, conversation.id "
_PLACE = {Sort.NEWEST: _BY_MESSAGE, Sort.OLDEST: _BY_MESSAGE, Sort.WAITING: _BY_WAITING, Sort.DUE: _BY_DUE}
_ORDER = {
    Sort.NEWEST: (" AND (conversation.last_message_at, conversation.id) < (?, ?) "
                  "ORDER BY conversation.last_message_at DESC, conversation.id DESC LIMIT ?"),
    Sort.OLDEST: (" AND (conversation.last_message_at, conversation.id) > (?, ?) "
                  "ORDER BY conversation.last_message_at, conversation.id LIMIT ?"),
    Sort.WAITING: (" AND (conversation.waiting_since, conversation.id) > (?, ?) "
                   "ORDER BY conversation.waiting_since, conversation.id LIMIT ?"),
    Sort.DUE: (" AND (conversation.due_at, conversation.id) > (?, ?) "
               "ORDER BY conversation.due_at, conversation.id LIMIT ?"),
}
_ONLY_OPEN = frozenset({Sort.WAITING, Sort.DUE})
_OF_VIEW = {
    View.MINE: " AND conversation.assignee_id = ?",
    View.UNASSIGNED: " AND conversation.assignee_id IS NULL",
    View.MENTIONS: " AND +conversation.id IN (SELECT conversation_id FROM mention WHERE user_id = ?)",
    View.PINNED: " AND +conversation.id IN (SELECT conversation_id FROM conversation_pin WHERE user_id = ?)",
    View.WAITING: " AND conversation.waiting_since IS NOT NULL",
    View.UNREAD: " AND conversation.unread_count > 0",
}
_OF_A_PERSON = frozenset({View.MINE, View.MENTIONS, View.PINNED})
_OF_ALL_STATES = frozenset({View.MENTIONS, View.PINNED})
_ONE_STATE = {View.SNOOZED: ConversationState.SNOOZED, View.CLOSED: ConversationState.CLOSED,
              View.WAITING: ConversationState.OPEN, View.UNREAD: ConversationState.OPEN}
_ONE_ASSIGNEE = " AND conversation.assignee_id = ?"
_NO_ASSIGNEE = " AND conversation.assignee_id IS NULL"
_ONE_TEAM = " AND conversation.team_id = ?"
# The plus: these sift rows that come in the list's order, and are no way to find them.
_ASSIGNEES = (" AND (+conversation.assignee_id IN (SELECT value FROM json_each(?)) "
              "OR (? AND +conversation.assignee_id IS NULL))")
_ONE_REASON = " AND conversation.reason_id = ?"
_REASONS = " AND +conversation.reason_id IN (SELECT value FROM json_each(?))"
_TEAMS = " AND (+conversation.team_id IN (SELECT value FROM json_each(?)) OR (? AND +conversation.team_id IS NULL))"
_CHANNELS = " AND +conversation.channel_id IN (SELECT value FROM json_each(?))"
_TAGS = (" AND +conversation.id IN (SELECT conversation_id FROM conversation_tag "
         "WHERE tag_id IN (SELECT value FROM json_each(?)))")
_CONTACT_TAGS = (" AND +conversation.contact_id IN (SELECT contact_id FROM contact_tag "
                 "WHERE tag_id IN (SELECT value FROM json_each(?)))")
_FILES = (" AND EXISTS (SELECT 1 FROM message WHERE message.conversation_id = conversation.id "
          "AND message.media_id IS NOT NULL AND message.type IN (SELECT value FROM json_each(?)))")
_OWNERS = (" AND EXISTS (SELECT 1 FROM contact WHERE contact.id = conversation.contact_id AND (+contact.owner_id IN "
           "(SELECT value FROM json_each(?)) OR (? AND +contact.owner_id IS NULL)))")
_IS_UNREAD = " AND +conversation.unread_count > 0"
_IS_WAITING = " AND +conversation.waiting_since IS NOT NULL"
_SINCE = " AND +conversation.last_message_at >= ?"
_UNTIL = " AND +conversation.last_message_at < ?"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A filter as one person asks it: who they are and what day it is for them."""

    filter: Filter
    user_id: str
    zone: tzinfo = UTC


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Ids with their places in the list's order; `is_cut_short` when there was no time to look further."""

    found: tuple[Place, ...]
    is_cut_short: bool = False

    @property
    def ids(self) -> list[str]:
        return [conversation_id for _, conversation_id in self.found]


def start_of(order: Sort) -> Place:
    """Before the first row."""
    return NEWEST if order is Sort.NEWEST else OLDEST


async def page(db: DatabaseFile, viewer: Viewer, asked: Asked, *, after: Place | None = None, limit: int) -> Page:
    """What fits and is in sight, in the filter's order, after a place."""
    order = asked.filter.order
    place, found, whole = after or start_of(order), [], True
    for state in states(asked.filter):
        sifted, values = _sifted(asked, state)
        sql = "".join((_PLACE[order], *sifted, CONVERSATIONS[viewer.sight], _ORDER[order]))
        values += [*viewer.values, *place, limit]
        if asked.filter.is_plain:
            found += await db.rows(sql, *values)
        else:
            rows, complete = await db.long_reads.rows(sql, *values, seconds=SECONDS)
            found, whole = found + rows, whole and complete
    found.sort(reverse=order is Sort.NEWEST)
    return Page(found=tuple((at, row_id) for at, row_id in found[:limit]), is_cut_short=not whole)


async def count(db: DatabaseFile, viewer: Viewer, asked: Asked, *, most: int = MOST_COUNTED) -> int:
    """How many fit; `most` stands for that or more, and for those there was no time to count."""
    total = 0
    for state in states(asked.filter):
        sifted, values = _sifted(asked, state)
        sql = "".join((_COUNT, *sifted, CONVERSATIONS[viewer.sight], " LIMIT ?)"))
        rows, complete = await db.long_reads.rows(sql, *values, *viewer.values, most - total,
                                                            seconds=SECONDS)
        total += rows[0][0] if complete else most
        if total >= most:
            return most
    return total


async def held(db: Db, viewer: Viewer, conversation_ids: list[str], *, with_queue: bool) -> list[str]:
    """Those of these that somebody may change, in the given order; `with_queue` also those they may take."""
    rows = await db.rows("SELECT id FROM conversation WHERE id IN (SELECT value FROM json_each(?))"
                         + (CONVERSATIONS[viewer.sight] if with_queue else HELD[viewer.sight]),
                         _json(conversation_ids), *(viewer.values if with_queue else viewer.held_values))
    there = {row[0] for row in rows}
    return [one for one in conversation_ids if one in there]


def states(asked: Filter) -> tuple[ConversationState, ...]:
    """Which states a filter reads, each along an index of its own."""
    wanted = tuple(ConversationState(one) for one in asked.state)
    if asked.order in _ONLY_OPEN or asked.waiting:
        only: ConversationState | None = ConversationState.OPEN
    else:
        only = _ONE_STATE.get(asked.v) or (ConversationState.CLOSED if asked.reason else None)
    if only is not None:
        return (only,) if not wanted or only in wanted else ()
    return wanted or (tuple(ConversationState) if asked.v in _OF_ALL_STATES else (ConversationState.OPEN,))


def _sifted(asked: Asked, state: ConversationState) -> tuple[list[str], list[Any]]:
    """FROM and WHERE in parts, which are constants alone, and their values."""
    wanted, parts, values = asked.filter, [], []
    is_open = state is ConversationState.OPEN
    if wanted.order in _ONLY_OPEN:
        parts.append(_WAITING if wanted.order is Sort.WAITING else _DUE)
    elif is_open and (wanted.unread or wanted.v is View.UNREAD):
        parts.append(_UNREAD)
    else:
        parts, values = [_OF_STATE], [state.value]

    def narrow(clause: str, *given: Any) -> None:
        parts.append(clause)
        values.extend(given)

    if wanted.v in _OF_VIEW:
        narrow(_OF_VIEW[wanted.v], *([asked.user_id] if wanted.v in _OF_A_PERSON else []))
    _narrow_by_people(asked, narrow)
    for clause, chosen in ((_CHANNELS, wanted.channel), (_TAGS, wanted.tag), (_CONTACT_TAGS, wanted.contact_tag),
                           (_FILES, wanted.has)):
        if chosen:
            narrow(clause, _json(chosen))
    if len(wanted.reason) == 1:
        narrow(_ONE_REASON, wanted.reason[0])
    elif wanted.reason:
        narrow(_REASONS, _json(wanted.reason))
    if wanted.unread:
        narrow(_IS_UNREAD)
    if wanted.waiting:
        narrow(_IS_WAITING)
    if wanted.since:
        narrow(_SINCE, begins(wanted.since, asked.zone))
    if wanted.until:
        narrow(_UNTIL, begins(wanted.until, asked.zone, days=1))
    return parts, values


def _narrow_by_people(asked: Asked, narrow: Any) -> None:
    """One person, nobody, or one team is a way to find rows; several of them sift."""
    people = [asked.user_id if one == ME else one for one in asked.filter.assignee]
    if people == [NOBODY]:
        narrow(_NO_ASSIGNEE)
    elif len(people) == 1:
        narrow(_ONE_ASSIGNEE, people[0])
    elif people:
        narrow(_ASSIGNEES, _json(people), int(NOBODY in people))
    teams = asked.filter.team
    if len(teams) == 1 and teams[0] != NOBODY:
        narrow(_ONE_TEAM, teams[0])
    elif teams:
        narrow(_TEAMS, _json(teams), int(NOBODY in teams))
    if asked.filter.owner:
        owners = [asked.user_id if one == ME else one for one in asked.filter.owner]
        narrow(_OWNERS, _json(owners), int(NOBODY in owners))


def _json(values: Any) -> str:
    return msgspec.json.encode(values).decode()
