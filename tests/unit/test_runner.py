"""Jobs run bounded, once at a time, and rest between two runs where their kind says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from chime.clock import Clock
from chime.jobs import JobKind, Runner

APART = 0.15


class Counted:
    """A job that counts its runs, and the moments of them."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.fails = False

    async def run(self, _: Any, object_id: str) -> None:
        self.at.append(asyncio.get_running_loop().time())
        if self.fails:
            raise ValueError("on purpose")


async def nothing_due(*_: Any) -> list[str]:
    return []


def runner_of(counted: Counted, *, apart: float) -> Runner:
    @asynccontextmanager
    async def work(_: str) -> AsyncIterator[Any]:
        yield None

    found = Runner(cast(Any, None), Clock())  # no sweep here
    found.open_work = work
    found.register([JobKind("job", counted.run, nothing_due, apart=apart)])
    return found


async def ask(runner: Runner, times: int, pause: float = 0.0) -> None:
    for _ in range(times):
        assert runner.start("w", "job", "1")
        await asyncio.sleep(pause)


async def test_what_comes_while_a_job_rests_is_done_by_one_run() -> None:
    counted = Counted()
    runner = runner_of(counted, apart=APART)
    await ask(runner, 1)
    await runner.idle()
    assert len(counted.at) == 1, "the first is not kept waiting"
    await ask(runner, 20, 0.001)
    assert len(counted.at) == 1 and runner.holds("w", "job", "1") and runner.busy
    await runner.idle()
    assert len(counted.at) == 2 and counted.at[1] - counted.at[0] >= APART * 0.9


async def test_a_job_that_nobody_asked_for_meanwhile_rests_and_is_at_hand_again() -> None:
    counted = Counted()
    runner = runner_of(counted, apart=0.02)
    await ask(runner, 1)
    await runner.idle()
    await asyncio.sleep(0.1)
    assert len(counted.at) == 1 and not runner.holds("w", "job", "1")
    await ask(runner, 1)
    await runner.idle()
    assert len(counted.at) == 2


async def test_a_failing_job_rests_too_and_runs_again() -> None:
    counted = Counted()
    counted.fails = True
    runner = runner_of(counted, apart=0.05)
    await ask(runner, 2)
    await ask(runner, 2, 0.01)
    await runner.idle()
    assert len(counted.at) == 2 and runner.failed["job"] == 2


@pytest.mark.parametrize("apart", [0.0, APART])
async def test_nothing_runs_after_the_end(apart: float) -> None:
    counted = Counted()
    runner = runner_of(counted, apart=apart)
    await ask(runner, 3, 0.005)
    await runner.stop(1)
    runs = len(counted.at)
    assert not runner.start("w", "job", "1")
    await asyncio.sleep(APART * 2)
    assert len(counted.at) == runs and not runner.busy


async def test_without_a_rest_what_comes_meanwhile_runs_at_once() -> None:
    counted = Counted()
    runner = runner_of(counted, apart=0.0)
    await ask(runner, 2)
    await runner.idle()
    assert len(counted.at) == 2
    assert not runner.holds("w", "job", "1")
