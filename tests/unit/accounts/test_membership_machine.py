"""INV-1..3 and the rule of giving, over random lives of three workspaces: an invitation opens no other workspace, for
no other address, and not twice; nobody acts without an active membership at the moment of the commit; nobody ends up
with more than the one who acted held; no workspace loses its last owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.accounts.machine import Town, settled


@pytest.mark.parametrize("steps", [
    2_500, pytest.param(50_000, marks=[pytest.mark.nightly, pytest.mark.timeout(3_600)])])
async def test_random_lives(tmp_path: Path, steps: int) -> None:
    town = await settled(tmp_path / "data", seed=4)
    try:
        for _ in range(steps):
            await town.step()
    finally:
        await town.control.close()
    lazy = {verb for verb in Town.VERBS if not town.done.get(verb) or not town.refused.get(verb)}
    seldom = {"drop_role"} if steps > 2_500 else {"drop_role", "resend"}
    assert not lazy - seldom, f"never done or never refused: {lazy} {town.done} {town.refused}"
