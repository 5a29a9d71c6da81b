"""The HTTP server of the tests: uvicorn, ending when it is told to.

Uvicorn looks ten times a second whether it shall end, and waits a tenth of a second before it looks for the first time
whether its connections are gone. A few thousand worlds of two servers each waited half an hour for that.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import uvicorn

A_MOMENT = 0.005


class PromptServer(uvicorn.Server):
    """The same steps in the same order as uvicorn's own."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._told = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._told.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        seconds = 0
        while not await self.on_tick(seconds * 10):  # of which every tenth writes the header `date` anew
            seconds += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:
                    await asyncio.sleep(A_MOMENT)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel()
        await self.lifespan.shutdown()
