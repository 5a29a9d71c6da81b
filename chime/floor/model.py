"""What stands on the floor, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from chime.inbox import Conversation
from chime.routing import Place, Status

LONGEST = 10
_NEVER = 1 << 62


class Sort(StrEnum):
    """By what the people stand in order; those of whom most waits first, but names by the alphabet."""

    LONGEST = "longest"
    WAITING = "waiting"
    OPEN = "open"
    NAME = "name"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One member: how they stand, how many open conversations of at most how many (0 for no limit), and how many
    customers wait for them, the first since then. `is_online`: a page of theirs is open."""

    user_id: str
    name: str
    status: Status
    is_online: bool
    open: int
    capacity: int
    waiting: int
    since: int | None

    @property
    def is_full(self) -> bool:
        return bool(self.capacity) and self.open >= self.capacity

    @property
    def has_room(self) -> bool:
        return self.status is Status.AVAILABLE and not self.is_full


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A number or team: how many conversations nobody has, the first since then, and how many targets are overdue,
    whoever has them. 1,000 unassigned stands for that or more."""

    place: Place
    unassigned: int
    since: int | None
    overdue: int


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """All of it at one moment."""

    people: tuple[Load, ...]
    queues: tuple[Queue, ...]
    longest: tuple[Conversation, ...]
    waiting: int
    since: int | None

    @property
    def overdue(self) -> int:
        return sum(queue.overdue for queue in self.queues)

    @property
    def unassigned(self) -> int:
        return sum(queue.unassigned for queue in self.queues)

    @property
    def available(self) -> int:
        return sum(one.status is Status.AVAILABLE for one in self.people)


def in_order(people: Iterable[Load], order: Sort) -> tuple[Load, ...]:
    """Who is equal stands by name."""
    def place(one: Load) -> tuple[int, str]:
        figure = {Sort.LONGEST: one.since or _NEVER, Sort.WAITING: -one.waiting, Sort.OPEN: -one.open, Sort.NAME: 0}
        return figure[order], one.name.casefold()

    return tuple(sorted(people, key=place))


def takers_first(people: Iterable[Load]) -> tuple[Load, ...]:
    """To whom one gives a conversation: who has room, with the fewest first; then whoever is there."""
    return tuple(sorted(people, key=lambda one: (not one.has_room, one.status is not Status.AVAILABLE, one.open,
                                                 one.name.casefold())))
