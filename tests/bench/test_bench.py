"""Every benchmark runs and says what it must. No figure is judged here: a busy machine fails no test."""

from __future__ import annotations

import importlib

import pytest

from tests.bench.__main__ import NAMES
from tests.bench.options import Options


@pytest.mark.timeout(170)
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name: str) -> None:
    found = importlib.import_module(f"tests.bench.{name}").measure(Options(quick=True))
    assert found["must"] and isinstance(found["reached"], bool)
    assert any("ratio" in key for key in found) and any("baseline" in key for key in found), found.keys()
