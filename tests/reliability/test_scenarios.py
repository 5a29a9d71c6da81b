"""Every scenario in its three tiers. Seeds are fixed: a run that fails can be run again as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.scenario import Options, Scenario, named, names, perform

SEED = 20261121
# What draws its faults and looks at what became of them, whenever that is; the rest measures or has moments to keep.
IN_COMPANY = {"batches-with-poison", "error-table", "mutated-bodies", "power-cut", "statuses-all-orders"}
NAMES = [name if name in IN_COMPANY else pytest.param(name, marks=pytest.mark.alone) for name in names()]


def _holds(scenario: Scenario, rounds: int, folder: Path) -> None:
    outcome = perform(scenario, Options(rounds, SEED, folder))
    assert outcome.faults == [], outcome


@pytest.mark.timeout(290)
@pytest.mark.parametrize("name", NAMES)
def test_short(name: str, tmp_path: Path) -> None:
    scenario = named(name)
    _holds(scenario, scenario.short, tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("name", NAMES)
def test_nightly(name: str, tmp_path: Path) -> None:
    scenario = named(name)
    _holds(scenario, scenario.nightly, tmp_path)


@pytest.mark.release
@pytest.mark.timeout(48 * 3600)
@pytest.mark.parametrize("name", NAMES)
def test_release(name: str, tmp_path: Path) -> None:
    scenario = named(name)
    _holds(scenario, scenario.release, tmp_path)
