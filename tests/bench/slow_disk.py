"""A part of a benchmark that itself writes durably, as a process of its own: what makes a disk slower stands between a
process and its C library, and can only be put there when the process starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.installation import ROOT
from tests.support.faulty_disk import FaultyDisk


def apart(module: str, *arguments: str, folder: Path, fsync_ms: float,
          environment: Mapping[str, str] | None = None) -> Any:
    """What `python -m MODULE ARGUMENTS` prints last, read as JSON. Each of its flushes below `folder` takes that much
    longer; `environment` is added to its own."""
    extra = dict(environment or {})
    if fsync_ms:
        disk = FaultyDisk(folder)
        disk.switch(fsync_delay_ms=fsync_ms)
        extra |= disk.environment
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, env={**os.environ, **extra},
                          stdout=subprocess.PIPE, check=True)
    if fsync_ms and not disk.fsyncs:
        raise RuntimeError(f"{module} flushed nothing that could have been slower")
    return json.loads(done.stdout.splitlines()[-1])
