"""What the tests of moving workspaces share: a second server with another master key, commands on either, all rows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec

from chime.app import build, create_app
from chime.config import Config, load
from chime.db import open_connection
from chime.db.copies import copy_file
from chime.handover import Imported
from chime.serve import server_config
from chime.setup import initialise
from chime.web.services import Services
from chime.workspace_commands import WentLive, export_workspace, go_live_with, import_workspace
from chime.workspaces import open_keys
from tests.support.world import NEVER, PASSWORD, RATE_FACTOR, Tenant, World, free_port, serving

OTHER_KEY = bytes(range(101, 133))
PASSPHRASE = "seven small boats went out before dawn"
WRONG = "seven small boats went out before dusk"
Rows = dict[str, list[tuple[Any, ...]]]


def config_of(world: World) -> Config:
    found = world.services.config
    assert found is not None
    return found


async def new_server(folder: Path, *, email: str = "alice@example.com", name: str = "Alice",
                     graph_url: str = "http://127.0.0.1:9", base: str = "http://127.0.0.1:8700") -> Config:
    """An installation with another master key, where one person of Acme has an account already."""
    config = msgspec.structs.replace(load(data=str(folder), environment={}), public_url=base, graph_url=graph_url,
                                     master_key=OTHER_KEY, rate_factor=RATE_FACTOR)
    await initialise(config, email=email, name=name, workspace="Home", password=PASSWORD)
    return config


async def exported(world: World, target: Path, workspace: str = "Acme") -> Path:
    """The file of a workspace of the running world, made by the command beside it."""
    await export_workspace(config_of(world), workspace, target, PASSPHRASE, lambda done, total: None)
    return target


async def imported(config: Config, source: Path, passphrase: str = PASSPHRASE, name: str | None = None) -> Imported:
    return await import_workspace(config, source, passphrase, name)


@dataclass
class Server:
    """The second server, running. `world` looks into it as the tests look into the first."""

    config: Config
    services: Services
    base: str
    world: World

    async def session(self, email: str) -> httpx.AsyncClient:
        return await self.world.session(email.partition("@")[0])

    async def go_live(self, workspace: str = "Acme", *, old_is_stopped: bool = False) -> WentLive:
        return await go_live_with(self.config, workspace, old_is_stopped=old_is_stopped)


@asynccontextmanager
async def running(world: World, config: Config) -> AsyncIterator[Server]:
    """The second server, beside the first, with the same simulator as its WhatsApp."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    first = config_of(world)
    config = msgspec.structs.replace(config, public_url=base, graph_url=first.graph_url)
    services = await build(config, open_keys(config.data_dir, OTHER_KEY), clock=world.clock)
    app = create_app(services)
    app.state.trust.first_after = NEVER
    async with serving(server_config(config, app), port):
        there = replace(world, base=base, services=services, app=app, data_dir=config.data_dir, _clients={})
        yield Server(config, services, base, there)
        services.hub.close()


def moved_tenant(world: World, server: Server, path: str) -> Tenant:
    """Acme on the second server."""
    return replace(world.acme, webhook_path=path)


def all_rows(path: Path, key: Any, scratch: Path) -> Rows:
    """Every row of every table of a file that may be open, read from a copy."""
    copy_file(path, key, scratch)
    connection = open_connection(scratch, key, writes=True)
    try:
        names = [row[0] for row in connection.execute(
            "SELECT name FROM pragma_table_list WHERE type IN ('table', 'shadow') AND schema = 'main' "
            "AND name NOT LIKE 'sqlite_%' ORDER BY name").fetchall()]
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr) for name in names}
    finally:
        connection.close()
        for ending in ("", "-wal", "-shm"):
            scratch.with_name(scratch.name + ending).unlink(missing_ok=True)


def stored_files(folder: Path) -> dict[str, bytes]:
    """The stored files of a workspace's folder, as they lie."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in (folder / "media").rglob("*")
            if path.is_file()}


def flipped(content: bytes, at: int, bit: int) -> bytes:
    """With one bit of one byte another."""
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1:]


def random_bytes(count: int) -> bytes:
    return os.urandom(count)
