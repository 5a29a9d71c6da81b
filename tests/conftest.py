"""Fixtures every test may use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.world import World, make_installation, running_world


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the world, made once; each test gets a copy."""
    folder = tmp_path_factory.mktemp("installation") / "data"
    asyncio.run(make_installation(folder, "http://127.0.0.1:8700"))
    return folder


@pytest.fixture
async def world(installation: Path, tmp_path: Path) -> AsyncIterator[World]:
    """A running Chime with the simulator as its WhatsApp."""
    async with running_world(installation, tmp_path / "data") as found:
        yield found
