"""Putting the floor together for one reader."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime import accounts, inbox, routing
from chime.db import Db
from chime.floor import queries
from chime.floor.model import LONGEST, Floor, Load, Queue, Sort, in_order
from chime.inbox import Conversation
from chime.routing import Place
from chime.security.permissions import Actor, Permission, Reach
from chime.security.scope import may_be_given, viewer


async def look(db: Db, control: Db, workspace_id: str, reader: Actor, *, now: int, real_now: int,
               online: Collection[str], order: Sort = Sort.LONGEST) -> Floor:
    """What this reader sees of it. `online` are the people with an open page, `real_now` the machine's time, by which
    presence goes."""
    seen = viewer(reader, Permission.INBOX_READ)
    team = await accounts.member_actors(control, workspace_id)
    shown = {place.id: place for place in (await routing.all_places(db, control, workspace_id)).values()
             if _reaches(reader, place)}
    lines, free = await queries.waiting(db, seen), await queries.unassigned(db, seen, shown)
    late = await queries.overdue(db, seen, now)
    first = min((line.since for line in lines.values() if line.since is not None), default=None)
    return Floor(
        people=in_order(await _loads(db, reader, team, lines, real_now, online), order),
        queues=tuple(Queue(place=place, unassigned=free[place.id].count, since=free[place.id].since,
                           overdue=late.get(place.id, 0)) for place in shown.values()),
        longest=tuple(await inbox.conversations_waiting(db, seen, limit=LONGEST)),
        waiting=sum(line.count for line in lines.values()), since=first)


async def takers(db: Db, control: Db, workspace_id: str, reader: Actor, conversation: Conversation, *, real_now: int,
                 online: Collection[str]) -> list[Load]:
    """Who could be given this conversation, of those the reader sees."""
    team = [one for one in await accounts.member_actors(control, workspace_id)
            if may_be_given(one, channel_id=conversation.channel_id, team_id=conversation.team_id)]
    lines = await queries.waiting(db, viewer(reader, Permission.INBOX_READ))
    return await _loads(db, reader, team, lines, real_now, online)


def _reaches(reader: Actor, place: Place) -> bool:
    """Whether they see what comes in there."""
    reach = reader.grant(Permission.INBOX_READ).reach
    if place.is_team:
        return reach is Reach.ALL or (reach is not Reach.NONE and place.id in reader.teams)
    return reach is not Reach.NONE and (reader.channels is None or place.id in reader.channels)


async def _loads(db: Db, reader: Actor, team: list[Actor], lines: dict[str | None, queries.Line], real_now: int,
                 online: Collection[str]) -> list[Load]:
    """Of who may answer and whom the reader is told of."""
    settings = await routing.settings(db)
    agents = await routing.agents(db, [one for one in team if one.may(Permission.INBOX_REPLY)
                                       and routing.sees(reader, one)])
    for agent in agents:
        if agent.id in online:  # who has come this moment is there, written down or not
            agent.available = msgspec.structs.replace(agent.available, seen_at=real_now)
    found = [(agent, lines.get(agent.id, queries.Line())) for agent in agents]
    return [Load(user_id=agent.id, name=agent.actor.name, status=agent.status(settings, real_now),
                 is_online=agent.id in online, open=agent.open, capacity=agent.capacity(settings), waiting=line.count,
                 since=line.since) for agent, line in found]
