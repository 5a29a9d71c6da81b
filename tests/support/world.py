"""A small world: two workspaces, their people, one running Chime and the simulator as its WhatsApp.

Acme has Alice (owner), Mo (manager), Kim (member), Bob (agent), Vera (viewer); Globex has Charlie (owner). Chime and
the simulator each answer on a real loopback port; everything between them is real HTTP and real encrypted files.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn
from litestar import Litestar

from chime import accounts
from chime.app import build, create_app
from chime.channels import NewChannel
from chime.clock import Clock
from chime.config import Config, load
from chime.ids import Ids
from chime.security.passwords import Passwords
from chime.security.permissions import OPERATOR, Role
from chime.security.signatures import signature
from chime.serve import server_config
from chime.setup import connect, initialise, new_api_key, new_workspace, opened
from chime.simulator import Number, Pace, Simulator
from chime.web.services import Services
from chime.workspaces import Workspace, open_keys
from tests.support.made_once import simulator_app
from tests.support.prompt_server import PromptServer

PASSWORD = "correct horse battery staple"
MASTER_KEY = bytes(range(7, 39))
ACME_NUMBER = Number(phone_number_id="411222333444555", waba_id="377001122334455",
                     display_phone_number="+1 555-010-0200", verified_name="Acme")
GLOBEX_NUMBER = Number(phone_number_id="511222333444555", waba_id="577001122334455",
                       display_phone_number="+1 555-010-0300", verified_name="Globex")
APP_SECRET = "an app secret of the tests"
VERIFY_TOKEN = "a verify token of the tests"
# Tests ask faster than people do; those of the limits set it back to 1.
RATE_FACTOR = 1_000
NEVER = 1_000_000_000.0
# Each process of a run that is shared among several has its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = range(10_000 + _WORKER % 4 * 5_000, 15_000 + _WORKER % 4 * 5_000)
# Where Chromium goes nowhere (net::ERR_UNSAFE_PORT), of those above.
UNSAFE = frozenset({10080})
ACCESS_TOKEN = "EAAtestsaccesstokenoftheworld0123456789"
PEOPLE = {"alice": Role.OWNER, "mo": Role.MANAGER, "kim": Role.MEMBER, "bob": Role.AGENT, "vera": Role.VIEWER}


class PassingClock(Clock):
    """A clock whose machine the test can leave alone for a while: sessions, throttles and the product's time agree."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0

    def pass_time(self, milliseconds: int) -> None:
        """So much time goes by, everywhere. (`advance` moves the product's time only, as the demo does.)"""
        self._passed += milliseconds

    def real_now(self) -> int:
        return super().real_now() + self._passed

    def monotonic(self) -> float:
        return super().monotonic() + self._passed / 1000


@dataclass
class Tenant:
    """One workspace of the world."""

    workspace_id: str
    slug: str
    number: Number
    channel_id: str = ""
    webhook_path: str = ""
    key: str = ""


