"""What machines and lost people ask: is it alive, can it be used, how is it doing, whom to tell of a hole; and that
every refusal can be found in the log by its reference.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlcipher3 import dbapi2

from chime.clock import DAY, SECOND, as_datetime
from chime.jobs import queue
from tests.http.inbox_setup import talk, until
from tests.support.queue_damage import drop_tables
from tests.support.world import World, running_world


@pytest.fixture
async def anybody(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=world.base, timeout=20) as client:
        yield client


def held_by_somebody_else(file: Path, key: bytes) -> Any:
    """A connection of another program that has the file locked for writing."""
    connection = dbapi2.connect(str(file), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def test_alive_and_ready(anybody: httpx.AsyncClient) -> None:
    alive, ready = await anybody.get("/healthz"), await anybody.get("/readyz")
    assert (alive.status_code, alive.text) == (200, "ok\n")
    assert (ready.status_code, ready.text) == (200, "ready\n")


async def test_while_storage_takes_nothing_that_is_said_and_reading_goes_on(
    world: World, anybody: httpx.AsyncClient,
) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    keys = await world.services.registry.keys(world.acme.workspace_id)
    held = [held_by_somebody_else(world.data_dir / "control.db", world.services.control.keys.control_file),
            held_by_somebody_else(world.data_dir / "workspaces" / world.acme.workspace_id / "workspace.db",
                                  keys.workspace_file)]
    try:
        writes = [asyncio.create_task(request) for request in (anybody.get("/readyz"),
                                                               alice.post(f"{maya.base}/closure"))]
        assert (await anybody.get("/healthz")).status_code == 200, "a restart would not help"
        assert (await alice.get(maya.base)).status_code == 200
        ready, closed = await asyncio.gather(*writes)
        assert (ready.status_code, ready.text) == (503, "not ready\n"), "and no word of why: anybody may ask"
        assert closed.status_code == 503 and closed.headers["retry-after"] == "5"
        assert "Not available right now" in closed.text and str(world.data_dir) not in closed.text
    finally:
        for connection in held:
            connection.close()
    assert (await anybody.get("/readyz")).status_code == 200
    assert (await alice.post(f"{maya.base}/closure")).status_code == 303


async def test_not_ready_while_the_queue_is_gone_and_ready_again_without_a_restart(
    world: World, anybody: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(queue, "APART", 1e9)  # as long as no new file can be made
        drop_tables(world.data_dir / "queue.db")
        assert (await anybody.get("/readyz")).status_code == 503
        assert (await anybody.get("/healthz")).status_code == 200
    assert (await anybody.get("/readyz")).status_code == 200


async def test_metrics_for_this_machine_only(world: World, anybody: httpx.AsyncClient) -> None:
    await talk(world)
    answer = await anybody.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = dict(re.findall(r"^(\w+(?:{[^}]*})?) (\S+)$", answer.text, re.M))
    assert len(lines) == len(answer.text.splitlines()), "every line is a metric"
    assert lines["chime_open_workspaces"] == "2" and int(lines["chime_max_rss_bytes"]) > 10_000_000
    assert int(lines['chime_jobs_finished_total{kind="inbound.apply"}']) >= 1
    assert "acme" not in answer.text.lower(), "numbers only, no names"
    for forwarded in ("203.0.113.7", "127.0.0.1"):
        told = await anybody.get("/metrics", headers={"X-Forwarded-For": forwarded})
        assert told.status_code == 404, "a proxy on this machine brings strangers"


async def test_metrics_with_a_token_and_the_security_contact(installation: Path, tmp_path: Path) -> None:
    async with (running_world(installation, tmp_path / "data", metrics_token="sesame-open",
                              security_contact="security@example.com") as world,
                httpx.AsyncClient(base_url=world.base) as anybody):
        for header in (None, "Bearer wrong", "Bearer", "sesame", "Bearer s\u00e9same"):
            given = {} if header is None else {"Authorization": header.encode("latin-1")}
            assert (await anybody.get("/metrics", headers=given)).status_code == 404, header
        for header in ({"Authorization": "Bearer sesame-open"},
                       {"Authorization": "Bearer sesame-open", "X-Forwarded-For": "203.0.113.7"}):
            assert (await anybody.get("/metrics", headers=header)).status_code == 200
        answer = await anybody.get("/.well-known/security.txt")
        told = dict(line.split(": ", 1) for line in answer.text.splitlines())
        assert told["Contact"] == "mailto:security@example.com"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        left = datetime.fromisoformat(told["Expires"]) - as_datetime(world.clock.real_now())
        assert 300 * DAY < left.total_seconds() * SECOND < 366 * DAY, "RFC 9116 wants less than a year or so"


async def test_no_security_contact_is_made_up(anybody: httpx.AsyncClient) -> None:
    assert (await anybody.get("/.well-known/security.txt")).status_code == 404


async def test_every_refusal_carries_a_reference(world: World, anybody: httpx.AsyncClient) -> None:
    alice = await world.session("alice")
    inbox = f"/w/{world.acme.slug}/inbox"
    for client, method, path, status in (
        (anybody, "GET", "/nowhere", 404), (anybody, "GET", "/static/old/none.js", 404), (anybody, "PUT", "/", 405),
        (anybody, "GET", "/sign-out", 405), (alice, "GET", f"{inbox}/none", 404), (alice, "GET", f"{inbox}?v=odd", 404),
        (alice, "GET", f"{inbox}?cursor=odd", 422), (alice, "GET", "/w/globex/inbox", 404),
        (anybody, "GET", "/w/%2e%2e/%2e%2e/etc/passwd", 404),
    ):
        answer = await client.request(method, path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "text/html; charset=utf-8", path
        reference = answer.headers["x-request-id"]
        assert f"reference {reference}" in answer.text and f"Status {status}" in answer.text, path
        assert "Traceback" not in answer.text and "litestar" not in answer.text.lower(), path
        assert answer.headers["content-security-policy"] and answer.headers["cache-control"] == "no-store", path
    fragment = await alice.get(f"{inbox}/none", headers={"HX-Request": "true"})
    assert fragment.status_code == 404 and "<html" not in fragment.text
    assert f"Reference {fragment.headers['x-request-id']}" in fragment.text
    seen = {(await anybody.get("/nowhere")).headers["x-request-id"] for _ in range(5)}
    assert len(seen) == 5


async def test_refusals_of_the_api_are_problem_documents(anybody: httpx.AsyncClient) -> None:
    for method, path, status in (("GET", "/api/v1/nowhere", 404), ("PUT", "/api/v1/messages", 405),
                                 ("GET", "/api/v1/contacts", 401), ("POST", "/healthz", 405)):
        answer = await anybody.request(method, path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json", path
        told = answer.json()
        assert told["status"] == status and told["title"] and told["type"] == "about:blank"
        assert told["request_id"] == answer.headers["x-request-id"] != "", path
        assert ("allow" in answer.headers) == (status == 405), path
    assert "POST" in (await anybody.put("/api/v1/messages")).headers["allow"]


async def test_a_fault_of_ours_is_told_without_its_inside_and_found_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture,
) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    message = await maya.says({"type": "image", "image": {}})
    assert message.media is not None
    (file,) = (world.data_dir / "workspaces").rglob(f"media/*/{message.media.id}")
    sealed = file.read_bytes()
    file.write_bytes(b"damaged" + sealed[7:])
    assert (await alice.get(f"{maya.workspace_base}/media/{message.media.id}")).status_code == 500
    file.write_bytes(sealed[:60] + b"damaged" + sealed[67:])
    # The head of a stream has left by then, so the connection ends early instead of bringing something wrong.
    with pytest.raises(httpx.RemoteProtocolError):
        await alice.get(f"{maya.workspace_base}/media/{message.media.id}")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE message SET content_json = '{broken' WHERE id = ?", message.id)
    caplog.clear()
    answer = await alice.get(maya.base)
    assert answer.status_code == 500 and "Nothing of what you entered was changed" in answer.text
    assert "broken" not in answer.text and "msgspec" not in answer.text
    reference = answer.headers["x-request-id"]
    record = await until(lambda: next((one for one in caplog.records if reference in str(one.__dict__)), None))
    assert record.levelname == "ERROR" and "broken" not in record.getMessage()
    assert (await alice.get(f"/w/{world.acme.slug}/inbox/list")).status_code == 200, "the rest goes on"
