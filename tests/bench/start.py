"""How fast the appliance answers after exec, and what it weighs idle with 20 workspaces."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.installation import install, resident_megabytes, served
from tests.bench.machine import cpu_seconds
from tests.bench.options import Options

ROUNDS = 5
# Seconds for a start of which nothing is taken: it leaves modules and templates compiled, as an installed package has
# them from the beginning.
TO_COMPILE = 15


def measure(options: Options) -> dict[str, object]:
    rounds, workspaces = (1, 2) if options.quick else (ROUNDS, 20)
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data", workspaces=workspaces)
        with served(installed.data_dir):
            time.sleep(0 if options.quick else TO_COMPILE)
        seconds, worked, megabytes = [], [], []
        for _ in range(rounds):
            with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
                worked.append(cpu_seconds(process.pid))
                seconds.append(process.seconds_to_ready)
                time.sleep(1 if options.quick else 4)
                megabytes.append(resident_megabytes(process.pid))
    python = _python_itself(rounds)
    ready = statistics.median(seconds)
    return {"ready_seconds": round(ready, 3), "ready_seconds_worst": round(max(seconds), 3),
            "ready_cpu_seconds": round(statistics.median(worked), 2),
            "idle_rss_mb": statistics.median(megabytes), "workspaces": workspaces,
            "baseline_python_itself_seconds": round(python, 3), "ratio": round(ready / python, 1),
            "must": {"ready_seconds": 1.2, "idle_rss_mb": 110},
            "reached": ready <= 1.2 and statistics.median(megabytes) <= 110}


def _python_itself(rounds: int) -> float:
    found = []
    for _ in range(rounds):
        begun = time.monotonic()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        found.append(time.monotonic() - begun)
    return statistics.median(found)
