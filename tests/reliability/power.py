"""What a disk may hold after the power went, from the log of everything that was done to it (`faulty_disk`).

The model: what was flushed is safe. Of the rest, each file keeps nothing, everything or any part; a write may survive
as any of its sectors. A new, renamed or deleted name is safe once its folder was flushed. After a flush that failed the
system forgets that the pages were unsaved, so a later flush that succeeds does not save them either. Left out: disks
that lie about a flush, and bits that rot.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from tests.support.faulty_disk import Change

T = TypeVar("T")
SECTOR = 512
# How the unflushed part of a file fares: gone, whole, or piece by piece.
ALL_GONE, ALL_THERE = 0.25, 0.5
TORN = 0.2


class _File:
    """`safe` is on the disk; `pending` may be. A pending change that is `forgotten` will not be flushed any more."""

    def __init__(self, content: bytes = b"") -> None:
        self.safe = bytearray(content)
        self.pending: list[Change] = []
        self.forgotten = 0

    def flush(self, luck: random.Random) -> None:
        for place, change in enumerate(self.pending):
            if place >= self.forgotten or luck.random() < 0.5:
                _apply(self.safe, change)
        self.pending.clear()
        self.forgotten = 0

    def fail_to_flush(self) -> None:
        self.forgotten = len(self.pending)

    def survivor(self, luck: random.Random) -> bytes:
        if not self.pending:
            return bytes(self.safe)
        content = bytearray(self.safe)
        for change in _surviving(self.pending, luck):
            for part in _torn(change, luck) if change.kind == "W" and luck.random() < TORN else (change,):
                _apply(content, part)
        return bytes(content)


class Disk:
    """Plays a log forward; `survivors` is what a power cut now would leave."""

    def __init__(self, files: dict[str, bytes], luck: random.Random) -> None:
        self._luck = luck
        self._seen = {path: _File(content) for path, content in files.items()}
        self._safe_names = dict(self._seen)
        self._pending_names: dict[str, list[tuple[Change, _File | None]]] = defaultdict(list)

    def play(self, changes: Iterable[Change]) -> None:
        """These were done next."""
        for change in changes:
            match change.kind:
                case "W" | "T":
                    self._seen[change.path].pending.append(change)
                case "S" | "F":
                    self._flush(change)
                case "C" | "D" | "R":
                    self._rename(change)

    def _flush(self, change: Change) -> None:
        file = self._seen.get(change.path)
        if file is not None and change.kind == "S":
            file.flush(self._luck)
        elif file is not None:
            file.fail_to_flush()
        elif change.kind == "S":
            for entry in self._pending_names.pop(change.path, []):
                _rename_safely(self._safe_names, *entry)

    def _rename(self, change: Change) -> None:
        if change.kind == "C":
            file = self._seen[change.path] = _File()
        elif change.kind == "D":
            file = self._seen.pop(change.path, None)
        else:
            file = self._seen[change.data.decode()] = self._seen.pop(change.path)
        self._pending_names[change.path.rpartition("/")[0]].append((change, file))

    def survivors(self) -> dict[str, bytes]:
        """Path -> content of what is there after a power cut, drawn anew with each call."""
        names = dict(self._safe_names)
        for entries in self._pending_names.values():
            for entry in _surviving(entries, self._luck):
                _rename_safely(names, *entry)
        return {path: file.survivor(self._luck) for path, file in names.items() if not path.endswith("-shm")}


def _rename_safely(names: dict[str, _File], change: Change, file: _File | None) -> None:
    if change.kind == "C" and file is not None:
        names[change.path] = file
    elif change.kind == "D" and names.get(change.path) is file:
        names.pop(change.path, None)
    elif change.kind == "R" and file is not None:
        names.pop(change.path, None)
        names[change.data.decode()] = file


def _surviving(pending: list[T], luck: random.Random) -> list[T]:
    fate = luck.random()
    if fate < ALL_GONE:
        return []
    return list(pending) if fate < ALL_THERE else [item for item in pending if luck.random() < 0.5]


def _torn(change: Change, luck: random.Random) -> list[Change]:
    """Some of the sectors of a write."""
    return [Change("W", change.path, change.offset + start, change.data[start:start + SECTOR])
            for start in range(0, len(change.data), SECTOR) if luck.random() < 0.5]


def _apply(content: bytearray, change: Change) -> None:
    end = change.offset + len(change.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if change.kind == "T":
        del content[change.offset:]
    else:
        content[change.offset:end] = change.data
