"""The running service as whoever upgrades sees it: it can be restarted, and it says how often it was.

The listening socket is held by somebody else meanwhile (systemd's chime.socket, or `chime keep`), so that connections
wait instead of being refused. So nothing is ever stopped here: whoever holds the socket would start it again, and a
restart is one request that is carried out even if we die.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from chime.errors import StartRefused
from chime.releases.shelf import Shelf

UNIT = "chime.service"
_PATIENCE = 180.0


class Service(Protocol):
    """How it is looked after on this machine."""

    @property
    def runs(self) -> bool:
        """Whether there is something to be restarted."""
        ...

    def restart(self) -> None:
        """Have `current` run. It may come back before the service is ready. Raises StartRefused."""
        ...


class Systemd:
    @property
    def runs(self) -> bool:
        return _call(["systemctl", "--quiet", "is-active", UNIT]).returncode == 0

    def restart(self) -> None:
        # A release that could not start has used up its starts; the one before it shall have its own.
        _call(["systemctl", "reset-failed", UNIT])
        done = _call(["systemctl", "--no-block", "restart", UNIT])
        if done.returncode:
            raise StartRefused(f"systemctl restart {UNIT}: {done.stderr.strip() or 'failed'}")


class Kept:
    """By `chime keep`, which restarts what it keeps on SIGHUP."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    runs = True

    def restart(self) -> None:
        try:
            os.kill(self._pid, signal.SIGHUP)
        except OSError as error:
            raise StartRefused(f"`chime keep` (process {self._pid}) cannot be told ({error.strerror})") from error


class Commanded:
    """By a command of the operator's, such as `sv restart chime`."""

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)
        if not self._command:
            raise StartRefused("--restart-with: names no command")

    runs = True

    def restart(self) -> None:
        done = _call(self._command)
        if done.returncode:
            raise StartRefused(f"--restart-with: {self._command[0]} ended with {done.returncode}")


class Nobody:
    """Nothing runs, so there is nothing to restart."""

    runs = False

    def restart(self) -> None:
        pass


def find_service(shelf: Shelf, restart_with: str | None, data_dir: Path) -> Service:
    """Raises StartRefused when something runs that we could not restart."""
    if restart_with is not None:
        return Commanded(restart_with)
    pid = keeper(shelf)
    if pid:
        return Kept(pid)
    if Path("/run/systemd/system").is_dir() and Systemd().runs:
        return Systemd()
    if _somebody_serves(data_dir):
        raise StartRefused(f"a service runs on {data_dir} that neither systemd nor `chime keep` looks after: say how "
                           "to restart it with --restart-with, or stop it first")
    return Nobody()


def _somebody_serves(data_dir: Path) -> bool:
    try:
        with (data_dir / ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def keeper_file(shelf: Shelf) -> Path:
    return shelf.root / "keeper"


def keeper(shelf: Shelf) -> int:
    """The process id of the `chime keep` that keeps this shelf's service; 0 when there is none."""
    try:
        pid = int(keeper_file(shelf).read_text("ascii"))
        alive = b"\0keep\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return pid if alive else 0


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartRefused(f"{command[0]} cannot be run ({type(error).__name__})") from error
