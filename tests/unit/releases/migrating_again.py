"""Brings an installation up to date in a process that is killed: `python -m … DATA MORE`.

It says `ready`, then reads seconds, a number on a line: each time a child begins to migrate and is killed after so
long, if it is not done before; `killed` or `done` and the seconds it had are said then. MORE holds the steps that the
installation lacks, in a folder for each kind of file. The child is forked, so that a round costs no start of Python.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import select
import signal
import sys
import time
from pathlib import Path

import msgspec

import chime.db.migrate
from chime.config import Config, load
from chime.db import Kind
from chime.releases.migrating import bring_up_to_date
from tests.support.world import MASTER_KEY

FAILED = 3


def _migrate(config: Config) -> int:
    found = asyncio.run(bring_up_to_date(config, check_only=False, progress=lambda done, of: None))
    return FAILED if -1 in found.values() else 0


def _killed(config: Config, seconds: float) -> str:
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        status = FAILED
        try:
            status = _migrate(config)
        finally:
            os._exit(status)
    ended = os.pidfd_open(pid)
    try:
        if not select.select([ended], [], [], seconds)[0]:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(ended)
    said = {0: "done", -signal.SIGKILL: "killed"}.get(os.waitstatus_to_exitcode(status), "failed")
    return f"{said} {time.monotonic() - begun:.4f}"


def main() -> None:
    data_dir, more = Path(sys.argv[1]), Path(sys.argv[2])
    for kind in Kind:
        importlib.import_module(f"migrations.{kind.value}").__path__.append(str(more / kind.value))
        assert any("later" in name for name in chime.db.migrate.names(kind))
    importlib.import_module("sqlite_utils")
    config = msgspec.structs.replace(load(data=str(data_dir), environment={}), master_key=MASTER_KEY)
    print("ready", flush=True)
    for line in sys.stdin:
        print(_killed(config, float(line)), flush=True)


if __name__ == "__main__":
    main()
