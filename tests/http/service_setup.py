"""What the tests of hours, targets and ratings share."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from tests.http.inbox_setup import rows
from tests.support.world import World

PAGE = "/w/acme/settings/service"
HTMX = {"HX-Request": "true"}
WORKSPACE = {"scope": "workspace", "scope_id": "", "calendar_id": "", "on_miss": "keep"}
OPEN_ALWAYS = {f"day_{day}": "00:00-24:00" for day in range(7)}


async def targets(client: httpx.AsyncClient, **fields: str) -> None:
    """Of the workspace unless they say otherwise."""
    answer = await client.post(f"{PAGE}/rules", data=WORKSPACE | fields)
    assert answer.status_code == 303, answer.text


async def asks(world: World, client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await client.post(f"{PAGE}/questions/{world.acme.channel_id}", data={
        "is_on": "on", "question": "How did we do?", "thanks": "", "every_days": "30", "template": ""} | fields)


async def sweep(world: World) -> None:
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()


async def events(world: World, conversation_id: str, kind: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(row[0]) for row in await rows(
        world, world.acme, "SELECT details_json FROM conversation_event WHERE conversation_id = ? AND kind = ? "
        "ORDER BY at, id", conversation_id, kind)]
