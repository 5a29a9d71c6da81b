"""Fixtures every test may use."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chime import log
from tests.support import known_signatures, made_once
from tests.support.world import World, make_installation, running_world

# As `chime serve` sets it: each world makes some hundred thousand objects at once, and looking through all of them
# again and again was a third of its time.
gc.set_threshold(20_000, 20, 50)
known_signatures.keep()
made_once.keep()

# What measures, or breaks a process and waits for it, shares the machine badly; so does what needs the built archive.
ALONE = ("package/test_proxies.py", "package/test_socket.py", "package/test_systemd.py", "package/test_upgrade.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before `-m` chooses."""
    for item in items:
        if item.get_closest_marker("package") is not None or item.path.as_posix().endswith(ALONE):
            item.add_marker("alone")


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
