"""People with second factors, for the tests of accounts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from chime.security.second_factor import code_of, secret_bytes, step_of
from tests.support.world import PASSWORD, World


@asynccontextmanager
async def stranger(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A browser nobody is signed in with."""
    async with httpx.AsyncClient(base_url=world.base, timeout=20) as client:
        yield client


async def sign_in(browser: httpx.AsyncClient, name: str = "kim", password: str = PASSWORD,
                  **fields: str) -> httpx.Response:
    return await browser.post("/sign-in", data={"email": f"{name}@example.com", "password": password, **fields})


async def with_token(browser: httpx.AsyncClient, path: str = "/me") -> None:
    """Carry the CSRF token of a page from now on, as its script does."""
    page = await browser.get(path, follow_redirects=True)
    browser.headers["X-CSRF-Token"] = page.text.split('name="csrf-token" content="')[1].split('"')[0]


async def id_of(world: World, name: str) -> str:
    found: str = await world.services.control.db.value("SELECT id FROM user WHERE email = ?", f"{name}@example.com")
    return found


async def actions(world: World, *, after: int = 0) -> list[str]:
    """What control.db's audit trail tells."""
    rows = await world.services.control.db.rows("SELECT action FROM audit_event WHERE sequence > ? ORDER BY sequence",
                                                after)
    return [row[0] for row in rows]


@dataclass
class App:
    """Somebody's authenticator app, and the recovery codes they wrote down."""

    world: World
    secret: bytes
    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        """What it shows now, or some steps from now."""
        return code_of(self.secret, step_of(self.world.clock.real_now()) + steps)

    def step(self) -> int:
        return step_of(self.world.clock.real_now())

    def next_code(self) -> str:
        """A code that was never used: half a minute passes."""
        self.world.clock.pass_time(30_000)
        return self.code()


async def new_app(world: World, client: httpx.AsyncClient) -> App:
    """Set up an app for whoever is signed in; turns it on with its first code."""
    begun = await client.post("/me/second-factor/app")
    assert (begun.status_code, begun.headers["location"]) == (303, "/me/second-factor/app"), begun.text
    page = await client.get("/me/second-factor/app")
    secret = "".join(re.findall(r"<span>([A-Z2-7]{4})</span>", page.text))
    app = App(world, secret_bytes(secret), [])
    done = await client.post("/me/second-factor/app/confirmation", data={"code": app.code()})
    app.recovery_codes = re.findall(r"<code>((?:[A-Z2-7]{4}-){3}[A-Z2-7]{4})</code>", done.text)
    return app


async def second_step(browser: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await browser.post("/sign-in/second-step", data=fields)