@dataclass
class World:
    base: str
    services: Services
    app: Litestar
    simulator: Simulator
    acme: Tenant
    globex: Tenant
    data_dir: Path
    clock: PassingClock
    _stack: AsyncExitStack
    _clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    async def session(self, name: str) -> httpx.AsyncClient:
        """A browser-like client, signed in; unsafe calls carry the CSRF header as the page's script does."""
        if name not in self._clients:
            client = await self._stack.enter_async_context(httpx.AsyncClient(base_url=self.base, timeout=20))
            answer = await client.post("/sign-in", data={"email": f"{name}@example.com", "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            page = await client.get("/", follow_redirects=True)
            token = page.text.split('name="csrf-token" content="')[1].split('"')[0]
            client.headers["X-CSRF-Token"] = token
            self._clients[name] = client
        return self._clients[name]

    def sessions_are_over(self) -> None:
        """So much time went by: who is asked for next signs in again."""
        self._clients.clear()

    def client(self, key: str) -> httpx.AsyncClient:
        """A script's client with this key."""
        return httpx.AsyncClient(base_url=self.base, timeout=20, headers={"Authorization": f"Bearer {key}"})

    async def key(self, tenant: Tenant, scopes: str = "all") -> str:
        """A fresh API key (so the limits of one test don't touch another)."""
        async with self.services.control.write(OPERATOR) as tx:
            made = await accounts.create_api_key(tx, self.services.ids, workspace_id=tenant.workspace_id,
                                                 name="test", scope_text=scopes)
        return made.key

    async def webhook(self, body: object, *, tenant: Tenant | None = None, secret: str = APP_SECRET) -> httpx.Response:
        """Post a body as Meta does: signed over the very bytes, non-ASCII escaped."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = (tenant or self.acme).webhook_path
        async with httpx.AsyncClient(base_url=self.base, timeout=20) as client:
            return await client.post(path, content=raw, headers={
                "Content-Type": "application/json", "X-Hub-Signature-256": signature(secret.encode(), raw)})

    @asynccontextmanager
    async def workspace(self, tenant: Tenant) -> AsyncIterator[Workspace]:
        """The open workspace, to look into its files."""
        async with self.services.registry.use(tenant.workspace_id) as workspace:
            yield workspace

    async def settle(self, seconds: float = 15.0) -> None:
        """Wait until nothing is under way: no job, no nudge in the queue, no webhook of the simulator."""
        quiet = 0
        async with asyncio.timeout(seconds):
            while quiet < 3:
                await asyncio.sleep(0.03)
                await self.simulator.settled()
                busy = self.services.runner.busy or self.services.queue.waiting()
                quiet = 0 if busy else quiet + 1


_ports = itertools.count(random.SystemRandom().randrange(len(PORTS)))


def free_port() -> int:
    """A port nobody listens on, and none that the system gives to outgoing connections: those of other tests would
    take it before it is used."""
    for number in _ports:
        port = PORTS[number % len(PORTS)]
        if port in UNSAFE:
            continue
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable")


async def make_installation(folder: Path, public_url: str) -> None:
    """The files of the world, made by the same functions as the command line uses."""
    config = _config(folder, public_url, "http://127.0.0.1:9")
    await initialise(config, email="alice@example.com", name="Alice", workspace="Acme", password=PASSWORD)
    await new_workspace(config, "Globex")
    keys = open_keys(folder, MASTER_KEY)
    passwords = Passwords(keys.pepper, Ids())
    hashed = await passwords.hash(PASSWORD)
    passwords.close()
    async with opened(config) as (control, _), control.write(OPERATOR) as tx:
        rows = {row[1]: row[0] for row in await tx.rows("SELECT id, name FROM workspace")}
        for name, role in PEOPLE.items():
            if name != "alice":
                user_id = await accounts.create_user(tx, email=f"{name}@example.com", name=name.capitalize(),
                                                     password_hash=hashed)
                await accounts.add_member(tx, workspace_id=rows["Acme"], user_id=user_id, role=role)
        user_id = await accounts.create_user(tx, email="charlie@example.com", name="Charlie", password_hash=hashed)
        await accounts.add_member(tx, workspace_id=rows["Globex"], user_id=user_id, role=Role.OWNER)
        # Alice may not open Globex: new_workspace gives it to the operators, and the tests want strangers.
        await tx.execute("DELETE FROM membership WHERE workspace_id = ? AND user_id <> ?", rows["Globex"], user_id)
    for name, number in (("Acme", ACME_NUMBER), ("Globex", GLOBEX_NUMBER)):
        await connect(config, name, NewChannel(
            phone_number_id=number.phone_number_id, waba_id=number.waba_id,
            display_phone=number.display_phone_number, app_id="200300400500600", access_token=ACCESS_TOKEN,
            app_secret=APP_SECRET, verify_token=VERIFY_TOKEN))
        await new_api_key(config, name, "world", "all")


def _config(folder: Path, public_url: str, graph_url: str) -> Config:
    config = load(data=str(folder), environment={})
    return msgspec.structs.replace(config, public_url=public_url, graph_url=graph_url, master_key=MASTER_KEY,
                                   rate_factor=RATE_FACTOR)


@asynccontextmanager
async def serving(config: uvicorn.Config, port: int) -> AsyncIterator[None]:
    """An ASGI application on a loopback port."""
    # Named as TCP, or asyncio leaves Nagle's algorithm on and small answers wait 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    config.timeout_graceful_shutdown = 2
    server = PromptServer(config)
    task, listening = asyncio.create_task(server.serve([listener])), asyncio.create_task(server.listening.wait())
    await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        listening.cancel()
        task.result()
        raise RuntimeError("the server did not start")
    try:
        yield
    finally:
        server.stop()
        await task


@asynccontextmanager
async def running_world(installation: Path, folder: Path, **options: Any) -> AsyncIterator[World]:
    """A copy of the installation, running; `options` are those of its Config that shall be others."""
    shutil.copytree(installation, folder)
    port, graph_port = free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    clock = PassingClock()
    config = msgspec.structs.replace(_config(folder, base, f"http://127.0.0.1:{graph_port}/simulator/graph"), **options)
    async with AsyncExitStack() as stack:
        services = await build(config, open_keys(folder, MASTER_KEY), clock=clock)
        rows = await services.control.db.rows(
            "SELECT workspace.id, workspace.slug, channel_route.channel_id, meta_app.app_key, workspace.name "
            "FROM workspace JOIN channel_route ON channel_route.workspace_id = workspace.id "
            "JOIN meta_app ON meta_app.id = channel_route.meta_app_id")
        tenants = {row[4]: Tenant(row[0], row[1], ACME_NUMBER if row[4] == "Acme" else GLOBEX_NUMBER, row[2],
                                  f"/webhooks/whatsapp/{row[3]}") for row in rows}
        simulator = Simulator(clock, pace=Pace(sent=0.0, delivered=0.0, read=0.0))
        simulator.add_app(app_id="200300400500600", app_secret=APP_SECRET, verify_token=VERIFY_TOKEN,
                          webhook_url=base + tenants["Acme"].webhook_path, access_token=ACCESS_TOKEN)
        for number in (ACME_NUMBER, GLOBEX_NUMBER):
            simulator.world.add_number(msgspec.structs.replace(number), subscribed_app="200300400500600")
        graph = uvicorn.Config(stack.enter_context(simulator_app(simulator)), log_level="error", log_config=None,
                               ws="none")
        await stack.enter_async_context(serving(graph, graph_port))
        app = create_app(services)
        app.state.trust.first_after = NEVER  # a test that wants the self-checks runs them
        app.state.doctor.first_after = NEVER  # as above
        await stack.enter_async_context(serving(server_config(config, app), port))
        world = World(base=base, services=services, app=app, simulator=simulator, acme=tenants["Acme"],
                      globex=tenants["Globex"], data_dir=folder, clock=clock, _stack=stack)
        yield world
        # As `chime serve` does on a signal: open streams would hold the server back.
        services.hub.close()
        simulator.hang_up()
