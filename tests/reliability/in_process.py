"""Chime served from a thread of the test's own process, for deadlines too long to wait for in a short run.

Everything else is as in `chime serve`: the real files, the real server, real sockets.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import uvicorn
import uvloop

from chime.app import build, create_app
from chime.connections import Limits
from chime.serve import listen, server_config
from chime.workspaces import open_keys
from tests.reliability.appliance import Appliance
from tests.support.world import MASTER_KEY


@contextmanager
def served_with(appliance: Appliance, limits: Limits) -> Iterator[None]:
    """The appliance's files behind its port, with other limits."""
    ready, servers = threading.Event(), list[uvicorn.Server]()

    async def serve() -> None:
        config = appliance.config
        services = await build(config, open_keys(config.data_dir, MASTER_KEY))
        server = uvicorn.Server(server_config(config, create_app(services), limits))
        servers.append(server)
        sock = listen(msgspec.structs.replace(config, bind_port=appliance.port))
        serving = asyncio.create_task(server.serve([sock]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        ready.set()
        await serving

    thread = threading.Thread(target=uvloop.run, args=(serve(),), name="chime in a thread")
    thread.start()
    try:
        assert ready.wait(30) and servers and servers[0].started, "it did not start"
        yield
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "it did not stop"
