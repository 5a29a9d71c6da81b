"""What this process is sending is not mistaken for what the last one left: the first sweep may come when sends have
begun, and a clock that jumps makes every claim look old. Seldom met by `kill-sends`, so forced here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chime.inbox import jobs as inbox_jobs
from chime.whatsapp import SendAccepted
from tests.http.api_setup import TEXT, Scripting, scripting
from tests.support.world import World

__all__ = ["scripting"]


async def test_a_send_on_its_way_is_not_recovered(world: World, scripting: Scripting,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    customer = await scripting.customer()
    asked, answer = asyncio.Event(), asyncio.Event()
    posts = []

    async def send(*arguments: Any, **options: Any) -> SendAccepted:
        posts.append(options["attempt"])
        asked.set()
        await answer.wait()
        return SendAccepted(wamid=f"wamid.{len(posts)}", wa_id=None, user_id=None, message_status="accepted")

    monkeypatch.setattr(world.services.graph, "send", send)
    script = await scripting.script()
    made = await script.post("/api/v1/messages", json={"to": f"+{customer.phone}", **TEXT})
    await asyncio.wait_for(asked.wait(), 5)
    async with world.workspace(world.acme) as workspace:
        await inbox_jobs.forget_claims(workspace, world.clock)
    await world.services.runner.sweep([world.acme.workspace_id])
    await asyncio.sleep(0.3)
    state = await script.get(f"/api/v1/messages/{made.json()['id']}")
    assert state.json()["status"] == "sending"
    answer.set()
    await world.settle()
    state = await script.get(f"/api/v1/messages/{made.json()['id']}")
    assert (state.json()["status"], posts) == ("sent", [1])
