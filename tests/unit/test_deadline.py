"""The one deadline of all webhooks in hand: who takes too long is told so, nobody else notices."""

from __future__ import annotations

import asyncio

import pytest

from chime.inbound import deadline
from chime.inbound.deadline import Deadline


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "LOOKS_EVERY", 0.02)


async def bounded(of: Deadline, seconds: float) -> str:
    task = of.begin()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if not of.was_ours(task):
            raise
        return "too slow"
    finally:
        of.end(task)
    return "done"


async def test_who_takes_too_long_is_ended_and_goes_on() -> None:
    of = Deadline(0.1)

    async def twice() -> list[str]:
        return [await bounded(of, 5), await bounded(of, 0)]

    async with asyncio.timeout(2):
        assert await asyncio.gather(twice(), bounded(of, 0.01), bounded(of, 5)) == [
            ["too slow", "done"], "done", "too slow"]


async def test_a_cancellation_by_others_stays_one() -> None:
    of = Deadline(0.1)
    task = asyncio.create_task(bounded(of, 5))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_by_others_at_the_same_time_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "LOOKS_EVERY", 60)
    of = Deadline(0)
    task = asyncio.create_task(bounded(of, 5))
    await asyncio.sleep(0)
    of._look(asyncio.get_running_loop())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_runs_on_when_nothing_is_in_hand() -> None:
    of = Deadline(1.0)
    assert await bounded(of, 0) == "done"
    await asyncio.sleep(0.1)
    assert of._timer is None and not of._since and not of._late
