"""Fixtures every test may use."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chime import log
from tests.support import known_signatures
from tests.support.world import World, make_installation, running_world

# As `chime serve` sets it: each world makes some hundred thousand objects at once, and looking through all of them
# again and again was a third of its time.
gc.set_threshold(20_000, 20, 50)
known_signatures.keep()


@pytest.fixture(autouse=True)
def nothing_slips_to_the_logs_second_net(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the log's net had to mask, somebody handed to the log: in production a counter, here a failure."""
    before = log.net.caught.copy()
    yield
    if request.node.get_closest_marker("log_net") is None:
        assert log.net.caught == before, f"the log masked {dict(log.net.caught - before)}"


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the world, made once; each test gets a copy."""
    folder = tmp_path_factory.mktemp("installation") / "data"
    asyncio.run(make_installation(folder, "http://127.0.0.1:8700"))
    return folder


@pytest.fixture
async def world(installation: Path, tmp_path: Path) -> AsyncIterator[World]:
    """A running Chime with the simulator as its WhatsApp. It takes calls as fast as tests make them."""
    async with running_world(installation, tmp_path / "data") as found:
        yield found


@pytest.fixture
async def limited_world(installation: Path, tmp_path: Path) -> AsyncIterator[World]:
    """The same with the limits that people meet."""
    async with running_world(installation, tmp_path / "data", rate_factor=1) as found:
        yield found
