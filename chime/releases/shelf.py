"""The releases laid out on this machine, and which of them is `current`.

    <root>/releases/<version>-<build>/   never written again
    <root>/current                       leads to the one that runs
    <root>/upgrade.json                  while an upgrade is under way
    <root>/starts                        how often a release on trial was started

Promise: `current` leads to a whole release at every moment; it is exchanged by one rename.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chime.errors import StartRefused
from chime.releases.release import Release, read_release
from chime.workspaces.files import flush_names

ROOT = Path("/usr/lib/chime")
_LAYING_OUT = 600.0


class UnderWay(StartRefused):
    """Somebody upgrades or goes back at this moment."""


class Shelf:
    """The folder of them all."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.releases = self.root / "releases"
        self.state_file = self.root / "upgrade.json"
        self.last_file = self.root / "last-upgrade.json"
        self.starts_file = self.root / "starts"

    def folder(self, name: str) -> Path:
        return self.releases / name

    @property
    def current(self) -> str:
        """The name of the release that runs or would run; empty when none was ever set up."""
        try:
            name = Path(os.readlink(self.root / "current")).name
        except OSError:
            return ""
        return name if (self.releases / name).is_dir() else ""

    def release(self, name: str) -> Release:
        """Raises StartRefused."""
        try:
            return read_release((self.folder(name) / "release.json").read_bytes())
        except OSError as error:
            raise StartRefused(f"{self.folder(name)} is no release any more ({error.strerror})") from error

    def names(self) -> list[str]:
        """Of the whole ones; who is laying one out has it under a hidden name."""
        with suppress(OSError):
            return sorted(path.name for path in self.releases.iterdir()
                          if not path.name.startswith(".") and (path / "release.json").is_file())
        return []

    def lay_out(self, archive: Path) -> str:
        """Have a verified file lay itself out; the name of its folder. Raises StartRefused."""
        done = subprocess.run([sys.executable, "-I", str(archive), "--lay-out", str(self.releases)], text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=_LAYING_OUT, check=False)
        lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
        if done.returncode or not lines:
            raise StartRefused(f"it cannot be laid out in {self.releases}: {lines[-1] if lines else 'no word why'}")
        return Path(lines[-1]).name

    def switch(self, name: str) -> None:
        """Make it the current one, durably."""
        self.release(name)
        fresh = self.root / f".current-{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("releases") / name)
        fresh.replace(self.root / "current")
        flush_names(self.root)

    def prune(self, *keep: str) -> None:
        """Remove all others."""
        for name in self.names():
            if name not in keep and name != self.current:
                # Under another name first: half a release must not look like one.
                gone = self.releases / f".gone-{name}"
                with suppress(OSError):
                    self.folder(name).rename(gone)
        for gone in self.releases.glob(".gone-*"):
            shutil.rmtree(gone, ignore_errors=True)

    @contextmanager
    def alone(self, *, patience: float = 0.0) -> Iterator[None]:
        """Nobody else upgrades or goes back meanwhile. Raises UnderWay when somebody still does after so many seconds,
        StartRefused when it may not be written."""
        try:
            self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartRefused(f"{self.root} cannot be written ({error.strerror}): releases are root's to change, "
                               "so use sudo") from error
        try:
            _lock(descriptor, time.monotonic() + patience)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, deadline: float) -> None:
    """Raises UnderWay."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if time.monotonic() >= deadline:
                raise UnderWay("another upgrade is under way on this machine") from error
        time.sleep(0.02)
