"""How far an upgrade has come, in a file: whoever finds it can finish or undo what a dead process began."""

from __future__ import annotations

import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from chime.errors import StartRefused
from chime.releases.shelf import Shelf
from chime.workspaces.files import flush_names


class Step(StrEnum):
    """In their order. Before TRYING the old release is current, whatever happened."""

    LAYING_OUT = "laying out"
    BACKING_UP = "backing up"
    REHEARSING = "rehearsing"
    MIGRATING = "migrating"
    TRYING = "trying"
    RETURNING = "returning"


class Outcome(StrEnum):
    DONE = "done"
    RETURNED = "returned"
    ABANDONED = "abandoned"


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """One that is under way, or the last one. `returns` when the way leads to the release before."""

    step: Step
    came_from: str
    goes_to: str
    began_at: int
    returns: bool = False
    outcome: Outcome | None = None
    reason: str = ""
    workspaces: int = 0
    failures: int = 0
    seconds: float = 0.0


def under_way(shelf: Shelf) -> Upgrade | None:
    """Raises StartRefused when there is something that cannot be read."""
    return _read(shelf.state_file)


def last(shelf: Shelf) -> Upgrade | None:
    return _read(shelf.last_file)


def write(shelf: Shelf, upgrade: Upgrade) -> None:
    _write(shelf.state_file, upgrade)


def finish(shelf: Shelf, upgrade: Upgrade) -> None:
    """It is over, one way or the other. Killed in between, it is finished once more with the same outcome."""
    _write(shelf.last_file, upgrade)
    with suppress(FileNotFoundError):
        shelf.state_file.unlink()
    flush_names(shelf.root)


def starts(shelf: Shelf) -> list[int]:
    """When the release on trial was started, in milliseconds."""
    try:
        return [int(line) for line in shelf.starts_file.read_text("ascii").split()]
    except (OSError, ValueError):
        return []


def note_start(shelf: Shelf, now: int) -> None:
    with shelf.starts_file.open("a", encoding="ascii") as file:
        file.write(f"{now}\n")
        file.flush()
        os.fsync(file.fileno())


def forget_starts(shelf: Shelf) -> None:
    shelf.starts_file.unlink(missing_ok=True)


def _read(path: Path) -> Upgrade | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Upgrade)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StartRefused(f"{path} cannot be read; if no upgrade is under way, remove it") from error


def _write(path: Path, upgrade: Upgrade) -> None:
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(upgrade)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    flush_names(path.parent)
