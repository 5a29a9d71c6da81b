"""Reading rules, who is available and what waits."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chime.clock import DAY
from chime.db import Db
from chime.routing.model import Agent, Availability, Method, Rule, Settings, Waiting
from chime.security.permissions import Actor
from chime.working_time import NO_ROSTER, rosters

_RULE = "SELECT place_id, method, previous_days, members_json, owner_first FROM routing_rule"
_AVAILABLE = ("SELECT availability.user_id, status, status_at, capacity, coalesce(seen_at, 0) AS seen_at "
              "FROM availability LEFT JOIN presence ON presence.user_id = availability.user_id")
# As the index over them is made: the place whose rule a conversation follows, and since when it waits.
_PLACE = "coalesce(team_id, channel_id)"
_SINCE = "coalesce(waiting_since, last_message_at)"
_WAITS = "state = 'open' AND assignee_id IS NULL"
MOST_COUNTED = 1_000


async def settings(db: Db) -> Settings:
    found = await db.one(Settings, "SELECT capacity, away_minutes FROM routing_settings")
    return found or Settings()


async def rule(db: Db, place_id: str) -> Rule:
    """Off where nobody decided."""
    return await db.one(Rule, _RULE + " WHERE place_id = ?", place_id) or Rule(place_id=place_id)


async def rules(db: Db) -> dict[str, Rule]:
    """Those that somebody made, by place."""
    return {found.place_id: found for found in await db.all(Rule, _RULE + " LIMIT 1000")}


async def is_anything_to_give(db: Db) -> bool:
    """Whether a rule is on and something waits at all."""
    return bool(await db.value(
        "SELECT 1 FROM routing_rule WHERE method <> ? AND EXISTS (SELECT 1 FROM conversation "
        # The plus: an index of an expression is of no use to a comparison that a column's type has a say in.
        "INDEXED BY conversation_queue WHERE coalesce(team_id, channel_id) = +routing_rule.place_id "
        "AND state = 'open' AND assignee_id IS NULL) LIMIT 1", Method.OFF.value))


async def waiting(db: Db, place_id: str, limit: int) -> list[Waiting]:
    """What waits in a place, the longest first."""
    return await db.all(
        Waiting, f"SELECT id, channel_id, team_id, contact_id, {_SINCE} AS since, released_by, "
        "(SELECT owner_id FROM contact WHERE contact.id = contact_id) AS owner_id FROM conversation "
        f"INDEXED BY conversation_queue WHERE {_PLACE} = ? AND {_WAITS} ORDER BY {_SINCE}, id LIMIT ?",
        place_id, limit)


async def count_waiting(db: Db, place_id: str) -> int:
    """How many wait in a place; 1,000 stands for that or more."""
    found: int = await db.value(
        f"SELECT count(*) FROM (SELECT 1 FROM conversation INDEXED BY conversation_queue WHERE {_PLACE} = ? "
        f"AND {_WAITS} LIMIT ?)", place_id, MOST_COUNTED)
    return found


async def availability(db: Db, user_id: str) -> Availability:
    """As it is by default where nothing is known."""
    found = await db.one(Availability, _AVAILABLE + " WHERE availability.user_id = ?", user_id)
    if found is not None:
        return found
    seen = await db.value("SELECT seen_at FROM presence WHERE user_id = ?", user_id)
    return Availability(user_id=user_id, seen_at=seen or 0)


async def agents(db: Db, team: Sequence[Actor]) -> list[Agent]:
    """These members as they stand now, with how many open conversations each has."""
    seen = {row[0]: row[1] for row in await db.rows("SELECT user_id, seen_at FROM presence LIMIT 10000")}
    known = {one.user_id: one for one in await db.all(Availability, _AVAILABLE + " LIMIT 10000")}
    turns: dict[str, dict[str, int]] = {}
    for place_id, user_id, turn in await db.rows("SELECT place_id, user_id, turn FROM routing_turn LIMIT 100000"):
        turns.setdefault(user_id, {})[place_id] = turn
    known_hours = await rosters(db)
    loads = await _loads(db, [actor.id or "" for actor in team])
    return [Agent(actor=actor, open=loads.get(actor.id or "", 0), turns=turns.get(actor.id or "", {}),
                  roster=known_hours.get(actor.id or "", NO_ROSTER),
                  available=known.get(actor.id or "") or Availability(user_id=actor.id or "",
                                                                      seen_at=seen.get(actor.id or "", 0)))
            for actor in team]


async def _loads(db: Db, user_ids: Sequence[str]) -> dict[str, int]:
    rows = await db.rows(
        "SELECT value, (SELECT count(*) FROM conversation WHERE assignee_id = value AND state = 'open') "
        "FROM json_each(?)", msgspec.json.encode(user_ids).decode())
    return {row[0]: row[1] for row in rows}


async def previous_agent(db: Db, contact_id: str, *, since: int) -> str | None:
    """Who last answered this customer on any of our numbers, if that was since then."""
    found: str | None = await db.value(
        "SELECT message.author_id FROM conversation JOIN message ON message.id = (SELECT said.id FROM message AS said "
        "WHERE said.conversation_id = conversation.id AND said.at >= ?2 AND said.direction = 'out' "
        "AND said.origin = 'agent' AND said.author_id IS NOT NULL ORDER BY said.at DESC, said.id DESC LIMIT 1) "
        "WHERE conversation.contact_id = ?1 ORDER BY message.at DESC LIMIT 1", contact_id, since)
    return found


async def previous_of(db: Db, rule: Rule, contact_id: str, now: int) -> str | None:
    """The same by a rule, which may not ask for it."""
    if not rule.previous_days:
        return None
    return await previous_agent(db, contact_id, since=now - rule.previous_days * DAY)
