"""A second `chime serve` on one data directory says so in one line and ends; the first goes on.

Each round tries another port, the same port, or the folder by another name, beside a first process that was started
anew or after a kill.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

from tests.reliability.appliance import Appliance
from tests.reliability.checker import not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.senders import Sender
from tests.reliability.traffic import Effects, Traffic
from tests.support.processes import free_port

SHORT, NIGHTLY, RELEASE = 3, 40, 40
ENDS_IN = 10.0
WAYS = ("another port", "the same port", "another name")


async def run(options: Options) -> Outcome:
    watch, luck = Watch("two-processes", options), options.luck()
    slowest = 0.0
    async with Appliance.install(options.folder) as appliance:
        traffic = Traffic(appliance.numbers, luck)
        sender = Sender(appliance.port, appliance.webhook_path, luck)
        other_name = options.folder / "other-name"
        other_name.symlink_to(appliance.data_dir)
        for number in range(options.rounds):
            if not appliance.runs:
                await appliance.start()
            way = WAYS[number % len(WAYS)]
            log = options.folder / f"{number}.log"
            seconds, _ = await asyncio.gather(
                _second(watch, appliance, way, other_name, log),
                sender.at_rate((traffic.delivery() for _ in range(100)), 100))
            slowest = max(slowest, seconds)
            watch.faults += _said(log, way)
            watch.expect(await appliance.is_ready(), f"{way}: the first is not ready any more")
            if luck.random() < 0.5:
                await appliance.kill()
        if not appliance.runs:
            await appliance.start()
        await sender.settled()
        await until_applied(appliance)
        watch.faults += sender.unusual()
        await sender.close()
        await appliance.kill()
        with opened(appliance) as files:
            watch.faults += unsound(files) + unaccounted(files)
            watch.faults += not_in_effect(files.workspaces[0], Effects(traffic.facts), "the workspace")
    watch.figures["refused_after_seconds"] = round(slowest, 2)
    return watch.outcome()


async def _second(watch: Watch, appliance: Appliance, way: str, other_name: Path, log: Path) -> float:
    """Start a second one and see it end; the seconds that took."""
    begun = time.monotonic()
    folder = other_name if way == "another name" else appliance.data_dir
    second = appliance.spawn(log, appliance.port if way == "the same port" else free_port(), folder=folder)
    try:
        status = await asyncio.to_thread(second.wait, ENDS_IN)
    except subprocess.TimeoutExpired:
        second.kill()
        second.wait()
        watch.faults.append(f"{way}: a second process serves as well")
        return ENDS_IN
    watch.expect(status != 0, f"{way}: the second ends with status 0")
    return time.monotonic() - begun


def _said(log: Path, way: str) -> list[str]:
    said = log.read_text("utf-8").strip().splitlines()
    return [] if len(said) == 1 and "Traceback" not in said[0] else [f"{way}: the second says {said}"]
