"""A real installation in a folder and its `chime serve` process, to be started, killed and started again.

Promise: the process never sees the caller's own CHIME_ settings, keeps its port over restarts (Meta posts to one
address), and does not outlive the `async with` it is used in.
"""

from __future__ import annotations

import asyncio
import base64
import signal
import subprocess
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from chime.channels import NewChannel
from chime.config import Config, load
from chime.setup import connect, initialise, new_api_key, new_workspace, opened
from tests.support.processes import CHIME, environment, free_port
from tests.support.world import ACCESS_TOKEN, APP_SECRET, MASTER_KEY, PASSWORD, VERIFY_TOKEN

ROOT = Path(__file__).resolve().parents[2]
APP_ID = "200300400500600"
READY = b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
T = TypeVar("T")


class DidNotStart(Exception):
    """The process ended, or said nothing, before it was ready. Holds its exit status and log."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """The one connected number of a workspace, and a key with every scope."""

    workspace_id: str
    workspace: str
    slug: str
    channel_id: str
    phone_number_id: str
    waba_id: str
    display_phone_number: str
    api_key: str


class Appliance:
    """Its files are in `data_dir`, its log is beside them."""

    def __init__(self, data_dir: Path, numbers: list[Number], webhook_path: str, settings: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.numbers = numbers
        self.webhook_path = webhook_path
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.settings = settings
        """The environment of the next start."""
        self.log_file = data_dir.with_name("serve.log")
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def install(cls, folder: Path, *, workspaces: Sequence[str] = ("Acme",), graph_url: str = "http://127.0.0.1:9",
                environment: Mapping[str, str] | None = None) -> Appliance:
        """Alice's installation: a workspace for each name, each with one number, all of one Meta app."""
        config = config_for(folder / "data")
        numbers, path = finished(_install(config, workspaces))
        settings = {"CHIME_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(), "CHIME_GRAPH_URL": graph_url,
                    "CHIME_LOG_LEVEL": "warning", "CHIME_RATE_FACTOR": "1000", **(environment or {})}
        return cls(config.data_dir, numbers, path, settings)

    @property
    def config(self) -> Config:
        """For functions of Chime's that open the files while no process runs on them."""
        return config_for(self.data_dir)

    async def start(self, seconds: float = 30.0) -> float:
        """Until /readyz says 200; the seconds it took. Raises DidNotStart."""
        assert not self.runs, "it runs already"
        begun = time.monotonic()
        self._process = self.spawn(self.log_file, self.port)
        while not await self.is_ready():
            if not self.runs or time.monotonic() - begun > seconds:
                status = self._process.poll()
                await self.kill()
                raise DidNotStart(f"exit status {status} after {time.monotonic() - begun:.1f} s:\n{self.log[-4000:]}")
            await asyncio.sleep(0.01)
        return time.monotonic() - begun

    def spawn(self, log: Path, port: int, *, folder: Path | None = None) -> subprocess.Popen[bytes]:
        """Another process on the same folder, or on one with the same key. It is the caller's to end."""
        command = [*CHIME, "serve", "--data", str(folder or self.data_dir), "--bind", f"127.0.0.1:{port}"]
        with log.open("ab") as output:
            return subprocess.Popen(command, cwd=ROOT, env=environment({"PYTHONPATH": str(ROOT), **self.settings}),
                                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    async def is_ready(self) -> bool:
        """Whether /readyz says 200 now."""
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(READY)
                line = await reader.readline()
                writer.close()
        except (OSError, TimeoutError):
            return False
        return b" 200 " in line

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM, as systemd sends it; the exit status. Raises TimeoutError when it goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self._process.wait, seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still running {seconds} s after SIGTERM") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.kill()

    @property
    def log(self) -> str:
        """What all its processes wrote so far."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    def resident_megabytes(self) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) / 1024, 1)
        raise ProcessLookupError(self.pid)

    def descriptors(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())


def config_for(data_dir: Path) -> Config:
    """The options of the installations made here."""
    return msgspec.structs.replace(load(data=str(data_dir), environment={}), master_key=MASTER_KEY, rate_factor=1_000)


def finished(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine on a loop of its own, so that it can be asked for with and without a running one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _install(config: Config, workspaces: Sequence[str]) -> tuple[list[Number], str]:
    await initialise(config, email="alice@example.com", name="Alice", workspace=workspaces[0], password=PASSWORD)
    for name in workspaces[1:]:
        await new_workspace(config, name)
    async with opened(config) as (control, _):
        records = {record.name: record for record in await control.workspaces()}
    numbers, path = [], ""
    for index, name in enumerate(workspaces):
        phone_number_id, waba_id = str(411_222_333_000_000 + index), str(377_001_122_000_000 + index)
        display = f"+1 555-010-{index:04d}"
        channel = await connect(config, name, NewChannel(
            phone_number_id=phone_number_id, waba_id=waba_id, display_phone=display, app_id=APP_ID,
            access_token=ACCESS_TOKEN, app_secret=APP_SECRET, verify_token=VERIFY_TOKEN))
        key = await new_api_key(config, name, "reliability", "all")
        path = channel.webhook_path
        numbers.append(Number(workspace_id=records[name].id, workspace=name, slug=records[name].slug,
                              channel_id=channel.channel_id, phone_number_id=phone_number_id, waba_id=waba_id,
                              display_phone_number=display, api_key=key.key))
    return numbers, path
