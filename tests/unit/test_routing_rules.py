"""Who is chosen, and why not the others: the rules of routing without a database."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chime.clock import MINUTE
from chime.routing.model import (
    Agent,
    Availability,
    Because,
    Method,
    Rule,
    Settings,
    Status,
    Verdict,
    Waiting,
    choose,
    standing,
    verdict,
)
from chime.security.permissions import GRANTS, Actor, Role

NOW = 1_000 * MINUTE
SETTINGS = Settings(capacity=3, away_minutes=5)
ANY = Waiting(id="c", channel_id="n1", team_id=None, contact_id="p", since=0)
BUSIEST = Rule(place_id="n1", method=Method.LEAST_BUSY)


def agent(name: str, role: Role = Role.AGENT, *, open: int = 0, turn: int = 0, status: Status = Status.AVAILABLE,
          seen_at: int = NOW, capacity: int | None = None, **of_actor: Any) -> Agent:
    actor = Actor(kind="user", id=name, name=name.capitalize(), grants=GRANTS[role], role=role.value, **of_actor)
    return Agent(actor=actor, open=open, turns={"n1": turn},
                 available=Availability(user_id=name, status=status, seen_at=seen_at, capacity=capacity))


def judged(one: Agent, rule: Rule = BUSIEST, waiting: Waiting = ANY) -> Verdict:
    return verdict(one, rule, waiting, SETTINGS, NOW)


@pytest.mark.parametrize(("one", "expected"), [
    (agent("ann"), Verdict.TAKES),
    (agent("ann", Role.MEMBER), Verdict.TAKES),
    (agent("ann", Role.VIEWER), Verdict.NO_ACCESS),
    (agent("ann", Role.ANALYST), Verdict.NO_ACCESS),
    (agent("ann", channels=frozenset({"n2"})), Verdict.NO_ACCESS),
    (agent("ann", channels=frozenset({"n1", "n2"})), Verdict.TAKES),
    (agent("ann", status=Status.AWAY), Verdict.AWAY),
    (agent("ann", status=Status.BUSY), Verdict.BUSY),
    (agent("ann", seen_at=NOW - 5 * MINUTE), Verdict.NOT_HERE),
    (agent("ann", seen_at=NOW - 5 * MINUTE + 1), Verdict.TAKES),
    (agent("ann", open=3), Verdict.FULL),
    (agent("ann", open=3, capacity=4), Verdict.TAKES),
    (agent("ann", open=300, capacity=0), Verdict.TAKES),
])
def test_who_takes_a_conversation(one: Agent, expected: Verdict) -> None:
    assert judged(one) is expected


def test_a_team_s_conversation_is_for_its_people_and_a_rule_s_for_who_was_chosen() -> None:
    of_team = msgspec.structs.replace(ANY, team_id="t1")
    assert judged(agent("ann", Role.OWNER), waiting=of_team) is Verdict.NOT_TAKING_PART
    assert judged(agent("ann", teams=frozenset({"t1"})), waiting=of_team) is Verdict.TAKES
    chosen = Rule(place_id="n1", method=Method.ROUND_ROBIN, members=("ben",))
    assert judged(agent("ann"), chosen) is Verdict.NOT_TAKING_PART and judged(agent("ben"), chosen) is Verdict.TAKES


def test_who_gave_it_back_is_not_asked_again() -> None:
    assert judged(agent("ann"), waiting=msgspec.structs.replace(ANY, released_by="ann")) is Verdict.GAVE_BACK


def test_nobody_is_away_by_themselves_when_that_is_switched_off() -> None:
    never = Settings(away_minutes=0)
    assert verdict(agent("ann", seen_at=0), BUSIEST, ANY, never, NOW) is Verdict.TAKES
    assert agent("ann", seen_at=0).status(never, NOW) is Status.AVAILABLE
    assert agent("ann", seen_at=0).status(SETTINGS, NOW) is Status.AWAY


def _chosen(rule: Rule, *agents: Agent, previous: str | None = None) -> tuple[str | None, Because | None]:
    found = choose(rule, [standing(one, rule, ANY, SETTINGS, NOW) for one in agents], previous=previous)
    assert len(found.standings) == len(agents)
    return found.chosen.user_id if found.chosen else None, found.because


def test_each_way_to_choose() -> None:
    ann, ben, eve = agent("ann", open=2, turn=1), agent("ben", open=1, turn=3), agent("eve", open=1, turn=2)
    turns = Rule(place_id="n1", method=Method.ROUND_ROBIN)
    assert _chosen(BUSIEST, ann, ben, eve) == ("eve", Because.LEAST_BUSY), "of two alike whose turn it is"
    assert _chosen(turns, ann, ben, eve) == ("ann", Because.TURN)
    assert _chosen(turns, ann, ben, eve, previous="ben") == ("ben", Because.PREVIOUS)
    away = agent("ben", status=Status.AWAY)
    assert _chosen(turns, ann, away, previous="ben") == ("ann", Because.TURN), "who is away is not waited for"
    assert _chosen(turns, away) == (None, None) == _chosen(turns)
    assert _chosen(Rule(place_id="n1"), ann) == (None, None), "off"
