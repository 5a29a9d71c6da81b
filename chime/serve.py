"""Running the appliance: the server, its signals, systemd's notifications, and the demo.

SIGTERM says goodbye to every open stream first (uvicorn would wait for browsers to leave), then stops taking
requests, drains jobs, and ends with 0 well within 20 seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import IO

import uvicorn
from litestar import Litestar

from chime.app import build, create_app
from chime.config import Config
from chime.connections import Door, Limits, tune
from chime.db import StorageUnavailable
from chime.errors import StartRefused
from chime.log import Log
from chime.web.services import Services
from chime.workspaces import KeyRing, create_control
from chime.workspaces.provision import check_control

_log = Log("serve")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, services: Services, hang_up: list[Callable[[], None]]) -> None:
        super().__init__(config)
        self._services = services
        self._hang_up = hang_up
        self._loop = asyncio.get_running_loop()
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's own: that raises the signal again when all is closed, and we would end by it instead of with 0.
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        notify(self._services.config, "STOPPING=1")
        self._loop.call_soon_threadsafe(self._end_streams)

    def _end_streams(self) -> None:
        self._services.hub.close()
        for hang_up in self._hang_up:
            hang_up()


Started = Callable[[Services], Awaitable[None]]
MakeApp = Callable[[Services], Litestar]


async def run(config: Config, keys: KeyRing, sock: socket.socket, make_app: MakeApp,
              started: Started | None) -> None:
    """Serve until a signal. `started` is called when the port answers."""
    lock = only_one(config.data_dir)
    try:
        services = await build(config, keys)
        app = make_app(services)
        settle_memory()
        server = _Server(server_config(config, app), services, app.state.get("hang_up", []))
        serving = asyncio.create_task(server.serve([sock]))
        listening = asyncio.create_task(server.listening.wait())
        await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if server.started:
            _log.info("serve.ready", address=address_of(sock))
            notify(config, "READY=1")
            watchdog = asyncio.create_task(_watchdog(config))
            if started is not None:
                await started(services)
            await serving
            watchdog.cancel()
        else:
            await serving
    finally:
        lock.close()


def settle_memory() -> None:
    """What is loaded now stays for the life of the process: the collector need not look at it again, nor look as often
    as its defaults say while each webhook makes and drops some dozens of objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def server_config(config: Config, app: Litestar, limits: Limits | None = None) -> uvicorn.Config:
    """How the appliance is served: limits, time-outs, and whose word about the caller's address is believed."""
    return uvicorn.Config(
        app, loop="uvloop", http=Door(limits).protocol, ws="none", access_log=False, server_header=False,
        date_header=True, log_level="warning", log_config=None, backlog=2048, timeout_graceful_shutdown=5,
        proxy_headers=True, lifespan="on",
        forwarded_allow_ips=",".join(str(network) for network in config.trusted_proxies))


def listen(config: Config) -> socket.socket:
    """Take the port. Raises StartRefused when it is taken."""
    family = socket.AF_INET6 if ":" in config.bind_host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on and small answers wait 40 ms for an acknowledgement.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tune(sock)
    try:
        sock.bind((config.bind_host, config.bind_port))
    except OSError as error:
        sock.close()
        raise StartRefused(f"CHIME_BIND: cannot listen on {config.bind_host}:{config.bind_port} "
                           f"({error.strerror})") from error
    return sock


def address_of(sock: socket.socket) -> str:
    """The address a browser on this machine uses."""
    host, port = sock.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def only_one(data_dir: Path) -> IO[str]:
    """Two appliances on one data folder would both send every queued message. Raises StartRefused for the second."""
    file = (data_dir / ".lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StartRefused(f"another Chime is running on {data_dir}") from error
    return file


def prepare(config: Config, keys: KeyRing) -> None:
    """Check the key and bring control.db up to date. Raises StartRefused, having touched nothing, when it can't be."""
    try:
        if check_control(config.data_dir, keys):
            create_control(config.data_dir, keys)
    except StorageUnavailable as error:
        raise StartRefused(str(error)) from error


def start(config: Config, keys: KeyRing, *, sock: socket.socket | None = None, make_app: MakeApp = create_app,
          started: Started | None = None) -> None:
    """Block until the appliance ends. Raises StartRefused when the port or the data folder is in use."""
    sock = sock or listen(config)
    # Threads of the journal give the loop back quickly (performance.md 2.5).
    sys.setswitchinterval(0.0005)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(config, keys, sock, make_app, started))


async def _watchdog(config: Config) -> None:
    """Tell systemd we are alive, as often as it asks for; the loop being stuck is what it is for."""
    while config.watchdog_microseconds:
        notify(config, "WATCHDOG=1")
        await asyncio.sleep(config.watchdog_microseconds / 1e6 / 3)


def notify(config: Config, state: str) -> None:
    """sd_notify; nothing when not under systemd."""
    path = config.notify_socket
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(address)
            sock.sendall(state.encode())
        except OSError:
            _log.warning("serve.notify_failed")
