"""A Meta that takes messages but no files: the files' messages end with a reason, and nothing else waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from litestar import Litestar

from chime.clock import HOUR, MINUTE
from chime.inbox import delivery
from chime.inbox.delivery import Due
from chime.simulator import routes
from tests.http.inbox_setup import Talk, rows, talk, until
from tests.support.world import World, free_port, running_world, serving

PDF = b"%PDF-1.4 an offer"


@dataclass
class Gate:
    """In front of the simulator: what becomes of uploads. The rest goes through."""

    hangs: bool = True
    begun: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def upload(self, receive: Any, send: Any) -> None:
        self.begun += 1
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        if self.hangs:
            await self.opened.wait()
        await send({"type": "http.response.start", "status": 502, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<html>Bad gateway</html>"})


@asynccontextmanager
async def gated(installation: Path, folder: Path, *, hangs: bool) -> AsyncIterator[tuple[World, Gate]]:
    port = free_port()
    gate = Gate(hangs=hangs)
    async with running_world(installation, folder, graph_url=f"http://127.0.0.1:{port}/simulator/graph") as world:
        behind = Litestar(route_handlers=routes(world.simulator), openapi_config=None, logging_config=None)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/media"):
                await gate.upload(receive, send)
            else:
                await behind(scope, receive, send)

        async with serving(uvicorn.Config(app, log_config=None, ws="none", lifespan="off"), port):
            try:
                yield world, gate
            finally:
                gate.opened.set()


async def attach(maya: Talk, client: Any) -> None:
    answer = await client.post(f"{maya.base}/files", files={"file": ("offer.pdf", PDF, "application/pdf")})
    assert answer.status_code == 200, answer.text


async def sweep(world: World) -> None:
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()


async def test_a_file_that_is_never_taken_ends_with_a_reason_and_what_waited_behind_it_goes(
        installation: Path, tmp_path: Path) -> None:
    async with gated(installation, tmp_path / "data", hangs=False) as (world, gate):
        kim, maya = await world.session("kim"), await talk(world)
        await attach(maya, kim)
        behind = await maya.reply(kim, "and we open at nine")
        assert behind.status == "queued"
        for _ in range(12):
            world.clock.pass_time(2 * MINUTE)
            await sweep(world)
        refused, behind = await maya.sent()
        assert (refused.status, refused.error_title) == ("failed", "WhatsApp could not take the file")
        assert "Attach it again." in (refused.error_what_to_do or "")
        assert behind.status == "read" and len(world.simulator.world.ledger) == 1
        assert gate.begun == 8, "as often as a refusal is tried again"
        assert (await kim.post(f"{maya.base}/messages/{refused.id}/retry")).status_code == 200
        await world.settle()
        assert (await maya.sent())[0].status == "queued" and gate.begun == 9, "a person may begin anew"


async def test_a_file_waits_no_longer_than_the_rules_allow(installation: Path, tmp_path: Path) -> None:
    async with gated(installation, tmp_path / "data", hangs=False) as (world, _):
        kim, maya = await world.session("kim"), await talk(world)
        await attach(maya, kim)
        await world.settle()
        assert [message.status for message in await maya.sent()] == ["queued"]
        world.clock.advance(25 * HOUR)
        await sweep(world)
        (late,) = await maya.sent()
        assert late.status == "failed" and "The 24-hour reply window is closed" in (late.error_title or "")


async def test_uploads_that_hang_hold_up_nobody_else(installation: Path, tmp_path: Path) -> None:
    files = 40
    async with gated(installation, tmp_path / "data", hangs=True) as (world, gate):
        kim, tom = await world.session("kim"), await talk(world, name="Tom Hughes", phone="14155550142")
        waiting = [await talk(world, name=f"Customer {number}", phone=f"141555502{number:02}")
                   for number in range(files)]
        for maya in waiting:
            await attach(maya, kim)
        await until(lambda: gate.begun > 4)
        answer = await kim.post(f"{tom.base}/messages", data={"type": "text", "text": "not behind the files"})
        assert answer.status_code == 200, answer.text
        assert await until(lambda: _gone(tom), 5)
        assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE status = 'queued'") == [(files,)]


async def test_a_long_line_of_files_is_looked_through_in_steps(installation: Path, tmp_path: Path,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    turns, looked_at = 0, []
    look = delivery._due

    async def counted(*given: Any) -> list[Due]:
        looked_at.append(turns)
        return await look(*given)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with gated(installation, tmp_path / "data", hangs=True) as (world, gate):
        kim, tom = await world.session("kim"), await talk(world, name="Tom Hughes", phone="14155550142")
        waiting = [await talk(world, name=f"Customer {number}", phone=f"141555502{number:02}") for number in range(12)]
        for maya in waiting:
            await attach(maya, kim)
        await until(lambda: gate.begun > 3)
        monkeypatch.setattr(delivery, "SLICE", 2)
        monkeypatch.setattr(delivery, "_due", counted)
        beside = asyncio.create_task(others())
        await kim.post(f"{tom.base}/messages", data={"type": "text", "text": "not behind the files"})
        assert await until(lambda: _gone(tom), 5)
        beside.cancel()
        assert len(looked_at) > 5 and len(set(looked_at)) == len(looked_at), "somebody else had a turn between any two"


async def _gone(tom: Talk) -> bool:
    return [message.status for message in await tom.sent()] != ["queued"]
