"""A port that outlives the process (systemd's socket activation), and the watchdog that hears of storage only."""

from __future__ import annotations

import asyncio
import base64
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from chime import serve
from chime.config import Config, load
from chime.errors import StartRefused
from tests.support.processes import CHIME, environment, run

KEY = base64.b64encode(bytes(range(50, 82))).decode()
HAND_OVER = ("import os, sys; os.dup2(int(sys.argv[1]), 3); "
             "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execvp(sys.argv[2], sys.argv[2:])")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("socket") / "data"
    made = run([*CHIME, "init", "--data", str(folder), "--email", "alice@acme.example", "--name", "Alice",
                "--workspace", "Acme"], extra={"CHIME_MASTER_KEY": KEY})
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def held() -> Iterator[socket.socket]:
    """A listening socket as systemd would hold it."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as made:
        yield made


@contextmanager
def _started(data: Path, held: socket.socket, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    number = held.fileno()
    command = [sys.executable, "-c", HAND_OVER, str(number), *CHIME, "serve", "--data", str(data), *options]
    process = subprocess.Popen(command, env=environment({"CHIME_MASTER_KEY": KEY}), pass_fds=[number],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def _ask(held: socket.socket, seconds: float = 30) -> bytes:
    with socket.create_connection(held.getsockname(), timeout=seconds) as client:
        client.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return client.makefile("rb").readline()


def test_who_calls_between_two_processes_is_answered_by_the_second(data: Path, held: socket.socket) -> None:
    with _started(data, held) as first:
        assert _ask(held) == b"HTTP/1.1 200 OK\r\n"
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 0
    answers: list[bytes] = []
    callers = [threading.Thread(target=lambda: answers.append(_ask(held))) for _ in range(20)]
    for caller in callers:
        caller.start()
    with _started(data, held):
        for caller in callers:
            caller.join(30)
    assert answers == [b"HTTP/1.1 200 OK\r\n"] * 20


def test_another_address_than_the_one_asked_for_is_refused_in_one_line(data: Path, held: socket.socket) -> None:
    with _started(data, held, "--bind", "127.0.0.1:1") as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        (line,) = process.stderr.read().decode().splitlines()
    assert line.startswith("chime: CHIME_BIND: asks for 127.0.0.1:1, but chime.socket holds ")


@pytest.mark.parametrize("count", ["2", "7"])
def test_more_than_one_socket_is_refused(count: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartRefused, match="one ListenStream"):
        serve.listen(_config({"LISTEN_FDS": count}, monkeypatch))


def test_sockets_meant_for_another_process_are_left_alone() -> None:
    assert load(environment={"LISTEN_PID": "1", "LISTEN_FDS": "1"}).inherited_sockets == 0


def _config(extra: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr("chime.config.os.getpid", lambda: 4711)
    return load(environment={"LISTEN_PID": "4711", **extra})


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """How many notifications have come since the last time; asked as systemd's own end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)

        def count() -> int:
            found = 0
            while True:
                try:
                    assert listener.recv(100) == b"WATCHDOG=1"
                except BlockingIOError:
                    return found
                found += 1

        yield count


@pytest.mark.parametrize("trouble", ["none", "failing", "hanging"])
async def test_the_watchdog_hears_of_us_only_while_storage_answers(
        trouble: str, heard: Callable[[], int], tmp_path: Path) -> None:
    questions = 0
    well = True
    never = asyncio.Event()

    async def answers() -> bool:
        nonlocal questions
        questions += 1
        if not well and trouble == "hanging":
            await never.wait()
        return well or trouble == "none"

    config = load(environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000"})
    watchdog = asyncio.create_task(serve._watchdog(config, answers))
    await asyncio.sleep(0.2)
    assert heard() >= 2
    well = False
    await asyncio.sleep(0.1)
    heard()
    before = questions
    await asyncio.sleep(0.3)
    assert (heard() > 2) is (trouble == "none")
    if trouble == "hanging":
        assert questions == before, "one question at a time"
    well = True
    never.set()
    await asyncio.sleep(0.2)
    assert heard() >= 2, "and again once it answers"
    watchdog.cancel()


async def test_a_full_disk_is_no_reason_to_start_anew() -> None:
    from types import SimpleNamespace

    asked: list[str] = []

    class Control:
        async def value(self, sql: str) -> int:
            asked.append(sql)
            return 1

        def transaction(self) -> None:
            raise OSError("no space left on device")

    control = SimpleNamespace(db=Control())
    space = SimpleNamespace(enough=False)
    services = SimpleNamespace(control=control, registry=SimpleNamespace(space=space), ids=None)
    assert await serve.storage_answers(cast(Any, services))
    assert len(asked) == 1
    space.enough = True
    assert not await serve.storage_answers(cast(Any, services))
