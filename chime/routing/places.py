"""What has a rule, and who has a say in it: our numbers and the teams, each with those who can take part."""

from __future__ import annotations

from collections.abc import Sequence

from chime import accounts, channels
from chime.db import Db
from chime.routing import actions, queries
from chime.routing.model import Choice, Place, Rule, Waiting
from chime.security.permissions import Actor, Permission, Reach
from chime.security.scope import may_be_given


async def places(db: Db, control: Db, workspace_id: str) -> dict[str, Place]:
    """The numbers, then the teams by name, by id."""
    found = [Place(id=one.id, name=one.verified_name or one.display_phone, is_team=False)
             for one in await channels.channels(db)]
    found += [Place(id=team_id, name=name, is_team=True)
              for team_id, name in (await accounts.team_names(control, workspace_id)).items()]
    return {place.id: place for place in found}


def decides_everything(actor: Actor) -> bool:
    """Whether they decide about numbers and the workspace too, and not only about their teams."""
    return actor.grant(Permission.ROUTING_EDIT).reach is Reach.ALL


def may_decide(actor: Actor, place: Place) -> bool:
    return decides_everything(actor) or (place.is_team and place.id in actor.teams
                                         and actor.grant(Permission.ROUTING_EDIT).reach is Reach.TEAM)


def may_manage(actor: Actor, member: Actor) -> bool:
    """Whether they decide how much somebody is given: of everybody, or of who is in a team with them."""
    return decides_everything(actor) or (bool(actor.teams & member.teams)
                                         and actor.grant(Permission.ROUTING_EDIT).reach is Reach.TEAM)


def sees(actor: Actor, member: Actor) -> bool:
    """Whether they are told how somebody stands: as with members, everybody or who is in a team with them."""
    reach = actor.grant(Permission.MEMBERS_READ).reach
    near = person_of(actor) == member.id or bool(actor.teams & member.teams)
    return reach is Reach.ALL or (reach is Reach.TEAM and near)


def person_of(actor: Actor) -> str:
    """What is a person's own is also their key's."""
    return (actor.on_behalf if actor.kind == "api_key" else actor.id) or ""


def next_one(place: Place) -> Waiting:
    """A conversation as the next new one would be."""
    return Waiting(id="", channel_id=None if place.is_team else place.id, team_id=place.id if place.is_team else None,
                   contact_id="", since=0)


def takers(team: Sequence[Actor], place: Place) -> list[Actor]:
    """Who could be given a conversation of this place at all."""
    one = next_one(place)
    return [actor for actor in team if may_be_given(actor, channel_id=one.channel_id, team_id=one.team_id)
            and (not place.is_team or place.id in actor.teams)]


async def who_is_next(db: Db, team: Sequence[Actor], place: Place, rule: Rule, now: int) -> Choice:
    """Who would get the one that waits longest, or a new one when nothing waits."""
    first = await queries.waiting(db, place.id, 1)
    return await actions.explain(db, team, rule, first[0] if first else next_one(place), now)
