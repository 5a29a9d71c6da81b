"""Where backups lie: `<owner>/<file>/<epoch>/` with pieces, `<owner>/media/`, and what is known of them beside.

An owner is a workspace's id or `control`. An epoch begins with a base and goes on as one chain; a file that got another
key, or was written anew, begins another.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TypeVar

import msgspec

from chime.backups.pieces import PARTIAL, BackupRefused, Name, Piece, Proofs
from chime.db.following import FileStamp
from chime.security.crypto import derive
from chime.workspaces.files import flush_names
from chime.workspaces.keys import KeyRing, WorkspaceKeys

CONTROL = "control"
FILES = ("workspace.db", "journal.db")
CONTROL_FILE = "control.db"
T = TypeVar("T")


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file is on the shelf. `stamp` is what the live file looked like when all that was in it was here."""

    epoch: str = ""
    number: int = 0
    link: str = ""
    key_version: int = 0
    stamp: FileStamp | None = None
    at: int = 0
    base_at: int = 0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How the last look at an owner's backup went; `good_at` is when one last went well. `files_gone`: stored files
    that neither the backup nor the workspace itself has any more."""

    at: int = 0
    as_of: int = 0
    good_at: int = 0
    good_as_of: int = 0
    seconds: float = 0.0
    bytes: int = 0
    reason: str = ""
    files_gone: int = 0


class Shelf:
    """The folder of all backups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stopped = threading.Event()
        """Set when the process ends: what works long on it gives up."""

    def owner(self, owner: str) -> Path:
        return self.folder / owner

    def owners(self) -> list[str]:
        """Everybody with anything on it."""
        try:
            return sorted(path.name for path in self.folder.iterdir()
                          if path.is_dir() and not path.name.startswith("."))
        except FileNotFoundError:
            return []

    def workspace_ids(self) -> list[str]:
        return [owner for owner in self.owners() if owner != CONTROL]

    def place(self, owner: str, file: str) -> Place:
        return Place(self, owner, file)

    def read(self, path: Path, kind: type[T]) -> T | None:
        """What is known beside the pieces; None when there is nothing, or nothing that can be read."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def write(self, path: Path, value: object) -> None:
        """Whole or not at all."""
        made(path.parent)
        partial = path.with_name(f"{path.name}{PARTIAL}")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(value))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def result(self, owner: str) -> Result:
        return self.read(self.owner(owner) / "checked.json", Result) or Result()

    def note_result(self, owner: str, result: Result) -> None:
        self.write(self.owner(owner) / "checked.json", result)


class Place:
    """What is on the shelf of one file."""

    def __init__(self, shelf: Shelf, owner: str, file: str) -> None:
        self.shelf = shelf
        self.owner = owner
        self.file = file
        self.folder = shelf.folder / owner / file
        self._state = self.folder / "state.json"

    def followed(self) -> Followed:
        return self.shelf.read(self._state, Followed) or Followed()

    def note(self, followed: Followed) -> None:
        self.shelf.write(self._state, followed)

    def epochs(self) -> list[str]:
        """The oldest first: their names begin with a time."""
        try:
            return sorted(path.name for path in self.folder.iterdir() if path.is_dir())
        except FileNotFoundError:
            return []

    def names(self, epoch: str) -> list[Name]:
        """Its pieces, in their order."""
        try:
            folder = str(self.folder / epoch)
            found = [Name.of(folder, filename) for filename in os.listdir(folder)]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if name is not None)

    def piece(self, name: Name, epoch: str, proofs: Proofs) -> Piece:
        """Raises BackupRefused when it is not what belongs here."""
        piece = Piece(name.path, proofs)
        header = piece.header
        if (header.owner, header.file, header.epoch) != (self.owner, self.file, epoch):
            raise BackupRefused(f"{name.path.name} belongs to something else")
        return piece

    def clear_up(self) -> None:
        """What a process left that was killed while it wrote."""
        for epoch in self.epochs():
            for path in (self.folder / epoch).glob(f"*{PARTIAL}"):
                path.unlink(missing_ok=True)


def made(folder: Path) -> Path:
    """The folder, made durably if it was not there."""
    if not folder.is_dir():
        if not folder.parent.is_dir():
            made(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        flush_names(folder.parent)
    return folder


def workspace_proofs(keys: WorkspaceKeys) -> Proofs:
    """The keys a workspace's pieces are proven with: one for each version of its root."""
    return Proofs({version: derive(root.secret, "backup") for version, root in keys.roots.items()}, max(keys.roots))


def control_proofs(keys: KeyRing) -> Proofs:
    return Proofs({1: keys.lasting("backup")}, 1)


def size_of(folder: Path) -> int:
    """Bytes of everything in it."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue
    return total
