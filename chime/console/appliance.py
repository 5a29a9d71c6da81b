"""The machine and the process: processor, memory, disk, queue, streams, and every figure that monitors get."""

from __future__ import annotations

import os
import resource
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from chime.errors import ChimeError
from chime.web.services import Services

_MEMORY = Path("/proc/meminfo")
_OWN = Path("/proc/self/statm")


class Appliance(msgspec.Struct, frozen=True, kw_only=True):
    """As it is now. `load` is of the last minute, five and fifteen; None is what this system does not tell."""

    processors: int
    load: tuple[float, float, float]
    memory_all: int | None
    memory_free: int | None
    memory_own: int | None
    memory_most: int
    disk_all: int
    disk_free: int
    disk_enough: bool
    queued: int
    running: int
    streams: int
    open_workspaces: int
    restarts: tuple[tuple[str, int], ...]
    jobs: tuple[tuple[str, int, int], ...]
    figures: tuple[tuple[str, float], ...]


async def appliance(services: Services, gauges: list[Any]) -> Appliance:
    """`gauges` are those of `/metrics`, each from the feature that counts it."""
    disk = shutil.disk_usage(services.control.keys.data_dir)
    runner = services.runner
    memory = _memory()
    figures: dict[str, float] = {}
    for one in gauges:
        # A figure that can't be had now must not cost the others.
        with suppress(ChimeError):
            figures |= await one(services)
    return Appliance(
        processors=os.cpu_count() or 1, load=os.getloadavg(), memory_all=memory.get("MemTotal"),
        memory_free=memory.get("MemAvailable"), memory_own=_own_memory(),
        memory_most=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        disk_all=disk.total, disk_free=disk.free, disk_enough=services.registry.space.enough,
        queued=services.queue.waiting(), running=runner.busy, streams=services.hub.streams,
        open_workspaces=services.registry.open_count,
        restarts=tuple(sorted(services.supervisor.restarts.items())),
        jobs=tuple((kind, runner.finished[kind], runner.failed[kind])
                   for kind in sorted({*runner.finished, *runner.failed})),
        figures=tuple(sorted(figures.items())))


def _memory() -> dict[str, int]:
    """Of the machine, in bytes."""
    found: dict[str, int] = {}
    with suppress(OSError):
        for line in _MEMORY.read_text("ascii").splitlines():
            name, _, rest = line.partition(":")
            amount = rest.split()
            if amount and amount[0].isdigit():
                found[name] = int(amount[0]) * 1024
    return found


def _own_memory() -> int | None:
    """What this process holds now."""
    with suppress(OSError):
        return int(_OWN.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
