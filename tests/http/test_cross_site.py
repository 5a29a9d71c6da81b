"""CSRF-1 and CSRF-2: no other site changes anything through a signed-in browser, and looking changes nothing at all."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import httpx

from tests.http.all_routes import FORM, Address, addresses
from tests.http.inbox_setup import indexed, talk
from tests.http.test_permissions import stored
from tests.support.world import World

SITES = (None, "same-origin", "same-site", "cross-site", "none", "something-new")
ORIGINS = (None, "ours", "null", "https://evil.example")
# What our own pages send (null: a browser that hides it), what a browser on plain http sends, what a script sends.
OURS = {("same-origin", None), ("same-origin", "ours"), ("same-origin", "null"), (None, "ours"), (None, None)}
WORDS = "page was open too long"
# What looking may leave behind: who looked, when somebody was last here, and what a monitor asks to be written.
LOOKING = re.compile(r"audit|denial|\.meta$|\.session$|\.membership$|\.api_key$|reading|seen|opened|support_view|"
                     r"retention_run|workspace_usage|sqlite_", re.IGNORECASE)


def _headers(world: World, site: str | None, origin: str | None) -> dict[str, str]:
    found = {} if site is None else {"Sec-Fetch-Site": site}
    if origin is not None:
        found["Origin"] = world.base if origin == "ours" else origin
    return found


def _unsafe(world: World) -> list[Address]:
    return [address for address in addresses(world.acme.slug) if address.changes and not address.api
            and not address.opt.get("no_csrf")]


async def _refused(client: httpx.AsyncClient, address: Address, headers: dict[str, str]) -> bool:
    answer = await client.request(address.method, address.path, data=FORM, headers=headers)
    assert answer.status_code < 500, (address, headers)
    return answer.status_code == 403 and WORDS in answer.text


async def test_csrf_1_every_unsafe_route_by_every_combination(world: World) -> None:
    """24 combinations of what a browser says, each with the right token: what a stolen or guessed token would meet."""
    alice = await world.session("alice")
    refused = [pair for pair in product(SITES, ORIGINS) if pair not in OURS]
    assert len(refused) == 24 - 5
    routes = _unsafe(world)
    assert len(routes) > 25
    await world.settle()
    before = await _left(world)
    for address in routes:
        for site, origin in refused:
            assert await _refused(alice, address, _headers(world, site, origin)), (address, site, origin)
    assert await _left(world) == before, "nothing was done"


async def test_csrf_1_our_own_pages_are_let_in(world: World) -> None:
    token = (await world.session("alice")).headers["X-CSRF-Token"]
    for address in _unsafe(world):
        # Some of these end the session; each starts with one.
        alice = await world.session("alice")
        for site, origin in sorted(OURS, key=str):
            if (await alice.get("/", follow_redirects=False)).headers.get("location", "").startswith("/sign-in"):
                del world._clients["alice"]
                alice = await world.session("alice")
            assert not await _refused(alice, address, _headers(world, site, origin)), (address, site, origin)
    assert token


async def test_csrf_1_without_the_sessions_own_token_nothing_goes(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    own = alice.headers.pop("X-CSRF-Token")
    await world.settle()
    before = await _left(world)
    for address in _unsafe(world):
        if address.public:
            continue
        for token in ("", mo.headers["X-CSRF-Token"], own[:-1] + "~", "~", own.split(".")[0]):
            headers = {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-origin"}
            assert await _refused(alice, address, headers), (address, token)
        assert await _refused(alice, address, {}), address
    assert await _left(world) == before


async def test_csrf_1_keys_are_no_cookies(world: World) -> None:
    """The API takes no session, so no other site can borrow one."""
    alice = await world.session("alice")
    for address in addresses(world.acme.slug):
        if address.api and not address.public:
            answer = await alice.request(address.method, address.path, json={} if address.changes else None)
            assert answer.status_code == 401, address


async def _left(world: World) -> dict[str, Any]:
    return {name: rows for name, rows in (await stored(world)).items() if not LOOKING.search(name)}


async def test_csrf_2_looking_changes_nothing(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    for tenant in (world.acme, world.globex):
        await indexed(world, tenant)
    await world.settle()
    script = world.client(await world.key(world.acme))
    before = await _left(world)
    async with script, httpx.AsyncClient(base_url=world.base, timeout=20) as anybody:
        for address in addresses(world.acme.slug):
            if address.changes:
                continue
            for client in (script,) if address.api else (alice, anybody):
                for method in ("GET", "GET", "HEAD", "OPTIONS"):
                    async with client.stream(method, address.path) as answer:
                        assert answer.status_code < 500, address
        for path in (maya.base, f"{maya.base}/messages", f"{maya.base}/panel", f"{maya.base}/state"):
            for _ in range(2):
                await alice.get(path)
    await world.settle()
    after = await _left(world)
    assert [name for name in after if after[name] != before.get(name)] == []
