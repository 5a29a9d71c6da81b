"""A wizard in the test's own process, nobody at its desk yet, and a browser's way through its steps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from chime.config import Config, load
from chime.first_run import Desk
from chime.first_run.application_pages import first_run_app
from chime.first_run_commands import desk_of
from chime.ids import Ids
from chime.serve import server_config
from tests.support.world import MASTER_KEY, RATE_FACTOR, PassingClock, free_port, serving

THEIR_BROWSER = "a browser of the tests"


@dataclass
class FirstRun:
    """A wizard nobody has opened yet."""

    base: str
    config: Config
    desk: Desk
    clock: PassingClock
    token: str

    def browser(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.base, timeout=20, headers={"User-Agent": THEIR_BROWSER, **headers})

    async def opened(self, client: httpx.AsyncClient) -> httpx.AsyncClient:
        answer = await client.post("/setup/session", data={"token": self.token})
        assert (answer.status_code, answer.headers["location"]) == (303, "/setup/owner")
        return client


@asynccontextmanager
async def first_run(folder: Path, **options: Any) -> AsyncIterator[FirstRun]:
    port, clock = free_port(), PassingClock()
    config = msgspec.structs.replace(load(data=str(folder / "data"), bind=f"127.0.0.1:{port}", environment={}),
                                     **{"master_key": MASTER_KEY, "rate_factor": RATE_FACTOR, **options})
    config.data_dir.mkdir(mode=0o700)
    closed = asyncio.Event()
    closed.set()
    desk = desk_of(config, clock, Ids(), port=port, closed=closed)
    address = (config.data_dir / "first-run").read_text().strip()
    async with serving(server_config(config, first_run_app(desk)), port):
        yield FirstRun(f"http://127.0.0.1:{port}", config, desk, clock, address.partition("#")[2])


async def csrf(client: httpx.AsyncClient, path: str) -> str:
    return (await client.get(path)).text.split('name="csrf_token" value="')[1].split('"')[0]


async def send(client: httpx.AsyncClient, step: str, fields: dict[str, str]) -> httpx.Response:
    token = await csrf(client, f"/setup/{step}")
    return await client.post(f"/setup/{step}", data={"csrf_token": token, **fields})


def error_of(page: str, field: str) -> str:
    found = re.search(rf'id="{field}-error">.*?<span>(.*?)</span>', page, re.S)
    return found[1] if found else ""
