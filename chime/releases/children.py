"""Asking a release something by running it: each as its own process, with its own code and the service's user."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from chime.config import Config, for_children
from chime.errors import StartRefused
from chime.releases.shelf import Shelf


class Children:
    """`given` are the options of the command line that say which installation is meant."""

    def __init__(self, shelf: Shelf, config: Config, given: Sequence[str]) -> None:
        self._shelf = shelf
        self._environment = for_children(config)
        self._given = list(given)

    def ask(self, name: str, *arguments: str, seconds: float, statuses: Sequence[int] = (0,)) -> dict[str, Any]:
        """What a command of that release answers in JSON. Raises StartRefused with its own words."""
        command = [*program(self._shelf, name), *arguments, *self._given, "--json"]
        what = " ".join(arguments[:2])
        try:
            done = subprocess.run(command, env=self._environment, capture_output=True, stdin=subprocess.DEVNULL,
                                  timeout=seconds, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StartRefused(f"{what} of {name} did not end ({type(error).__name__})") from error
        found = _answer(done.stdout)
        if done.returncode not in statuses or found is None:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            word = lines[-1].removeprefix("chime: ") if lines else f"it ended with {done.returncode}"
            raise StartRefused(f"{what} of {name}: {word}")
        return found


def _answer(output: bytes) -> dict[str, Any] | None:
    with suppress(IndexError, msgspec.DecodeError):
        found = msgspec.json.decode(output.strip().splitlines()[-1])
        return found if isinstance(found, dict) else None
    return None


def program(shelf: Shelf, name: str) -> list[str]:
    """How a release is run."""
    return [sys.executable, "-I", "-S", str(shelf.folder(name) / "run.py")]
