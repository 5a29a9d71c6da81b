"""A restored copy, and how far a restore is. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from chime.clock import DAY, Clock
from chime.workspaces import Control, Registry, Workspace

KIND = "restore"
KEPT_ASIDE = 7 * DAY
"""So long the files that were replaced stay, as a muted copy."""
MUTED, RESTORING, ACTIVE = "muted", "restoring", "active"


class Kind(StrEnum):
    COPY = "copy"
    TAKE_OVER = "take_over"


class Step(StrEnum):
    """The last one that is done. A copy: asked, laid, done. A take-over: all the others in their order."""

    ASKED = "asked"
    LAID = "laid"
    CLOSED = "closed"
    CARRIED = "carried"
    LINKED = "linked"
    UNITED = "united"
    SWAPPED = "swapped"
    HELD = "held"
    FORGOTTEN = "forgotten"
    CAUGHT_UP = "caught_up"
    DONE = "done"
    FAILED = "failed"


# Up to here everything can be left as it was; from the exchange of the files on it goes to its end.
TURNS_BACK = frozenset({Step.ASKED, Step.LAID, Step.CLOSED, Step.CARRIED, Step.LINKED, Step.UNITED})
OVER = frozenset({Step.DONE, Step.FAILED})


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    """A copy being made, or one that takes its workspace's place. `found`: what was counted on the way."""

    id: str
    kind: Kind
    workspace_id: str
    copy_id: str
    name: str
    as_of: int
    step: Step
    asked_by: str
    asked_name: str
    asked_at: int
    changed_at: int
    finished_at: int | None
    trouble: str
    found: dict[str, int]


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A restored copy of a workspace, or the files that one replaced (`kept_until`)."""

    id: str
    slug: str
    name: str
    state: str
    copied_from: str
    copied_at: int
    as_of: int
    kept_until: int | None


class Tally(msgspec.Struct, frozen=True):
    """How many of a kind there are in the copy and in the workspace as it is now."""

    kind: str
    then: int
    now: int


class Laid(msgspec.Struct, frozen=True):
    """A workspace's files, laid into a folder as they were at a moment."""

    as_of: int
    bytes: int


Lay = Callable[[str, int, Path], Awaitable[Laid]]
"""Lays the files of a workspace (by the id they were kept under), as of a moment or the last one before, into a folder
that is not there yet. Raises a ChimeError with the reason."""
CatchUp = Callable[[Workspace], Awaitable[None]]
"""Applies what the journal holds and the workspace does not know."""


class Means(msgspec.Struct, frozen=True):
    """What a restore works with."""

    control: Control
    registry: Registry
    clock: Clock
    lay: Lay
    catch_up: CatchUp
    end_streams: Callable[[str], None]
    wake: Callable[[str], Awaitable[None]]
    """Has whatever is due in a workspace begin, now that it is open again."""

    @property
    def data_dir(self) -> Path:
        return self.control.keys.data_dir
