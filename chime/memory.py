"""The memory of the process: nobody else sees it, the collector looks at little of it, and what it needed once goes
back to the machine.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import resource
from collections.abc import Awaitable, Callable
from contextlib import suppress

from chime.config import Config

_PR_SET_DUMPABLE = 4
_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3
LARGE = 128 * 1024
GIVEN_BACK_EVERY = 300.0


def settle_memory() -> None:
    """What is loaded now stays for the life of the process: the collector need not look at it again, nor look as often
    as its defaults say while each webhook makes and drops some dozens of objects. After a start with the collector off
    it does not look first: a third of a megabyte to give back is not worth a tenth of the time. Where it was on, there
    may be an appliance that ended, and everything it was made of goes."""
    if gc.isenabled():
        gc.unfreeze()
        gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def keep_memory_private(config: Config) -> None:
    """No core file gets to see the keys that are in memory; nor, as a service, another process of the same user (at a
    shell that would be whoever looks after it). Where the kernel does not know how, it stays as it is."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not config.notify_socket:
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def keep_memory_together() -> None:
    """glibc gives threads stores of memory of their own, up to eight for each processor, and what was freed in one is
    of no use to the others: after the first backup of 1,000 workspaces 34 MB lay there, and with two stores still some
    more after each hour's. And once a large piece was freed it lays the next ones among the small ones, where they
    leave holes; from `LARGE` on each goes as it came. To be said before any thread is made; where the C library is
    another, there is nothing to say."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, LARGE)


async def give_back_memory(spare: Callable[[], Awaitable[None]]) -> None:
    """For ever: what is not needed lately (`spare` lets go of it), what the hour's backup, a large page or a burst
    needed goes back to the machine. glibc keeps what lies between pieces in use, so that a process which needs no more
    is a megabyte larger after each such hour; and what only the collector finds would lie there for an hour. Ten to
    twenty milliseconds of the loop for that and as many of a thread, hence not more often."""
    while True:
        await asyncio.sleep(GIVEN_BACK_EVERY)
        await spare()
        gc.collect()
        await asyncio.to_thread(_trim)


def _trim() -> None:
    with suppress(OSError, AttributeError):  # another C library gives back as it likes
        ctypes.CDLL(None).malloc_trim(0)
