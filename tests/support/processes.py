"""Programs as processes: started on free ports, awaited until they answer, their output kept, ended for certain.

For what only a process shows: the built archive, signals, exit statuses, two programs talking over real HTTP. Promise:
a program started here never outlives the `with` it was started in, and never sees the caller's own CHIME_ settings.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

# -P: a test's working folder must not come before the checkout on the import path.
CHIME = (sys.executable, "-P", "-m", "chime")
SIMULATOR = (sys.executable, "-P", "-m", "chime.simulator")
_OWN_SETTINGS = ("CHIME_", "PYTHONPATH", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_")


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without anything that would configure Chime, and `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
    return {**kept, **(extra or {})}


def run(command: Sequence[str], *, extra: Mapping[str, str] | None = None, cwd: Path | None = None,
        timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever its exit status."""
    return subprocess.run(command, env=environment(extra), cwd=cwd, timeout=timeout, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, check=False)


class Program:
    """A running program and what it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, address: str) -> None:
        self._process = process
        self._log = log
        self.address = address
        """`http://127.0.0.1:PORT`"""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """Standard output and error so far."""
        return self._log.read_text("utf-8", "replace")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers (names in lower case) and body of a GET. Raises OSError while nobody listens."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=10)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def await_ready(self, path: str, seconds: float) -> None:
        """Wait until `path` answers 200. Raises AssertionError with the program's output when it ends or dawdles."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.exit_status is None, f"it ended with {self.exit_status}:\n{self.output()}"
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get(path)[0] == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"no 200 from {path} in {seconds} s:\n{self.output()}")

    def terminate(self, seconds: float = 20) -> int:
        """SIGTERM, as systemd sends it; the exit status. Raises AssertionError when it takes longer."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {seconds} s after SIGTERM:\n{self.output()}") from None

    def kill(self) -> None:
        """SIGKILL, as a power cut would; returns when it is gone."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def started(command: Sequence[str], log: Path, *, port: int, ready: str | None, extra: Mapping[str, str] | None = None,
            cwd: Path | None = None, seconds: float = 90) -> Iterator[Program]:
    """A program that listens on `port`, from the moment `ready` answers 200 (None: at once); killed at the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment(extra), cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT)
    program = Program(process, log, f"http://127.0.0.1:{port}")
    try:
        if ready is not None:
            program.await_ready(ready, seconds)
        yield program
    finally:
        if program.exit_status is None:
            program.kill()
    masked = [line for line in program.output().splitlines() if "[secret]" in line or "[number]" in line]
    assert not masked, f"somebody handed to the log what it has to mask: {masked[:3]}"


@contextlib.contextmanager
def serving(data: Path, *, command: Sequence[str] = CHIME, extra: Mapping[str, str] | None = None,
            seconds: float = 90) -> Iterator[Program]:
    """`chime serve` on an initialised data folder. Its log lies beside the folder."""
    port = free_port()
    with started([*command, "serve", "--data", str(data), "--bind", f"127.0.0.1:{port}"],
                 data.with_name(f"{data.name}-serve.log"), port=port, ready="/readyz", extra=extra,
                 seconds=seconds) as program:
        yield program


@contextlib.contextmanager
def simulator(log: Path, *options: str, port: int | None = None) -> Iterator[Program]:
    """The simulator on its own, with its command line's further options."""
    port = port or free_port()
    with started([*SIMULATOR, "--bind", f"127.0.0.1:{port}", *options], log, port=port,
                 ready="/simulator/switches") as program:
        yield program
