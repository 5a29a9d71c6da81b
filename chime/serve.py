"""Running the appliance: the server, its signals, systemd's notifications, and the demo.

SIGTERM says goodbye to every open stream first (uvicorn would wait for browsers to leave), then stops taking
requests, drains jobs, and ends with 0 well within 20 seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, Any

import uvicorn
from litestar import Litestar

from chime.app import build, create_app
from chime.config import Config
from chime.connections import Door, Limits, most_connections, tune
from chime.db import StorageUnavailable
from chime.errors import StartRefused
from chime.log import Log
from chime.memory import give_back_memory, keep_memory_private, keep_memory_together, settle_memory
from chime.web.health import touch_storage
from chime.web.services import Services
from chime.workspaces import KeyRing, create_control
from chime.workspaces.kept_settings import settled_anew
from chime.workspaces.provision import check_control

_log = Log("serve")
_FIRST_INHERITED = 3


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, services: Services, hang_up: list[Callable[[], None]]) -> None:
        super().__init__(config)
        self._services = services
        self._hang_up = hang_up
        self._loop = asyncio.get_running_loop()
        self._closed = asyncio.Event()
        self.listening = asyncio.Event()
        self.begins_again = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def begin_again(self) -> None:
        """End as on a signal, to be put together anew in this process; returns when nobody is let in any more. Whoever
        calls from then on waits in the line of the socket for who comes next."""
        self.begins_again = self.should_exit = True
        self._end_streams()
        await self._closed.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._closed.set()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.begins_again = False
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


class _Waiting(uvicorn.Server):
    """Serves until a signal, or until there is an installation."""

    def __init__(self, config: uvicorn.Config, own: Config, closed: asyncio.Event) -> None:
        super().__init__(config)
        self._own = own
        self._closed = closed
        self.asked_to_stop = False
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.asked_to_stop = self.should_exit = True
        notify(self._own, "STOPPING=1")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._closed.set()
        await super().shutdown(sockets)


Started = Callable[[Services], Awaitable[None]]
MakeApp = Callable[[Services], Litestar]
# What is served until its end comes.
Interim = tuple[Litestar, Coroutine[Any, Any, None]]


async def run(config: Config, keys: KeyRing, sock: socket.socket, make_app: MakeApp,
              started: Started | None) -> bool:
    """Serve until a signal; True when somebody asked for a beginning with other options. On a copy of the socket, so
    that it outlives us. `started` is called when the port answers."""
    lock = only_one(config.data_dir)
    try:
        # A command may have replaced keys until it let go of the lock; from here on it is we who do.
        keys.refresh()
        services = await build(config, keys)
        app = make_app(services)
        settle_memory()
        server = _Server(server_config(config, app), services, app.state.get("hang_up", []))
        if not config.demo:
            app.state.begin_again = server.begin_again
        serving = asyncio.create_task(server.serve([sock.dup()]))
        listening = asyncio.create_task(server.listening.wait())
        await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if server.started:
            _log.info("serve.ready", address=address_of(sock))
            notify(config, "READY=1")
            watchdog = asyncio.create_task(_watchdog(config, lambda: storage_answers(services)))
            services.supervisor.run("memory", partial(give_back_memory, services.registry.forget_pages))
            if started is not None:
                await started(services)
            await serving
            watchdog.cancel()
        else:
            await serving
        return server.begins_again
    finally:
        lock.close()


async def wait_until(config: Config, sock: socket.socket,
                     make: Callable[[asyncio.Event], Interim]) -> bool:
    """Serve what stands where the appliance will, until its end comes; False when a signal ended it. On a copy of the
    socket: whoever calls in between waits in the line for the appliance, and is not refused. The event `make` is given
    comes when nobody is let in any more. Raises StartRefused."""
    lock, closed = only_one(config.data_dir), asyncio.Event()
    try:
        app, over = make(closed)
        # Whoever calls after the end is to find the appliance, also on a connection that is kept.
        limits = Limits(most=most_connections(), last_moment=0.0)
        server = _Waiting(server_config(config, app, limits), config, closed)
        serving = asyncio.create_task(server.serve([sock.dup()]))
        await asyncio.wait({serving, asyncio.create_task(server.listening.wait())},
                           return_when=asyncio.FIRST_COMPLETED)
        notify(config, "READY=1")
        watchdog, ending = asyncio.create_task(_watchdog(config)), asyncio.create_task(over)
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        for task in (ending, watchdog):
            task.cancel()
        return not server.asked_to_stop
    finally:
        lock.close()


def server_config(config: Config, app: Litestar, limits: Limits | None = None) -> uvicorn.Config:
    """How the appliance is served: limits and time-outs."""
    return uvicorn.Config(
        app, loop="uvloop", http=Door(limits).protocol, ws="none", access_log=False, server_header=False,
        date_header=True, log_level="warning", log_config=None, backlog=2048, timeout_graceful_shutdown=5,
        # chime.web.proxies alone decides whose word about the caller's address is believed.
        proxy_headers=False, lifespan="on")


def listen(config: Config) -> socket.socket:
    """Take the port, or the socket that systemd holds for us. Raises StartRefused when it is taken."""
    if config.inherited_sockets:
        return _inherited(config)
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


def _inherited(config: Config) -> socket.socket:
    """The listening socket that outlives us: whoever calls while we start anew waits in its line. Raises StartRefused
    when it is not what the configuration asks for."""
    if config.inherited_sockets != 1:
        raise StartRefused(f"LISTEN_FDS: {config.inherited_sockets} sockets were handed over; chime.socket may have "
                           "one ListenStream")
    try:
        sock = socket.socket(fileno=_FIRST_INHERITED)
    except OSError as error:
        raise StartRefused("LISTEN_FDS: no socket was handed over") from error
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        raise StartRefused("LISTEN_FDS: chime.socket listens on something else than ADDRESS:PORT")
    asked = next((setting for setting in config.settings if setting.option.name == "bind"), None)
    if asked and asked.source != "default" and sock.getsockname()[:2] != (config.bind_host, config.bind_port):
        raise StartRefused(f"CHIME_BIND: asks for {asked.value}, but chime.socket holds {address_of(sock)}: change it "
                           "by `systemctl edit chime.socket`, or mask it and let Chime listen by itself")
    sock.set_inheritable(False)
    tune(sock)
    return sock


def address_of(sock: socket.socket) -> str:
    """The address a browser on this machine uses."""
    host, port = sock.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def only_one(data_dir: Path) -> IO[str]:
    """Two appliances on one data folder would both send every queued message. Raises StartRefused for the second."""
    descriptor = os.open(data_dir / ".lock", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(descriptor, 0o600)  # one that an older Chime made
    file: IO[str] = os.fdopen(descriptor, "a")
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
    keep_memory_private(config)
    keep_memory_together()
    sock = sock or listen(config)
    # Threads of the journal give the loop back quickly (performance.md 2.5).
    sys.setswitchinterval(0.0005)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while runner.run(run(config, keys, sock, make_app, started)):
            config = settled_anew(config)
            _log.info("serve.begins_again")
    sock.close()


async def _watchdog(config: Config, answers: Callable[[], Coroutine[Any, Any, bool]] | None = None) -> None:
    """Tell systemd we are alive, as often as it asks for. It starts us anew when the loop is stuck, and when storage
    does not do what `answers` asks of it: one question at a time, however long the answer takes."""
    pause = config.watchdog_microseconds / 1e6 / 3
    asked: asyncio.Task[bool] | None = None
    while pause:
        if answers is not None:
            asked = asked or asyncio.create_task(answers())
            await asyncio.wait({asked}, timeout=pause)
        if asked is None or (asked.done() and asked.result()):
            notify(config, "WATCHDOG=1")
        elif not asked.done():
            _log.error("serve.storage_silent")
        asked = None if asked is None or asked.done() else asked
        await asyncio.sleep(pause)


async def storage_answers(services: Services) -> bool:
    """Whether control.db takes a row. With a disk that is nearly full, whether it can be read: starting anew would make
    no room, and what is there shall be seen."""
    try:
        if services.registry.space.enough:
            await touch_storage(services)
        else:
            await services.control.db.value("SELECT count(*) FROM meta")
    except Exception as error:  # whatever it is, storage does not work
        _log.error("serve.storage_failed", error)
        return False
    return True


def notify(config: Config, state: str) -> None:
    """sd_notify; nothing when not under systemd."""
    path = config.notify_socket
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)  # one who does not listen must not hold us up
        try:
            sock.connect(address)
            sock.sendall(state.encode())
        except OSError:
            _log.warning("serve.notify_failed")
