"""Run one benchmark by name and print what it found as one JSON object."""

from __future__ import annotations

import argparse
import importlib
import json

NAMES = ("start", "ingest", "live", "inbox")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of indented")
    options = parser.parse_args()
    found = importlib.import_module(f"tests.bench.{options.name}").measure()
    print(json.dumps({"benchmark": options.name, **found}, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
