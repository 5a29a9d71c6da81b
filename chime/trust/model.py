"""What a self-check says, and what it knows of an address of ours."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class State(StrEnum):
    HOLDS = "holds"
    BROKEN = "broken"
    SKIPPED = "skipped"
    """There is nothing here to look at, or the operator chose otherwise: neither proved nor broken."""


class Broken(Exception):
    """The control does not hold; the text says what was found, for operators."""


class Skipped(Exception):
    """There is nothing to look at; the text says why."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """An address of the running product. `permission` is empty where the handler names none."""

    path: str
    methods: tuple[str, ...]
    handler: str
    permission: str
    is_public: bool


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The newest run of a check. `since` is when it was first found in this state."""

    name: str
    state: State
    detail: str
    at: int
    since: int
    milliseconds: int
