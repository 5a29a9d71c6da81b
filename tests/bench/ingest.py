"""Signed single-message posts, durably journalled in an encrypted file, against a bare handler on the same server; and
a steady stream of them beside a backup-sized read and a bulk update."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import neighbours
from tests.bench.bodies import messages
from tests.bench.installation import ROOT, Process, install, served
from tests.bench.load import run_load
from tests.bench.machine import cpu_seconds
from tests.bench.options import Options
from tests.support.world import free_port

ROUNDS = 5
POSTS = 16_000
CONNECTIONS = 64
# With slow flushes 64 senders would mostly wait for the disk, and the figure would be theirs and not the server's.
CONNECTIONS_AT_A_SLOW_DISK = 256
STEADY_RATE = 320
STEADY_SECONDS = 60
REPEATED = 0.1


def measure(options: Options) -> dict[str, object]:
    bare, durable = _in_turns(options)
    steady = _steady(options)
    ratio = statistics.median(one["rate"] for one in durable) / statistics.median(one["rate"] for one in bare)
    worst = statistics.median(one["p99_ms"] for one in durable)
    must = {"ratio": 0.2 if options.fsync_ms else 0.3, "p99_ms": 250, "steady_p50_ms": 20, "steady_p99_ms": 100}
    return {"durable_posts_per_second": round(statistics.median(one["rate"] for one in durable)),
            "baseline_bare_handler_per_second": round(statistics.median(one["rate"] for one in bare)),
            "connections": _connections(options),
            "ratio": round(ratio, 3), "ratios": [round(a["rate"] / b["rate"], 3) for a, b in zip(durable, bare,
                                                                                                  strict=True)],
            "p99_ms": round(worst, 1),
            "cpu_microseconds_per_post": round(statistics.median(one["cpu"] for one in durable)),
            "baseline_cpu_microseconds": round(statistics.median(one["cpu"] for one in bare)), **steady, "must": must,
            "reached": ratio >= must["ratio"] and worst < must["p99_ms"]
            and steady["steady_p50_ms"] <= must["steady_p50_ms"] and steady["steady_p99_ms"] <= must["steady_p99_ms"]}


def _connections(options: Options) -> int:
    return CONNECTIONS_AT_A_SLOW_DISK if options.fsync_ms else CONNECTIONS


def _in_turns(options: Options) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """The two taken one after the other, several times: the machine's mood changes, their ratio much less."""
    bare, durable = [], []
    posts = 1_000 if options.quick else POSTS
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        for index in range(1 if options.quick else ROUNDS):
            with bare_server() as (port, pid):
                bare.append(_load(port, pid, messages("/", posts, "bare"), _connections(options)))
            with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
                durable.append(_load(process.port, process.pid,
                                     messages(installed.webhook_path, posts, f"run{index}"), _connections(options)))
    return bare, durable


def _load(port: int, pid: int, requests: list[bytes], connections: int) -> dict[str, float]:
    before = cpu_seconds(pid)
    found = run_load("closed", port, connections, requests)
    if found["statuses"] != {"200": len(requests)}:
        raise RuntimeError(f"not every post was taken: {found['statuses']}")
    return {"rate": found["rate"], "p99_ms": found["p99_ms"],
            "cpu": (cpu_seconds(pid) - before) / len(requests) * 1e6}


def _steady(options: Options) -> dict[str, float]:
    """320 a second, one in ten repeated, while a neighbour reads everything and updates in bulk."""
    seconds = options.lasting(STEADY_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        asyncio.run(neighbours.fill(installed.data_dir, installed.workspace_id, 500 if options.quick else 20_000))
        requests = messages(installed.webhook_path, int(STEADY_RATE * seconds * (1 - REPEATED)), "steady")
        luck = random.Random(7)
        requests += luck.choices(requests, k=STEADY_RATE * seconds - len(requests))
        luck.shuffle(requests)
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
            beside = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.neighbours", str(installed.data_dir), installed.workspace_id,
                 str(seconds)], cwd=ROOT, env={**os.environ, **process.disk}, stdout=subprocess.PIPE)
            found = run_load("open", process.port, CONNECTIONS, requests, STEADY_RATE)
            told = json.loads(beside.communicate()[0])
            _check(process, found["statuses"], len(requests))
    return {"steady_rate": STEADY_RATE, "steady_seconds": seconds, "steady_p50_ms": round(found["p50_ms"], 1),
            "steady_p99_ms": round(found["p99_ms"], 1), "steady_max_ms": round(found["max_ms"], 1), **told}


def _check(process: Process, statuses: dict[str, int], expected: int) -> None:
    if statuses != {"200": expected}:
        raise RuntimeError(f"not every post was taken: {statuses}")


@contextmanager
def bare_server() -> Iterator[tuple[int, int]]:
    """Port and process id of the yardstick."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare", str(port)], cwd=ROOT)
    try:
        for _ in range(500):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()
