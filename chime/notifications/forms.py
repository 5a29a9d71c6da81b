"""The form of somebody's choices: what they typed, and what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

import msgspec

from chime.errors import Invalid
from chime.notifications.model import DEFAULT_WAYS, Choices, Digest, Kind, Sound, Way

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def clock(minutes: int) -> str:
    """As an input of type time has it."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """The form as it stands."""

    ways: frozenset[str]
    sound: str
    volume: str
    rings_on: bool
    is_quiet: bool
    quiet_from: str
    quiet_until: str
    quiet_days: frozenset[str]
    zone: str
    digest: str
    digest_at: str
    shows_text: bool

    @classmethod
    def of(cls, chosen: Choices) -> Typed:
        ways = frozenset(f"{kind.value}:{way.value}" for kind in Kind for way in Way if chosen.wants(kind, way))
        return cls(ways=ways, sound=chosen.sound.value, volume=str(chosen.volume), rings_on=chosen.rings_on,
                   is_quiet=chosen.is_quiet, quiet_from=clock(chosen.quiet_from),
                   quiet_until=clock(chosen.quiet_until), quiet_days=frozenset(map(str, chosen.quiet_days)),
                   zone=chosen.zone, digest=chosen.digest.value, digest_at=clock(chosen.digest_at),
                   shows_text=chosen.shows_text)


def typed(fields: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> Typed:
    return Typed(ways=frozenset(lists["way"]), sound=fields.get("sound", ""), volume=fields.get("volume", ""),
                 rings_on="rings_on" in fields, is_quiet="is_quiet" in fields,
                 quiet_from=fields.get("quiet_from", ""), quiet_until=fields.get("quiet_until", ""),
                 quiet_days=frozenset(lists["quiet_day"]), zone=fields.get("zone", ""),
                 digest=fields.get("digest", ""), digest_at=fields.get("digest_at", ""),
                 shows_text="shows_text" in fields)


def meant(form: Typed) -> Choices:
    """Raises Invalid naming every field that does not fit."""
    problems: list[tuple[str, str]] = []

    def minutes(name: str) -> int:
        found = _TIME.fullmatch(getattr(form, name))
        if found is None:
            problems.append((name, "Write a time, such as 08:30."))
            return 0
        return int(found[1]) * 60 + int(found[2])

    def one_of(name: str, names: Any) -> str:
        if getattr(form, name) not in names:
            problems.append((name, "Choose one of those offered."))
        return str(getattr(form, name))

    volume = int(form.volume) if re.fullmatch(r"\d{1,3}", form.volume) else 101
    if volume > 100:
        problems.append(("volume", "The volume goes from 0 to 100."))
    sound, digest = one_of("sound", set(Sound)), one_of("digest", set(Digest))
    one_of("zone", {"", *available_timezones()})
    times = {name: minutes(name) for name in ("quiet_from", "quiet_until", "digest_at")}
    if problems:
        raise Invalid(problems)
    return Choices(ways=_ways(form.ways), sound=Sound(sound), volume=volume, rings_on=form.rings_on,
                   is_quiet=form.is_quiet, quiet_days=tuple(day for day in range(7) if str(day) in form.quiet_days),
                   zone=form.zone, digest=Digest(digest), shows_text=form.shows_text, **times)


def _ways(ticked: frozenset[str]) -> dict[str, tuple[Way, ...]]:
    """Only what differs from the usual, so a better usual reaches whoever left it alone."""
    chosen = {kind: tuple(way for way in Way if f"{kind.value}:{way.value}" in ticked) for kind in Kind}
    return {kind.value: ways for kind, ways in chosen.items() if set(ways) != set(DEFAULT_WAYS[kind])}
