"""The forms of assignment: what was typed, and what it means."""

from __future__ import annotations

from collections.abc import Sequence

from chime.errors import Invalid
from chime.routing.model import Method, Rule, Settings, Status


def _number(text: str) -> int | None:
    """None for what is no number at all; which numbers fit is for the verb to say."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def settings(fields: dict[str, str]) -> Settings:
    """Raises Invalid naming every field that is no number."""
    capacity, minutes = _number(fields.get("capacity", "")), _number(fields.get("away_minutes", ""))
    problems = [(name, "Write a whole number.") for name, found in (("capacity", capacity), ("away_minutes", minutes))
                if found is None]
    if problems or capacity is None or minutes is None:
        raise Invalid(problems)
    return Settings(capacity=capacity, away_minutes=minutes)


def rule(place_id: str, fields: dict[str, str], members: Sequence[str]) -> Rule:
    """Raises Invalid naming every field that does not fit."""
    problems = []
    method, days = fields.get("method", ""), _number(fields.get("previous_days", ""))
    chosen = fields.get("who") == "chosen"
    if method not in set(Method):
        problems.append(("method", "Choose how one is chosen."))
    if days is None:
        problems.append(("previous_days", "Write a whole number."))
    if chosen and not members:
        problems.append(("member_ids", "Choose at least one person, or everybody."))
    if problems or days is None:
        raise Invalid(problems)
    return Rule(place_id=place_id, method=Method(method), previous_days=days, members=tuple(members) if chosen else (),
                owner_first=fields.get("owner_first") == "1")


def status(text: str) -> Status:
    """Raises Invalid."""
    if text not in set(Status):
        raise Invalid.field("status", "Choose available, busy or away.")
    return Status(text)


def capacity(text: str) -> int | None:
    """None for the workspace's. Raises Invalid."""
    if not text.strip():
        return None
    found = _number(text)
    if found is None:
        raise Invalid.field("capacity", "Write a whole number.")
    return found
