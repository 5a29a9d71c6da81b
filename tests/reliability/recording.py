"""A real server at work on a disk that writes down what was done to it, and what the outside was told meanwhile.

`Recording.log` holds the changes in their order and, among them, the marks: a webhook was acknowledged (its SHA-256), a
message was posted to Meta (its id). Promise: a mark stands behind every change that was made before it was true.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec

from tests.reliability.appliance import ROOT, Appliance
from tests.reliability.checker import until_applied
from tests.reliability.meta import Fate, Meta, accept
from tests.reliability.outbox import Outbox
from tests.reliability.parked import STRANGER
from tests.reliability.senders import Delivery, Sender
from tests.reliability.traffic import Traffic
from tests.support.faulty_disk import Change, FaultyDisk, changes, mark
from tests.support.processes import environment

ACKNOWLEDGED, POSTED = "acknowledged", "posted"
BODIES, SENDS = 90, 20
RATE = 250
# The workspaces' files and control.db; what else is in the folder can be made again.
KEPT = (".db", ".db-wal")


class Recording(msgspec.Struct):
    """`before` are the files when it began."""

    before: dict[str, bytes]
    log: list[Change]
    deliveries: dict[bytes, Delivery]


class Recorded(Appliance):
    """Writes small checkpoints, so that a short recording has many."""

    def spawn(self, log: Path, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "tests.reliability.small_checkpoints", "serve", "--data",
                   str(self.data_dir), "--bind", f"127.0.0.1:{port}"]
        with log.open("ab") as output:
            return subprocess.Popen(command, cwd=ROOT, env=environment({"PYTHONPATH": str(ROOT), **self.settings}),
                                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)


Disturb = Callable[[Appliance, FaultyDisk], Awaitable[None]]


class Recorder:
    """Copies of one installation with messages to send; each recording is made of a fresh one."""

    def __init__(self, folder: Path, luck: random.Random, settings: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._luck = luck
        self._settings = settings or {}
        self._count = 0
        self.installed = Appliance.install(folder / "installed")
        outbox = Outbox(self.installed, luck, conversations=SENDS // 2)
        outbox.queue(SENDS)

    async def record(self, disturb: Disturb | None = None) -> Recording:
        """Serve, take webhooks and send for a second, and be disturbed meanwhile: without a `disturb`, killed in every
        other recording."""
        self._count += 1
        folder = self._folder / f"recording-{self._count}"
        shutil.copytree(self.installed.data_dir, folder / "data", ignore=shutil.ignore_patterns("*-shm", ".lock"))
        disk = FaultyDisk(folder / "data", log=folder / "log")
        before = files_of(folder / "data")
        known: dict[bytes, Delivery] = {}
        with (folder / "log").open("ab") as log:
            def posted(message_id: str) -> Fate:
                mark(log, POSTED, message_id.encode())
                return accept(self._luck.uniform(0, 0.05))

            def acknowledged(delivery: Delivery) -> None:
                mark(log, ACKNOWLEDGED, hashlib.sha256(delivery.body).digest())

            async with Meta(posted) as meta, Recorded(
                    folder / "data", self.installed.numbers, self.installed.webhook_path,
                    {**self.installed.settings, **disk.environment, **self._settings,
                     "CHIME_GRAPH_URL": meta.url}) as appliance:
                sender = Sender(appliance.port, appliance.webhook_path, self._luck, on_acknowledged=acknowledged)
                traffic = Traffic(appliance.numbers, self._luck, name=f"r{self._count}", strangers=[STRANGER])
                await self._serve(appliance, disk, sender, _drawn(traffic, known), disturb or self._kill)
                await sender.close()
        recording = Recording(before, list(changes(folder / "log")), known)
        shutil.rmtree(folder)
        return recording

    async def _kill(self, appliance: Appliance, disk: FaultyDisk) -> None:
        if self._luck.random() < 0.5:
            await asyncio.sleep(self._luck.uniform(0, BODIES / RATE))
            await appliance.kill()
            await appliance.start()

    async def _serve(self, appliance: Appliance, disk: FaultyDisk, sender: Sender, deliveries: Iterator[Delivery],
                     disturb: Disturb) -> None:
        await appliance.start()
        posting = asyncio.create_task(sender.at_rate(deliveries, RATE))
        await disturb(appliance, disk)
        await posting
        await sender.settled()
        if self._luck.random() < 0.5:
            await until_applied(appliance)
        if self._luck.random() < 0.5:
            await appliance.stop()
        await appliance.kill()


def files_of(folder: Path) -> dict[str, bytes]:
    """The databases below a folder by their path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.name.endswith(KEPT)}


def _drawn(traffic: Traffic, known: dict[bytes, Delivery]) -> Iterator[Delivery]:
    for _ in range(BODIES):
        delivery = traffic.delivery()
        known[hashlib.sha256(delivery.body).digest()] = delivery
        yield delivery
