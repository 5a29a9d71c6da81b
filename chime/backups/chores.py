"""What is done for the shelf as a whole: the key file, the second place, and being asked by a command."""

from __future__ import annotations

import os
from pathlib import Path

from chime.backups.checking import kept, note
from chime.backups.pieces import PARTIAL
from chime.backups.second_place import copy_to_second
from chime.backups.shelf import CONTROL, Shelf, made
from chime.clock import HOUR
from chime.errors import Unavailable
from chime.log import Log
from chime.workspaces import control_key
from chime.workspaces.files import flush_names

# Without a success for this long, the second place is said to be in trouble.
SECOND_LATE = 9 * HOUR
_ASK, _ANSWER = ".ask", ".answer"
_log = Log("backups")


def keep_control_key(shelf: Shelf, data_dir: Path, now: int) -> None:
    """A copy of `control.key` if it is another one than the last."""
    content = (data_dir / control_key.NAME).read_bytes()
    folder = made(shelf.owner(CONTROL) / "keys")
    kept_before = sorted((path for path in folder.glob(f"*/{control_key.NAME}") if path.parent.name.isdigit()),
                         key=lambda path: int(path.parent.name))
    if not kept_before or kept_before[-1].read_bytes() != content:
        _put(made(folder / str(now)) / control_key.NAME, content)
        flush_names(folder / str(now))


def to_second(shelf: Shelf, second: str, now: int) -> None:
    """Bring the second place up to date, and write down how that went."""
    before = kept(shelf)
    try:
        copy_to_second(shelf.folder, second)
        note(shelf, second_at=now, second_since=before.second_since or now, second_trouble="")
    except Unavailable as error:
        note(shelf, second_since=before.second_since or now, second_trouble=str(error))
        late = now - (before.second_at or before.second_since or now) > SECOND_LATE
        (_log.error if late else _log.warning)("backup.second_place", reason=str(error))


def ask(shelf: Shelf, token: str) -> Path:
    """Have the appliance that runs bring everything up to date; the file in which it answers."""
    _put(shelf.folder / _ASK, token.encode())
    return shelf.folder / _ANSWER


def asked_of(shelf: Shelf) -> str:
    """What a command asked last; empty when none did."""
    try:
        return (shelf.folder / _ASK).read_text("ascii")
    except (OSError, ValueError):
        return ""


def answer(shelf: Shelf, asked: str) -> None:
    """Say that it is done."""
    _put(shelf.folder / _ANSWER, asked.encode())


def _put(path: Path, content: bytes) -> None:
    written = path.with_name(f"{path.name}{PARTIAL}")
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)
