"""One browser for the whole run and one world for each module; all of them live in the session's event loop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.support.browser import CHROMIUM, FLAGS, Pages
from tests.support.processes import CHIME, Program, free_port, started
from tests.support.world import World, running_world

# Other tests share the machine: what comes is not late after five seconds, as Playwright thinks.
expect.set_options(timeout=15_000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        await found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A running Chime for the module: each test brings its own customers and leaves the switches off."""
    async with running_world(installation, tmp_path_factory.mktemp("world") / "data") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def pages(browser: Browser) -> AsyncIterator[Pages]:
    """Windows of the test; what they complained about fails it."""
    found = Pages(browser)
    yield found
    await found.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """`chime demo` on an address of its own, its sample data delivered."""
    folder = tmp_path_factory.mktemp("demo")
    port = free_port()
    with started([*CHIME, "demo", "--bind", f"127.0.0.1:{port}"], folder / "demo.log", port=port, ready="/readyz",
                 extra={"TMPDIR": str(folder)}, cwd=folder) as program:
        deadline = time.monotonic() + 20
        while "sign in with" not in program.output():
            assert program.exit_status is None and time.monotonic() < deadline, program.output()
            time.sleep(0.05)
        yield program
        assert program.terminate() == 0
