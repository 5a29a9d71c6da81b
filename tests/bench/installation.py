"""An installation for a benchmark and a `chime serve` process on it."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from chime.channels import NewChannel
from chime.config import Config, load
from chime.setup import connect, initialise, new_workspace
from tests.support.faulty_disk import FaultyDisk
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, APP_SECRET, MASTER_KEY, PASSWORD, VERIFY_TOKEN, free_port

ROOT = Path(__file__).resolve().parents[2]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace and its connected number."""

    slug: str
    phone_number_id: str
    waba_id: str


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is and what a sender needs. `workspace_id` is that of Acme, the first of `lines`."""

    data_dir: Path
    webhook_path: str
    workspace_id: str
    lines: tuple[Line, ...]


def config_for(data_dir: Path) -> Config:
    return msgspec.structs.replace(load(data=str(data_dir), environment={}), master_key=MASTER_KEY)


def install(data_dir: Path, *, workspaces: int = 1, connected: int = 1) -> Installed:
    """Alice's installation; the first `connected` workspaces have a number each, all of one Meta app."""
    async def work() -> Installed:
        config = config_for(data_dir)
        made = await initialise(config, email="alice@example.com", name="Alice", workspace="Acme", password=PASSWORD)
        slugs = {"Acme": "acme"}
        for index in range(1, workspaces):
            slugs[f"Workspace {index}"] = (await new_workspace(config, f"Workspace {index}")).slug
        lines, path = [], ""
        for index, (name, slug) in enumerate(list(slugs.items())[:connected]):
            line = Line(slug=slug, phone_number_id=str(int(ACME_NUMBER.phone_number_id) + index),
                        waba_id=str(int(ACME_NUMBER.waba_id) + index))
            path = await _connect(config, name, line, f"+1 555-010-{200 + index:04d}")
            lines.append(line)
        return Installed(data_dir=data_dir, webhook_path=path, workspace_id=made.workspace_id, lines=tuple(lines))

    return asyncio.run(work())


async def _connect(config: Config, workspace: str, line: Line, display_phone: str) -> str:
    """The webhook's path, which is the app's."""
    connected = await connect(config, workspace, NewChannel(
        phone_number_id=line.phone_number_id, waba_id=line.waba_id, display_phone=display_phone,
        app_id="200300400500600", access_token=ACCESS_TOKEN, app_secret=APP_SECRET, verify_token=VERIFY_TOKEN))
    return connected.webhook_path


class Process(msgspec.Struct, frozen=True, kw_only=True):
    base: str
    port: int
    pid: int
    seconds_to_ready: float
    disk: Mapping[str, str]
    """What a process beside it has in its environment, so that its disk is the same one"""


@contextmanager
def served(data_dir: Path, *, graph_url: str = "http://127.0.0.1:9", port: int = 0,
           environment: Mapping[str, str] | None = None, fsync_ms: float = 0.0) -> Iterator[Process]:
    """`chime serve` as a process, from exec to ready; ended with SIGTERM. `environment` is added to its own. Its
    modules are kept compiled, as they are on a server, also where this process may not keep its own."""
    port = port or free_port()
    disk: Mapping[str, str] = {}
    if fsync_ms:
        slow = FaultyDisk(data_dir)
        slow.switch(fsync_delay_ms=fsync_ms)
        disk = slow.environment
    extra = {**(environment or {}), **disk}
    inherited = {key: value for key, value in os.environ.items()
                 if not key.startswith("CHIME_") and key != "PYTHONDONTWRITEBYTECODE"}
    inherited |= {"CHIME_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(), "CHIME_DATA_DIR": str(data_dir),
                  "CHIME_GRAPH_URL": graph_url, "CHIME_LOG_LEVEL": "error", "CHIME_RATE_FACTOR": "1000", **extra}
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "chime", "serve", "--bind", f"127.0.0.1:{port}"], cwd=ROOT,
                               env=inherited)
    try:
        base = f"http://127.0.0.1:{port}"
        while not _ready(base):
            if process.poll() is not None or time.monotonic() - begun > 30:
                raise RuntimeError("chime serve did not become ready")
            time.sleep(0.01)
        yield Process(base=base, port=port, pid=process.pid, seconds_to_ready=time.monotonic() - begun,
                      disk=disk)
    finally:
        process.terminate()
        process.wait(25)


def backed_up(process: Process, seconds: float = 240.0) -> None:
    """Wait until the first backup of everything was made and tried: that happens once in the life of a server."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{process.base}/metrics", timeout=20) as answer:
            if "\nchime_backup_age_seconds " in answer.read().decode():
                return
        time.sleep(0.5)
    raise RuntimeError("there is no backup yet")


def _ready(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def resident_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise RuntimeError("no VmRSS")


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
