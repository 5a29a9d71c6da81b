"""What a scenario is: a module with a number of rounds for each tier and a `run` that says which promises broke.

A module below `scenarios/` has a docstring whose first line describes it, `SHORT`, `NIGHTLY` and `RELEASE` (rounds of
each tier) and `run(options) -> Outcome`, a coroutine function or a plain one. Its name with dashes is the scenario's.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import uvloop

from tests.reliability import scenarios
from tests.reliability.secrecy import told_in


class Options(msgspec.Struct, frozen=True):
    """How often, with which luck, and the empty folder to work in."""

    rounds: int
    seed: int
    folder: Path

    def luck(self) -> random.Random:
        """The source of everything that is drawn: the same seed gives the same bodies and moments."""
        return random.Random(self.seed)


class Outcome(msgspec.Struct, kw_only=True):
    """What a run found. `faults` empty: every promise held."""

    scenario: str
    rounds: int
    seed: int
    seconds: float
    figures: dict[str, object]
    faults: list[str]


Run = Callable[[Options], Outcome | Awaitable[Outcome]]


class Scenario(msgspec.Struct, frozen=True):
    """One found module."""

    name: str
    description: str
    short: int
    nightly: int
    release: int
    run: Run


class Watch:
    """Times a run and gathers what it finds."""

    def __init__(self, scenario: str, options: Options) -> None:
        self._scenario = scenario
        self._options = options
        self._begun = time.monotonic()
        self.figures: dict[str, object] = {}
        self.faults: list[str] = []

    def expect(self, held: bool, fault: str) -> None:
        """A promise; its fault when it broke."""
        if not held:
            self.faults.append(fault)

    def outcome(self) -> Outcome:
        return Outcome(scenario=self._scenario, rounds=self._options.rounds, seed=self._options.seed,
                       seconds=round(time.monotonic() - self._begun, 1), figures=self.figures, faults=self.faults)


def names() -> list[str]:
    """The name of every scenario. None of their modules is imported for it."""
    return sorted(info.name.replace("_", "-") for info in pkgutil.iter_modules(scenarios.__path__))


def named(name: str) -> Scenario:
    """Import one; its module does nothing by itself."""
    module = importlib.import_module(f"{scenarios.__name__}.{name.replace('-', '_')}")
    return Scenario(name, (module.__doc__ or "").strip().partition("\n")[0], module.SHORT, module.NIGHTLY,
                    module.RELEASE, module.run)


def perform(scenario: Scenario, options: Options) -> Outcome:
    """Run it to its end, and look through what it left for what may stand there in no case."""
    outcome = _performed(scenario, options)
    begun = time.monotonic()
    outcome.faults += told_in(options.folder)
    outcome.figures["looked_through_in_seconds"] = round(time.monotonic() - begun, 1)
    return outcome


def _performed(scenario: Scenario, options: Options) -> Outcome:
    """On a loop of its own when it is a coroutine."""
    if not inspect.iscoroutinefunction(scenario.run):
        outcome = scenario.run(options)
        assert isinstance(outcome, Outcome)
        return outcome

    async def whole() -> Outcome:
        result = scenario.run(options)
        assert not isinstance(result, Outcome)
        return await result

    return uvloop.run(whole())


def percentile(values: list[float], share: float) -> float:
    """0 of no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
