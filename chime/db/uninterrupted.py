"""Steps that are not left half done: whoever waits for one may be given up (a client hung up, the service ends), and
the step goes to its end all the same before anybody hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(step: Awaitable[T]) -> T:
    """What the step gives. When we are cancelled meanwhile, however often, it is waited for first: what it holds (a
    writer's lock, files that are being closed) is nobody else's before it is done with it."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise
