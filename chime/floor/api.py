"""The floor, for scripts: wallboards and alarms."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import get

from chime.clock import rfc3339
from chime.floor.model import Floor, Load, Queue
from chime.floor.pages import floor_of
from chime.inbox import Conversation
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.reference import Moment, Operation, api


class LoadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A member. `status` is what others see; `is_online`: a page of theirs is open now. `capacity` 0 is no limit.
    `waiting` customers wait for their answer, the first since `waiting_since`."""

    member_id: str
    name: str
    status: Literal["available", "busy", "away"]
    is_online: bool
    open_conversations: int
    capacity: int
    waiting: int
    waiting_since: Moment | None

    @classmethod
    def of(cls, one: Load) -> LoadAnswer:
        return cls(member_id=one.user_id, name=one.name, status=one.status.value, is_online=one.is_online,
                   open_conversations=one.open, capacity=one.capacity, waiting=one.waiting,
                   waiting_since=_when(one.since))


class QueueAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A number or a team. `unassigned` conversations are nobody's (1,000 stands for that or more), the first since
    `unassigned_since`; `overdue` are past a target, whoever has them."""

    place_id: str
    kind: Literal["number", "team"]
    name: str
    unassigned: int
    unassigned_since: Moment | None
    overdue: int

    @classmethod
    def of(cls, one: Queue) -> QueueAnswer:
        return cls(place_id=one.place.id, kind="team" if one.place.is_team else "number", name=one.place.name,
                   unassigned=one.unassigned, unassigned_since=_when(one.since), overdue=one.overdue)


class LongestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation whose customer waits."""

    conversation_id: str
    name: str
    channel_id: str
    team_id: str | None
    assignee_id: str | None
    waiting_since: Moment | None
    due_at: Moment | None

    @classmethod
    def of(cls, one: Conversation) -> LongestAnswer:
        return cls(conversation_id=one.id, name=one.title, channel_id=one.channel_id, team_id=one.team_id,
                   assignee_id=one.assignee_id, waiting_since=_when(one.waiting_since), due_at=_when(one.due_at))


class FloorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand at this moment. `waiting` customers wait for an answer, the first since `waiting_since`;
    `longest` are the ten who wait longest."""

    waiting: int
    waiting_since: Moment | None
    members: tuple[LoadAnswer, ...]
    queues: tuple[QueueAnswer, ...]
    longest: tuple[LongestAnswer, ...]

    @classmethod
    def of(cls, floor: Floor) -> FloorAnswer:
        return cls(waiting=floor.waiting, waiting_since=_when(floor.since),
                   members=tuple(LoadAnswer.of(one) for one in floor.people),
                   queues=tuple(QueueAnswer.of(one) for one in floor.queues),
                   longest=tuple(LongestAnswer.of(one) for one in floor.longest))


def _when(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


_SINCE = "2026-11-21T09:29:00.999Z"
_EXAMPLE: dict[str, object] = {
    "waiting": 4, "waiting_since": _SINCE,
    "members": [{"member_id": "01kafx2v9m3q8r5t7w1y4z6b0e", "name": "Mo Haddad", "status": "available",
                 "is_online": True, "open_conversations": 12, "capacity": 20, "waiting": 3, "waiting_since": _SINCE}],
    "queues": [{"place_id": "01kafx2v9m3q8r5t7w1y4z6b0f", "kind": "team", "name": "Support", "unassigned": 1,
                "unassigned_since": "2026-11-21T09:41:00.999Z", "overdue": 1}],
    "longest": [{"conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0g", "name": "Maya Chen",
                 "channel_id": "01kafx2v9m3q8r5t7w1y4z6b0h", "team_id": "01kafx2v9m3q8r5t7w1y4z6b0f",
                 "assignee_id": None, "waiting_since": _SINCE, "due_at": "2026-11-21T10:29:00.999Z"}],
}


@get("/api/v1/floor", opt=api(Permission.ROUTING_EDIT, Operation(
    tag="assignment", summary="Who is there, and what waits", answer=FloorAnswer,
    description="All of it at once. Conversations count as far as the key's `inbox:read` reaches, members are those "
                "its `members:read` reaches.", response_example=_EXAMPLE)))
async def show_floor_answer(here: Here) -> FloorAnswer:
    return FloorAnswer.of(await floor_of(here))


ROUTES = [show_floor_answer]
