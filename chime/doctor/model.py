"""What the doctor keeps of each check, and when somebody is told. Pure rules."""

from __future__ import annotations

import msgspec

from chime.checked import Check, State, Value
from chime.clock import DAY, HOUR, MINUTE

# So often in a row it must be found before somebody is told: one look may meet a hiccup of the network.
TWICE = 2
# Found longer ago than this, a finding is told as old.
STALE_AFTER = 3 * HOUR
SILENCE = DAY
# A look that somebody asks for comes so long after the last one, at the earliest.
APART = MINUTE // 2
HISTORY_DAYS = 7
KEPT_DAYS = 31
INSTALLATION = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The newest finding of one check. `channel_id` is empty when it is about no single number."""

    channel_id: str
    name: str
    state: State
    said: str
    advice: str
    place: str
    values: dict[str, Value]
    at: int
    since: int
    streak: int
    told: State
    silenced_until: int | None
    silenced_by: str

    @property
    def check(self) -> Check:
        return Check(name=self.name, state=self.state, said=self.said, advice=self.advice, where=self.place,
                     values=self.values)

    def is_silenced(self, now: int) -> bool:
        return self.silenced_until is not None and self.silenced_until > now


class Found(msgspec.Struct, frozen=True):
    """A check just made, and the number it is about."""

    channel_id: str
    check: Check


class Turn(msgspec.Struct, frozen=True):
    """Something that people are to hear of: out of order, or well again."""

    channel_id: str
    check: Check
    is_well: bool


class Day(msgspec.Struct, frozen=True):
    """What was found of a number, or of one check, on a day."""

    day: str
    """As ISO writes it; days are those of UTC"""
    good: int
    doubtful: int
    bad: int

    @property
    def state(self) -> State:
        if self.bad:
            return State.FAIL
        if self.doubtful:
            return State.WARN
        return State.OK if self.good else State.SKIPPED


class Rung(msgspec.Struct, frozen=True):
    """A finding laid over the one before: what is kept, and whether somebody is told."""

    kept: Kept
    turn: Turn | None


def laid_over(before: Kept | None, found: Found, now: int) -> Rung:
    """A check that says nothing either way changes no streak. What was silenced rings again when the time is over and
    it still stands; while it is silenced only its end is told."""
    check = found.check
    streak = _streak(before.streak if before else 0, check.state)
    told = before.told if before else State.OK
    silenced = before.silenced_until if before else None
    turn = None
    if silenced is not None and silenced <= now:
        silenced, told = None, State.OK if streak > 0 else told
    if streak >= TWICE and check.state.rank > told.rank and silenced is None:
        turn, told = Turn(found.channel_id, check, is_well=False), check.state
    elif streak <= -TWICE:
        turn = Turn(found.channel_id, check, is_well=True) if told.rank else None
        told, silenced = State.OK, None
    is_same = before is not None and before.state is check.state
    kept = Kept(channel_id=found.channel_id, name=check.name, state=check.state, said=check.said, advice=check.advice,
                place=check.where, values=check.values, at=now, since=before.since if before and is_same else now,
                streak=streak, told=told, silenced_until=silenced,
                silenced_by=before.silenced_by if before and silenced else "")
    return Rung(kept, turn)


def _streak(before: int, state: State) -> int:
    if state is State.SKIPPED:
        return before
    return max(before, 0) + 1 if state.rank else min(before, 0) - 1
