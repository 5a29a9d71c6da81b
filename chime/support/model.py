"""What an operator asks for, what they get, and the rules between the two."""

from __future__ import annotations

import msgspec

from chime.clock import MINUTE
from chime.errors import Invalid
from chime.security.support import EMERGENCY_LASTS, LONGEST, READS, REQUEST_LASTS, SHORTEST, WRITES

LONGEST_REASON = 500
LONGEST_TICKET = 80


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How far an access goes: which modules, whether it may change anything, whether numbers are hidden, how long."""

    modules: tuple[str, ...]
    writes: bool
    masked: bool
    minutes: int


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator asks for. In an emergency no owner can answer, and a second operator shall."""

    reason: str
    ticket: str
    bounds: Bounds
    is_emergency: bool = False


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A request and what became of it. `is_open`: it lets its operator in, now."""

    id: str
    workspace_id: str
    workspace_name: str
    workspace_slug: str
    operator_id: str
    operator_name: str
    reason: str
    ticket: str
    modules: str
    writes: bool
    masked: bool
    minutes: int
    is_emergency: bool
    state: str
    requested_at: int
    decided_by: str | None
    decider_name: str | None
    decided_at: int | None
    ends_at: int | None
    ended_at: int | None
    ended_by: str | None
    ender_name: str | None
    end_reason: str
    is_open: bool

    @property
    def module_names(self) -> tuple[str, ...]:
        return tuple(self.modules.split(","))

    @property
    def bounds(self) -> Bounds:
        return Bounds(modules=self.module_names, writes=self.writes, masked=self.masked, minutes=self.minutes)

    @property
    def answerable_until(self) -> int:
        return self.requested_at + REQUEST_LASTS


def check_wish(wish: Wish) -> Wish:
    """The wish in its plain form. Raises Invalid naming every field."""
    reason, ticket = " ".join(wish.reason.split()), " ".join(wish.ticket.split())
    problems = []
    if not 10 <= len(reason) <= LONGEST_REASON:
        problems.append(("reason", "Say why, in 10 to 500 characters: the owners read it."))
    if len(ticket) > LONGEST_TICKET:
        problems.append(("ticket", "At most 80 characters."))
    if not wish.bounds.modules or not set(wish.bounds.modules) <= READS.keys():
        problems.append(("modules", "Choose at least one module."))
    if not SHORTEST <= wish.bounds.minutes * MINUTE <= LONGEST:
        problems.append(("minutes", "From 5 minutes to 4 hours."))
    if problems:
        raise Invalid(problems)
    bounds = wish.bounds
    if wish.is_emergency:
        bounds = Bounds(modules=bounds.modules, writes=False, masked=True,
                        minutes=min(bounds.minutes, EMERGENCY_LASTS // MINUTE))
    if not set(bounds.modules) & WRITES.keys():
        bounds = msgspec.structs.replace(bounds, writes=False)
    return Wish(reason=reason, ticket=ticket, bounds=bounds, is_emergency=wish.is_emergency)


def check_narrower(bounds: Bounds, asked: Bounds) -> None:
    """Whoever grants may tighten what was asked for and never widen it; whether numbers are hidden is theirs to say
    within that too. Raises Invalid naming the field."""
    problems = []
    if not bounds.modules or not set(bounds.modules) <= set(asked.modules):
        problems.append(("modules", "Choose among the modules that were asked for."))
    if not SHORTEST <= bounds.minutes * MINUTE <= asked.minutes * MINUTE:
        problems.append(("minutes", "From 5 minutes to what was asked for."))
    if bounds.writes and not asked.writes:
        problems.append(("writes", "Nothing but reading was asked for."))
    if not bounds.masked and asked.masked:
        problems.append(("masked", "Whole numbers were not asked for."))
    if problems:
        raise Invalid(problems)
