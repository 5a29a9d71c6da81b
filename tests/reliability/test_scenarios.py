"""Every scenario in its three tiers. Seeds are fixed: a run that fails can be run again as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.scenario import Options, found, perform

SEED = 20261121
SCENARIOS = found()


def _holds(name: str, rounds: int, folder: Path) -> None:
    outcome = perform(SCENARIOS[name], Options(rounds, SEED, folder))
    assert outcome.faults == [], outcome


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", SCENARIOS)
def test_short(name: str, tmp_path: Path) -> None:
    _holds(name, SCENARIOS[name].short, tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("name", SCENARIOS)
def test_nightly(name: str, tmp_path: Path) -> None:
    _holds(name, SCENARIOS[name].nightly, tmp_path)


@pytest.mark.release
@pytest.mark.timeout(48 * 3600)
@pytest.mark.parametrize("name", SCENARIOS)
def test_release(name: str, tmp_path: Path) -> None:
    _holds(name, SCENARIOS[name].release, tmp_path)
