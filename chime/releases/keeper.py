"""`chime keep`: the current release, kept running where there is no systemd, as in a container.

It holds the listening socket and hands it to each process it starts, so that connections wait while one release ends
and the next begins. SIGHUP restarts, SIGTERM ends both. Promise: all that it needs is loaded when it starts, so it
survives the release it came from; what it started has ended when it ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress

from chime.clock import Clock
from chime.config import Config, for_children
from chime.errors import StartRefused
from chime.log import Log
from chime.releases.children import program
from chime.releases.restarting import keeper, keeper_file
from chime.releases.settle import settle_at_start
from chime.releases.shelf import Shelf

DRAIN = 30.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_LONG_ENOUGH = 60.0
# systemd's way of handing over a socket: number 3, and the process must see that it is meant.
_HANDED = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
_FIRST = 3
_log = Log("keeper")


class Keeper:
    """Of one shelf's service, on a socket that listens already."""

    def __init__(self, shelf: Shelf, config: Config, sock: socket.socket, arguments: list[str]) -> None:
        self._shelf = shelf
        self._arguments = arguments
        self._environment = for_children(config)
        self._sock = sock
        self._clock = Clock()
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM. Raises StartRefused when there is nothing to keep, or somebody else does."""
        if not self._shelf.current:
            raise StartRefused(f"{self._shelf.root}/current leads to no release; `chime upgrade FILE` lays one out")
        if keeper(self._shelf) not in (0, os.getpid()):
            raise StartRefused(f"another `chime keep` keeps {self._shelf.root}")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._wanted.set)
        keeper_file(self._shelf).write_text(f"{os.getpid()}\n", "ascii")
        try:
            await self._keep()
        finally:
            keeper_file(self._shelf).unlink(missing_ok=True)

    def _end(self) -> None:
        self._ending = True
        self._wanted.set()

    async def _keep(self) -> None:
        short_lives = 0
        while not self._ending:
            self._wanted.clear()
            begun = self._clock.monotonic()
            process = await self._start()
            asked = asyncio.create_task(self._wanted.wait())
            ended = asyncio.create_task(process.wait())
            await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._stop(process)
                short_lives = 0
            elif not asked.done():
                lived = self._clock.monotonic() - begun
                short_lives = 0 if lived > _LONG_ENOUGH else min(short_lives + 1, len(_PAUSES))
                _log.warning("keeper.it_ended", status=process.returncode or 0, seconds=round(lived))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), _PAUSES[max(0, short_lives - 1)])
            asked.cancel()
            await ended

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            await asyncio.to_thread(settle_at_start, self._shelf, self._clock.real_now())
        except (StartRefused, OSError) as error:
            _log.error("keeper.not_settled", error)
        listening = self._sock.fileno()
        return await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", _HANDED, "chime", *program(self._shelf, self._shelf.current), "serve", *self._arguments,
            env=self._environment, stdin=asyncio.subprocess.DEVNULL, close_fds=False,
            preexec_fn=lambda: _hand_over(listening))

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), DRAIN)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _hand_over(listening: int) -> None:
    """In the new process, before it becomes a release."""
    if listening == _FIRST:
        os.set_inheritable(_FIRST, True)
    else:
        os.dup2(listening, _FIRST)
