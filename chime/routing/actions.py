"""What can be done: choose one's availability, decide rules, and give what waits to whoever takes it.

`drain` reads and writes in one transaction, and a file has one writer: what it finds free is free until it is given,
and nobody's count is older than their last conversation. So two at once give nothing twice and nobody too much.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from chime import inbox
from chime.db import Db
from chime.errors import Invalid
from chime.inbox import QUEUE, ROUTE
from chime.routing import queries
from chime.routing.model import (
    MOST_AWAY_MINUTES,
    MOST_CAPACITY,
    MOST_PREVIOUS_DAYS,
    SEEN_EVERY,
    Agent,
    Choice,
    Method,
    Rule,
    Settings,
    Status,
    Verdict,
    Waiting,
    choose,
    standing,
)
from chime.security.permissions import Actor
from chime.workspaces import Transaction

AT_A_TIME = 50
# Of each place: who gave one back does not keep the next ones from being given.
LOOKED_AT = 200


async def set_status(tx: Transaction, user_id: str, status: Status) -> None:
    """What somebody is from now on, until they or somebody who may says otherwise. Who says it is there."""
    before = await queries.availability(tx, user_id)
    if user_id == tx.actor.id:
        await _seen(tx, user_id)
    elif before.status is status:
        return
    await tx.execute(
        "INSERT INTO availability (user_id, status, status_at) VALUES (?1, ?2, ?3) ON CONFLICT (user_id) DO UPDATE "
        "SET status = excluded.status, status_at = excluded.status_at", user_id, status.value, tx.now)
    await tx.audit("availability.set", "user", user_id, before={"status": before.status.value},
                   after={"status": status.value})
    tx.enqueue(ROUTE, QUEUE)


async def set_capacity(tx: Transaction, user_id: str, capacity: int | None) -> None:
    """How many open conversations somebody is given at most; None for the workspace's number. Raises Invalid."""
    if capacity is not None and not 0 <= capacity <= MOST_CAPACITY:
        raise Invalid.field("capacity", "From 1 to 500 conversations, or 0 for no limit.")
    before = await queries.availability(tx, user_id)
    if before.capacity == capacity:
        return
    await tx.execute(
        "INSERT INTO availability (user_id, status, status_at, capacity) VALUES (?1, ?2, 0, ?3) "
        "ON CONFLICT (user_id) DO UPDATE SET capacity = excluded.capacity", user_id, before.status.value, capacity)
    await tx.audit("capacity.set", "user", user_id, before={"capacity": before.capacity}, after={"capacity": capacity})
    tx.enqueue(ROUTE, QUEUE)


async def see(tx: Transaction, user_ids: Collection[str]) -> None:
    """Pages of these people are open now. `tx` is an `ingest` transaction."""
    for user_id in user_ids:
        await _seen(tx, user_id)
    tx.enqueue(ROUTE, QUEUE)


