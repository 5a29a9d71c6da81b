"""Run one scenario by name: `python -m tests.reliability NAME --rounds N --seed S --json`; without a name, list them.

The exit status is 1 when a promise broke. A run keeps its folder when `--keep` names one.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.reliability.scenario import Options, Outcome, named, names, perform


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.reliability")
    parser.add_argument("name", nargs="?", choices=names(), metavar="NAME")
    parser.add_argument("--rounds", type=int, help="default: the short tier's")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and told in the outcome")
    parser.add_argument("--keep", type=Path, help="an empty or new folder for the installation, kept afterwards")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of indented")
    given = parser.parse_args()
    if given.name is None:
        for scenario in map(named, names()):
            print(f"{scenario.name:24} {scenario.description}")
        return 0
    scenario = named(given.name)
    rounds = given.rounds or scenario.short
    seed = random.randrange(1 << 32) if given.seed is None else given.seed
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
        return _tell(perform(scenario, Options(rounds, seed, given.keep)), given.json)
    with tempfile.TemporaryDirectory(prefix="chime-reliability-") as folder:
        return _tell(perform(scenario, Options(rounds, seed, Path(folder))), given.json)


def _tell(outcome: Outcome, one_line: bool) -> int:
    print(json.dumps(msgspec.to_builtins(outcome), indent=None if one_line else 2))
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
