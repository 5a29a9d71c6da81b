"""Run one benchmark by name and print what it found as one JSON object.

    python -m tests.bench NAME [--json] [--quick] [--seconds N] [--fsync-ms 5]
"""

from __future__ import annotations

import argparse
import importlib
import json

from tests.bench.machine import description
from tests.bench.options import Options

NAMES = ("start", "ingest", "batch", "burst", "send", "live", "inbox", "agents", "search", "workspaces", "backup",
         "soak")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of indented")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--seconds", type=int, default=0, help="of the parts that last")
    parser.add_argument("--fsync-ms", type=float, default=0.0, help="added to each flush to disk")
    given = parser.parse_args()
    machine = description()
    found = importlib.import_module(f"tests.bench.{given.name}").measure(
        Options(quick=given.quick, seconds=given.seconds, fsync_ms=given.fsync_ms))
    print(json.dumps({"benchmark": given.name, "fsync_ms_added": given.fsync_ms, **found, "machine": machine},
                     indent=None if given.json else 2))


if __name__ == "__main__":
    main()
