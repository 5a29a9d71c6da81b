"""What the tests of support access share: operators, asking, letting in, and what stands in a workspace's trail."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from chime import accounts
from chime.security.permissions import OPERATOR
from tests.http.inbox_setup import rows
from tests.support.world import Tenant, World

REASON = "The customer says that messages do not arrive"


async def operator(world: World, name: str = "olga") -> httpx.AsyncClient:
    """One more operator, a member of nothing, signed in."""
    db = world.services.control.db
    hashed = await db.value("SELECT password_hash FROM user WHERE email = 'alice@example.com'")
    async with world.services.control.write(OPERATOR) as tx:
        await accounts.create_user(tx, email=f"{name}@example.com", name=name.capitalize(), password_hash=hashed,
                                   is_operator=True)
    return await session(world, name)


async def session(world: World, name: str) -> httpx.AsyncClient:
    """Somebody who may have no workspace: the token for their forms is on the operators' page."""
    if name in world._clients:
        return world._clients[name]
    client = await world._stack.enter_async_context(httpx.AsyncClient(base_url=world.base, timeout=20))
    answer = await client.post("/sign-in", data={"email": f"{name}@example.com",
                                                 "password": "correct horse battery staple"})
    assert answer.status_code == 303, answer.text
    page = await client.get("/installation/support")
    client.headers["X-CSRF-Token"] = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    world._clients[name] = client
    return client


async def ask(world: World, client: httpx.AsyncClient, tenant: Tenant, *modules: str, **fields: Any) -> httpx.Response:
    form: dict[str, Any] = {"workspace_id": tenant.workspace_id, "reason": REASON, "ticket": "T-17", "minutes": "60",
                            "modules": list(modules or ("inbox", "contacts"))} | fields
    return await client.post("/installation/support", data=form)


async def newest(world: World, tenant: Tenant) -> str:
    """The id of the last request to a workspace."""
    found: str = await world.services.control.db.value(
        "SELECT id FROM support_grant WHERE workspace_id = ? ORDER BY id DESC LIMIT 1", tenant.workspace_id)
    return found


async def let_in(world: World, owner: httpx.AsyncClient, tenant: Tenant, *modules: str, **fields: Any) -> str:
    """The owner grants the last request; its id."""
    grant_id = await newest(world, tenant)
    form: dict[str, Any] = {"modules": list(modules or ("inbox", "contacts")), "minutes": "60"} | fields
    answer = await owner.post(f"/w/{tenant.slug}/settings/support/{grant_id}/approval", data=form)
    assert answer.status_code == 303, answer.text
    return grant_id


async def trail(world: World, tenant: Tenant, action: str = "support.%") -> list[dict[str, Any]]:
    """The rows of support in the workspace's own trail, oldest first."""
    found = await rows(world, tenant, "SELECT action, actor_kind, actor_name, on_behalf, object_kind, object_id, "
                       "details_json FROM audit_event WHERE action LIKE ? ORDER BY sequence", action)
    names = ("action", "kind", "name", "on_behalf", "object_kind", "object", "details")
    return [dict(zip(names, (*row[:6], msgspec.json.decode(row[6])), strict=True)) for row in found]
