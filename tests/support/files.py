"""The files of a process that goes on working: what it renames or removes while one looks is no fault."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def paths(folder: Path) -> list[Path]:
    """Every file below it. `Path.rglob` raises for a folder that goes while it is listed."""
    return sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names)


def contents(folder: Path) -> dict[Path, bytes]:
    """What every file below it holds."""
    found = {}
    for path in paths(folder):
        with suppress(FileNotFoundError):
            found[path] = path.read_bytes()
    return found
