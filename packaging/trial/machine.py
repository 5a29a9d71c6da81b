"""A Debian of its own that boots with its own systemd, in a container (systemd-nspawn) on this machine's kernel.

Promises: nothing outside its folder is written; it has no network but a loopback that it shares with whoever runs this
(see packaging/try-systemd), so it proves at once that no internet is needed; it ends with the `with` it is used in.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

# systemd-nspawn ends so when what it runs wants to boot again, and it is not to do that itself.
_BOOT_AGAIN = 133
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_BOOTED_IN, _DONE_IN = 120.0, 600.0


class Failed(Exception):
    """Something was not as it has to be."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def must(condition: object, text: str) -> None:
    """Raises Failed with `text`."""
    if not condition:
        raise Failed(text)


class Machine:
    """`root` is its file system; what its console shows goes to `log`."""

    def __init__(self, root: Path, log: Path) -> None:
        self.root = root
        self._log = log
        self._container: subprocess.Popen[bytes] | None = None
        self._first = 0

    def boot(self) -> None:
        """Until systemd has started all it wanted."""
        # Where the kernel's controllers belong to the old hierarchy, a systemd of today would not start.
        environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        command = ["systemd-nspawn", "--quiet", f"--machine=chime-trial-{os.getpid()}", f"--directory={self.root}",
                   "--boot", "--console=pipe", "--kill-signal=SIGRTMIN+3", "--register=no"]
        if not Path("/run/systemd/system").is_dir():
            command.append("--keep-unit")  # nobody here who could give it one of its own
        with self._log.open("ab") as log:
            self._container = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                               stderr=subprocess.STDOUT)
        self._await_boot()

    def _await_boot(self) -> None:
        deadline = time.monotonic() + _BOOTED_IN
        while True:
            self._first = self._find_first()
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip() if self._first else ""
            if state in ("running", "degraded"):
                return
            must(self._container is not None and self._container.poll() is None and time.monotonic() < deadline,
                 f"it does not boot ({state or 'no systemd'}): {self._log.read_text('utf-8', 'replace')[-800:]}")
            time.sleep(0.2)

    def _find_first(self) -> int:
        """The process that is number 1 in there; 0 while there is none."""
        assert self._container is not None
        with suppress(OSError, IndexError, ValueError):
            pid = self._container.pid
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
                status = Path(f"/proc/{child}/status").read_text("utf-8")
                if status.partition("NSpid:")[2].split("\n")[0].split()[1:] == ["1"]:
                    return int(child)
        return 0

    def run(self, *command: str, check: bool = True, seconds: float = _DONE_IN) -> subprocess.CompletedProcess[str]:
        """A command of root's in there. Raises Failed with what it said when it fails and `check` is set."""
        return self._ran(("nsenter", f"--target={self._first}", "--all", "env", "-i", f"PATH={_PATH}",
                          "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "HOME=/root", *command), check, seconds)

    def as_service(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command with the service's user, and its view of the file system."""
        pid = self.host_pid(self.main_pid)
        return self._ran(("nsenter", f"--target={pid}", "--mount", "setpriv", "--reuid=chime", "--regid=chime",
                          "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "env", "-i",
                          f"PATH={_PATH}", *command), check, _DONE_IN)

    def _ran(self, command: Sequence[str], check: bool, seconds: float) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds,
                              check=False)
        if check and done.returncode:
            raise Failed(f"{' '.join(command[-4:])} ended with {done.returncode}: "
                         f"{(done.stdout + done.stderr).strip()[-1500:]}")
        return done

    def shown(self, name: str, unit: str = "chime.service") -> str:
        """As `systemctl show` tells it."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()

    @property
    def main_pid(self) -> int:
        """The service's process, by its number in there."""
        return int(self.shown("MainPID"))

    def host_pid(self, pid: int) -> int:
        """What a process in there is called out here."""
        space = os.readlink(f"/proc/{self._first}/ns/pid")
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and os.readlink(entry / "ns/pid") == space:
                    numbers = (entry / "status").read_text("utf-8").partition("NSpid:")[2].split("\n")[0].split()
                    if numbers[-1] == str(pid):
                        return int(entry.name)
        raise Failed(f"there is no process {pid} in there")

    def reboot(self) -> None:
        """As `reboot` does it."""
        assert self._container is not None
        before = self._first
        self.run("systemctl", "reboot", check=False)
        deadline = time.monotonic() + _BOOTED_IN
        while Path(f"/proc/{before}").exists():
            must(time.monotonic() < deadline, "it does not go down")
            time.sleep(0.1)
        time.sleep(0.5)
        if self._container.poll() is None:
            self._await_boot()  # systemd-nspawn has begun anew by itself
            return
        must(self._container.returncode == _BOOT_AGAIN, f"it went down with {self._container.returncode}")
        self.boot()

    def __enter__(self) -> Self:
        self.boot()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._container is None or self._container.poll() is not None:
            return
        self.run("systemctl", "--no-block", "poweroff", check=False)
        try:
            self._container.wait(60)
        except subprocess.TimeoutExpired:
            self._container.kill()
            self._container.wait()
