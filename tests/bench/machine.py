"""The machine a figure was taken on; no figure means anything without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from sqlcipher3 import dbapi2


def description() -> dict[str, object]:
    """Cores, processor, memory, kernel, versions."""
    return {"cores": len(os.sched_getaffinity(0)), "processor": _processor(), "memory_gb": _memory_gb(),
            "kernel": platform.release(), "python": platform.python_version(), "sqlite": dbapi2.sqlite_version,
            "load_before": round(os.getloadavg()[0], 2)}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used so far; steadier than any rate on a machine with neighbours."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
