"""What routing decides with, and the choice itself: pure rules over who is there, who has room and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from chime.clock import MINUTE
from chime.security.permissions import Actor
from chime.security.scope import may_be_given
from chime.working_time import NO_ROSTER, Off, Roster

MOST_CAPACITY = 500
MOST_AWAY_MINUTES = 480
MOST_PREVIOUS_DAYS = 365
# How exactly it is known when somebody was last there; so long after they left they may still count as there.
SEEN_EVERY = MINUTE // 2


class Status(StrEnum):
    """What somebody says of themselves; it stays until they say otherwise."""

    AVAILABLE = "available"
    BUSY = "busy"
    AWAY = "away"


class Method(StrEnum):
    """How one of those who take a conversation is chosen."""

    OFF = "off"
    ROUND_ROBIN = "round_robin"
    LEAST_BUSY = "least_busy"


class Verdict(StrEnum):
    """Whether somebody takes a conversation, or why not. In the order in which they are asked."""

    TAKES = "takes"
    NOT_TAKING_PART = "not_taking_part"
    NO_ACCESS = "no_access"
    ABSENT = "absent"
    OFF_SHIFT = "off_shift"
    AWAY = "away"
    BUSY = "busy"
    NOT_HERE = "not_here"
    GAVE_BACK = "gave_back"
    FULL = "full"


class Because(StrEnum):
    """Why it was this one of those who take it."""

    OWNER = "owner"
    STAND_IN = "stand_in"
    PREVIOUS = "previous"
    TURN = "turn"
    LEAST_BUSY = "least_busy"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Of the workspace. A capacity of 0 is none, and with 0 minutes nobody is away only because no page is open."""

    capacity: int = 20
    away_minutes: int = 5


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one member. `capacity` None is the workspace's."""

    user_id: str
    status: Status = Status.AVAILABLE
    status_at: int = 0
    capacity: int | None = None
    seen_at: int = 0


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Of a number or a team. Without members everybody who has access takes part; without days it does not matter who
    answered before. `owner_first`: before anybody, whoever looks after the contact."""

    place_id: str
    method: Method = Method.OFF
    previous_days: int = 0
    members: tuple[str, ...] = ()
    owner_first: bool = False


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What has a rule: one of our numbers, or a team."""

    id: str
    name: str
    is_team: bool


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that nobody has. Without a number: any that may come. `owner_id` looks after its contact."""

    id: str
    channel_id: str | None
    team_id: str | None
    contact_id: str
    since: int
    released_by: str | None = None
    owner_id: str | None = None

    @property
    def place_id(self) -> str:
        return self.team_id or self.channel_id or ""


class Agent(msgspec.Struct, kw_only=True):
    """A member as they stand at this moment; what they are given while a queue is drained counts at once."""

    actor: Actor
    available: Availability
    open: int = 0
    turns: dict[str, int] = {}
    roster: Roster = NO_ROSTER
    off_known: tuple[int, Off | None] | None = None

    @property
    def id(self) -> str:
        return self.actor.id or ""

    def is_here(self, settings: Settings, now: int) -> bool:
        """Whether a page of theirs was open lately."""
        return not settings.away_minutes or self.available.seen_at > now - settings.away_minutes * MINUTE

    def off(self, now: int) -> Off | None:
        """Why they are not there by their shifts and absences; worked out once for a moment."""
        if self.off_known is None or self.off_known[0] != now:
            self.off_known = (now, self.roster.off(now))
        return self.off_known[1]

    def status(self, settings: Settings, now: int) -> Status:
        """What others see."""
        if self.off(now) is not None:
            return Status.AWAY
        if self.available.status is Status.AVAILABLE and not self.is_here(settings, now):
            return Status.AWAY
        return self.available.status

    def capacity(self, settings: Settings) -> int:
        """How many open conversations at most; 0 for as many as come."""
        return settings.capacity if self.available.capacity is None else self.available.capacity


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody before one conversation: in or out, and why. `open` of `capacity` conversations, 0 for no limit. `off`
    says more of who is not on shift or absent."""

    user_id: str
    name: str
    verdict: Verdict
    open: int
    capacity: int
    turn: int = 0
    off: Off | None = None

    @property
    def stand_in_id(self) -> str | None:
        """Who was named for them while they are absent."""
        return self.off.absence.stand_in_id if self.off and self.off.absence else None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets it and why, with everybody who was looked at; nobody when nobody takes it. `stands_in_for` is the name
    of the absent one whose it would have been."""

    chosen: Standing | None
    because: Because | None
    standings: tuple[Standing, ...]
    stands_in_for: str = ""

    def name_of(self, user_id: str | None) -> str:
        """Of somebody who was looked at."""
        return next((one.name for one in self.standings if one.user_id == user_id), "")


def verdict(agent: Agent, rule: Rule, waiting: Waiting, settings: Settings, now: int) -> Verdict:
    """Whether this agent takes this conversation now."""
    of_team = waiting.team_id is None or waiting.team_id in agent.actor.teams
    if not of_team or (rule.members and agent.id not in rule.members):
        return Verdict.NOT_TAKING_PART
    if not may_be_given(agent.actor, channel_id=waiting.channel_id, team_id=waiting.team_id):
        return Verdict.NO_ACCESS
    off = agent.off(now)
    if off is not None:
        return Verdict.ABSENT if off.absence else Verdict.OFF_SHIFT
    if agent.available.status is not Status.AVAILABLE:
        return Verdict(agent.available.status.value)
    if not agent.is_here(settings, now):
        return Verdict.NOT_HERE
    if waiting.released_by == agent.id:
        return Verdict.GAVE_BACK
    capacity = agent.capacity(settings)
    return Verdict.FULL if capacity and agent.open >= capacity else Verdict.TAKES


def standing(agent: Agent, rule: Rule, waiting: Waiting, settings: Settings, now: int) -> Standing:
    return Standing(user_id=agent.id, name=agent.actor.name, verdict=verdict(agent, rule, waiting, settings, now),
                    open=agent.open, capacity=agent.capacity(settings), turn=agent.turns.get(rule.place_id, 0),
                    off=agent.off(now))


def choose(rule: Rule, standings: Sequence[Standing], *, owner: str | None = None, previous: str | None = None
           ) -> Choice:
    """The contact's owner, then who answered before, if they take it; of either, when they are absent, who stands in.
    Else by turns, or who has least open and of those whose turn it is."""
    takers = [one for one in standings if one.verdict is Verdict.TAKES]
    if rule.method is Method.OFF or not takers:
        return Choice(chosen=None, because=None, standings=tuple(standings))
    by_id, taking = {one.user_id: one for one in standings}, {one.user_id: one for one in takers}
    for user_id, why in ((owner, Because.OWNER), (previous, Because.PREVIOUS)):
        known = by_id.get(user_id or "")
        if known is None:
            continue
        if known.user_id in taking:
            return Choice(chosen=known, because=why, standings=tuple(standings))
        if known.stand_in_id in taking:
            return Choice(chosen=taking[known.stand_in_id], because=Because.STAND_IN, standings=tuple(standings),
                          stands_in_for=known.name)
    if rule.method is Method.ROUND_ROBIN:
        chosen, because = min(takers, key=_by_turn), Because.TURN
    else:
        chosen, because = min(takers, key=_by_load), Because.LEAST_BUSY
    return Choice(chosen=chosen, because=because, standings=tuple(standings))


def _by_turn(one: Standing) -> tuple[int, str]:
    return one.turn, one.user_id


def _by_load(one: Standing) -> tuple[int, int, str]:
    return one.open, one.turn, one.user_id
