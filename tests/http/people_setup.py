"""What the tests about people share: a person of any role, an invitation's link, an account made of it."""

from __future__ import annotations

import re
from typing import Any

import httpx

from chime import accounts
from chime.security.permissions import OPERATOR, Role
from tests.support.world import PASSWORD, Tenant, World

_LINK = re.compile(r"/invitations/([\w-]+)")


async def control(world: World, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """A look into control.db."""
    return await world.services.control.db.rows(sql, *values)


async def id_of(world: World, name: str) -> str:
    return str((await control(world, "SELECT id FROM user WHERE email = ?", f"{name}@example.com"))[0][0])


async def person(world: World, name: str, role: Role, tenant: Tenant | None = None) -> str:
    """Somebody with an account and a membership; `world.session(name)` signs them in. Their id."""
    hashed = (await control(world, "SELECT password_hash FROM user WHERE email = 'alice@example.com'"))[0][0]
    async with world.services.control.write(OPERATOR) as tx:
        user_id = await accounts.create_user(tx, email=f"{name}@example.com", name=name.capitalize(),
                                             password_hash=hashed)
        await accounts.add_member(tx, workspace_id=(tenant or world.acme).workspace_id, user_id=user_id, role=role)
    return user_id


async def membership(world: World, name: str, tenant: Tenant | None = None) -> tuple[str, str] | None:
    """Role and state."""
    found = await control(world, "SELECT role, state FROM membership JOIN user ON user.id = user_id WHERE email = ? "
                          "AND workspace_id = ?", f"{name}@example.com", (tenant or world.acme).workspace_id)
    return (found[0][0], found[0][1]) if found else None


def token_in(page: str) -> str:
    """The token of the link that a page shows once."""
    found = _LINK.search(page.split('id="link"')[1])
    assert found
    return found[1]


async def invited(world: World, name: str, role: str = "agent", *, by: str = "alice", **fields: Any) -> str:
    """Invite somebody to Acme; the token of the link."""
    client = await world.session(by)
    answer = await client.post("/w/acme/settings/invitations",
                               data={"email": f"{name}@example.com", "role": role, **fields})
    assert answer.status_code == 200, answer.text
    return token_in(answer.text)


async def browser(world: World) -> httpx.AsyncClient:
    """A browser in which nobody is signed in."""
    return await world._stack.enter_async_context(httpx.AsyncClient(base_url=world.base, timeout=20))


async def signed_up(world: World, token: str, name: str = "Dana") -> httpx.AsyncClient:
    """Follow the link and make the account; the browser it was made in."""
    client = await browser(world)
    answer = await client.post(f"/invitations/{token}", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    page = await client.get(answer.headers["location"], follow_redirects=True)
    if 'name="csrf-token" content="' in page.text:
        client.headers["X-CSRF-Token"] = page.text.split('name="csrf-token" content="')[1].split('"')[0]
    return client