async def _seen(tx: Transaction, user_id: str) -> None:
    await tx.execute("INSERT INTO presence (user_id, seen_at) VALUES (?1, ?2) ON CONFLICT (user_id) DO UPDATE "
                     "SET seen_at = excluded.seen_at WHERE excluded.seen_at >= seen_at + ?3 OR excluded.seen_at "
                     "< seen_at", user_id, tx.audited_at, SEEN_EVERY // 2)


async def save_settings(tx: Transaction, new: Settings, *, claims_replies: bool) -> None:
    """Of the workspace. Raises Invalid naming every field that does not fit."""
    problems = []
    if not 0 <= new.capacity <= MOST_CAPACITY:
        problems.append(("capacity", "From 1 to 500 conversations, or 0 for no limit."))
    if not 0 <= new.away_minutes <= MOST_AWAY_MINUTES:
        problems.append(("away_minutes", "From 1 to 480 minutes, or 0 for never."))
    if problems:
        raise Invalid(problems)
    await inbox.set_claims_replies(tx, claims_replies)
    before = await queries.settings(tx)
    if before == new:
        return
    await tx.execute(
        "INSERT INTO routing_settings (id, capacity, away_minutes) VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE "
        "SET capacity = excluded.capacity, away_minutes = excluded.away_minutes", new.capacity, new.away_minutes)
    await tx.audit("routing.settings_changed", "routing", "settings", before=msgspec.structs.asdict(before),
                   after=msgspec.structs.asdict(new))
    tx.enqueue(ROUTE, QUEUE)


async def save_rule(tx: Transaction, new: Rule, *, members: Collection[str]) -> None:
    """Of a number or a team, whose `members` are those who can take part. Raises Invalid naming every field that does
    not fit."""
    problems = []
    if not 0 <= new.previous_days <= MOST_PREVIOUS_DAYS:
        problems.append(("previous_days", "From 1 to 365 days, or 0 for never."))
    if not set(new.members) <= set(members):
        problems.append(("member_ids", "Somebody here cannot take part."))
    if problems:
        raise Invalid(problems)
    new = msgspec.structs.replace(new, members=tuple(sorted(set(new.members))))
    before = await queries.rule(tx, new.place_id)
    if before == new:
        return
    await tx.execute(
        "INSERT INTO routing_rule (place_id, method, previous_days, members_json, owner_first, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (place_id) DO UPDATE SET method = excluded.method, previous_days = excluded.previous_days, "
        "members_json = excluded.members_json, owner_first = excluded.owner_first, "
        "updated_at = excluded.updated_at", new.place_id, new.method.value,
        new.previous_days, msgspec.json.encode(new.members).decode(), int(new.owner_first), tx.now)
    await tx.audit("routing.rule_changed", "routing_rule", new.place_id, before=_told(before), after=_told(new))
    tx.enqueue(ROUTE, QUEUE)


def _told(rule: Rule) -> dict[str, object]:
    return {"method": rule.method.value, "previous_days": rule.previous_days, "members": list(rule.members),
            "owner_first": rule.owner_first}


async def drain(tx: Transaction, team: Sequence[Actor]) -> int:
    """Give what waits longest to those of the team who take it, some at a time; how many were given."""
    rules = {place: rule for place, rule in (await queries.rules(tx)).items() if rule.method is not Method.OFF}
    if not rules:
        return 0
    desk = _Desk(await queries.settings(tx), await queries.agents(tx, team), tx.audited_at)
    if not desk.has_room:
        return 0
    lines = [one for place in rules for one in await queries.waiting(tx, place, LOOKED_AT)]
    given = 0
    for one in sorted(lines, key=lambda line: (line.since, line.id)):
        rule = rules[one.place_id]
        choice = desk.choice(rule, one, await queries.previous_of(tx, rule, one.contact_id, tx.now))
        if choice.chosen is not None:
            await _give(tx, one, choice)
            await desk.took(tx, choice.chosen.user_id, rule.place_id)
            given += 1
        if given >= AT_A_TIME or not desk.has_room:
            break
    return given


async def has_takers(db: Db, team: Sequence[Actor], now: int) -> bool:
    """Whether any of the team could be given anything; asked before a transaction is opened for it."""
    return _Desk(await queries.settings(db), await queries.agents(db, team), now).has_room


async def _give(tx: Transaction, one: Waiting, choice: Choice) -> None:
    if choice.chosen is None or choice.because is None:
        return
    more = {"absent_name": choice.stands_in_for} if choice.stands_in_for else {}
    await inbox.assign(tx, one.id, assignee_id=choice.chosen.user_id, assignee_name=choice.chosen.name,
                       told_as="routed", because=choice.because.value, open=choice.chosen.open,
                       capacity=choice.chosen.capacity, **more)


class _Desk:
    """Everybody at their place while a queue is drained."""

    def __init__(self, settings: Settings, agents: Sequence[Agent], now: int) -> None:
        self._settings = settings
        self._agents = {agent.id: agent for agent in agents}
        self._now = now

    @property
    def has_room(self) -> bool:
        """Whether anybody at all could be given something."""
        anything = Waiting(id="", channel_id=None, team_id=None, contact_id="", since=0)
        return any(standing(agent, Rule(place_id=""), anything, self._settings, self._now).verdict is Verdict.TAKES
                   for agent in self._agents.values())

    def choice(self, rule: Rule, one: Waiting, previous: str | None) -> Choice:
        standings = [standing(agent, rule, one, self._settings, self._now) for agent in self._agents.values()]
        return choose(rule, standings, owner=one.owner_id if rule.owner_first else None, previous=previous)

    async def took(self, tx: Transaction, user_id: str, place_id: str) -> None:
        """They have one more, and in this place it is everybody else's turn first."""
        turn = 1 + max((agent.turns.get(place_id, 0) for agent in self._agents.values()), default=0)
        agent = self._agents[user_id]
        agent.open += 1
        agent.turns[place_id] = turn
        await tx.execute("INSERT INTO routing_turn (place_id, user_id, turn) VALUES (?, ?, ?) "
                         "ON CONFLICT (place_id, user_id) DO UPDATE SET turn = excluded.turn", place_id, user_id, turn)


async def explain(db: Db, team: Sequence[Actor], place: Rule, one: Waiting, now: int) -> Choice:
    """Who would get this one, and why; and of everybody else why not."""
    desk = _Desk(await queries.settings(db), await queries.agents(db, team), now)
    return desk.choice(place, one, await queries.previous_of(db, place, one.contact_id, now))
