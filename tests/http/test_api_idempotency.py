"""`Idempotency-Key`: repeated, concurrent, with another body, after a crash, after a fault, when it is old."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from chime.clock import HOUR, MINUTE
from chime.contacts import api as contact_api
from chime.errors import Unavailable
from chime.inbox import api as inbox_api
from tests.http.api_setup import MAYA, PNG, TEXT, Scripting, fields, problem, scripting

__all__ = ["scripting"]
MESSAGE = {"to": f"+{MAYA}"} | TEXT
REPLAYED = "idempotency-replayed"


def key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": name}


async def aged(scripting: Scripting, milliseconds: int, *, unanswered: bool = False) -> None:
    """As if the first request had come that much earlier, perhaps by a process that ended before it answered."""
    async with (scripting.world.workspace(scripting.world.acme) as workspace, workspace.ingest("test") as tx):
        await tx.execute("UPDATE idempotent_answer SET at = at - ?", milliseconds)
        if unanswered:
            await tx.execute("UPDATE idempotent_answer SET status = NULL, body = NULL")


async def test_the_same_again_gets_the_first_answer_and_nothing_twice(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    first = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    await scripting.world.settle()
    again = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    assert first.status_code == again.status_code == 202 and first.content == again.content
    assert again.headers[REPLAYED] == "true" and REPLAYED not in first.headers
    assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
    other = await script.post("/api/v1/messages", json=MESSAGE, headers=key("two"))
    assert other.json()["id"] != first.json()["id"]
    await scripting.world.settle()
    assert len(scripting.ledger) == 2


async def test_another_request_under_the_same_key_is_refused(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    first = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    assert first.status_code == 202
    for path, body in (("/api/v1/messages", MESSAGE | {"text": {"body": "other"}}), ("/api/v1/contacts", MESSAGE),
                       (f"/api/v1/messages/{first.json()['id']}/retry", MESSAGE)):
        answer = await script.post(path, json=body, headers=key("one"))
        problem(answer, 422)
        assert fields(answer).keys() == {"Idempotency-Key"}
    assert (await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))).content == first.content


async def test_a_key_is_the_callers_own(scripting: Scripting) -> None:
    await scripting.customer()
    first = await (await scripting.script()).post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    second = await (await scripting.script()).post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    assert second.status_code == 202 and second.json()["id"] != first.json()["id"]


async def test_refusals_are_answers_too(scripting: Scripting) -> None:
    script = await scripting.script()
    wrong = {"phone": "12", "name": "Ana"}
    first = await script.post("/api/v1/contacts", json=wrong, headers=key("one"))
    again = await script.post("/api/v1/contacts", json=wrong, headers=key("one"))
    problem(first, 422)
    assert again.content == first.content and again.headers[REPLAYED] == "true"
    assert fields(again).keys() == {"phone"}


async def test_every_post_takes_a_key(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    conversation = (await script.get("/api/v1/conversations")).json()["items"][0]
    contact = f"/api/v1/contacts/{conversation['contact']['id']}/consent"
    thread = f"/api/v1/conversations/{conversation['id']}"
    posts: list[tuple[str, dict[str, Any]]] = [
        ("/api/v1/contacts", {"json": {"phone": "+14155550999"}}), ("/api/v1/tags", {"json": {"name": "vip"}}),
        (contact, {"json": {"marketing": "opted_in", "source": "form"}}), (thread + "/read", {}),
        (thread + "/typing", {}), ("/api/v1/media", {"files": {"file": ("a.png", PNG, "image/png")}}),
    ]
    for number, (path, body) in enumerate(posts):
        first = await script.post(path, **body, headers=key(f"k{number}"))
        assert first.status_code < 300, (path, first.text)
        again = await script.post(path, **body, headers=key(f"k{number}"))
        assert (again.status_code, again.content) == (first.status_code, first.content), path
        assert again.headers[REPLAYED] == "true", path
    assert await scripting.count("media") == 1 and await scripting.count("consent_event") == 1


async def test_of_an_upload_the_file_counts_and_not_the_boundary(scripting: Scripting) -> None:
    script = await scripting.script()
    answers = [await script.post("/api/v1/media", files={"file": ("a.png", content, "image/png")}, headers=key("one"))
               for content in (PNG, PNG, PNG + b"!")]
    assert [answer.status_code for answer in answers] == [201, 201, 422]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("name", ["", "é", "a\tb", "x" * 256])
async def test_a_key_that_is_none(scripting: Scripting, name: str) -> None:
    script = await scripting.script()
    headers = [(b"Idempotency-Key", name.encode("latin-1"))]
    answer = await script.post("/api/v1/tags", json={"name": "vip"}, headers=httpx.Headers(headers))
    problem(answer, 422)
    assert fields(answer).keys() == {"Idempotency-Key"}
    longest = await script.post("/api/v1/tags", json={"name": "vip"}, headers=key("x" * 255))
    assert longest.status_code == 201


async def test_while_the_first_runs_the_others_wait(scripting: Scripting, monkeypatch: pytest.MonkeyPatch) -> None:
    await scripting.customer()
    script = await scripting.script()
    inside, go_on = asyncio.Event(), asyncio.Event()
    read = inbox_api.json_value

    async def slow(request: Any) -> Any:
        inside.set()
        await go_on.wait()
        return await read(request)

    monkeypatch.setattr(inbox_api, "json_value", slow)
    running = asyncio.create_task(script.post("/api/v1/messages", json=MESSAGE, headers=key("one")))
    await inside.wait()
    for answer in await asyncio.gather(*(script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
                                         for _ in range(5))):
        problem(answer, 409)
        assert int(answer.headers["retry-after"]) >= 1
    go_on.set()
    first = await running
    assert first.status_code == 202
    assert (await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))).content == first.content
    await scripting.world.settle()
    assert len(scripting.ledger) == 1


async def test_many_at_once_do_it_once(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    answers = await asyncio.gather(*(script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
                                     for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    await scripting.world.settle()
    assert len(scripting.ledger) == 1


async def test_after_a_crash_before_the_answer_nothing_is_sent_twice(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    first = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    await scripting.world.settle()
    await aged(scripting, 30_000, unanswered=True)
    problem(await script.post("/api/v1/messages", json=MESSAGE, headers=key("one")), 409)
    await aged(scripting, MINUTE, unanswered=True)
    again = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    assert again.status_code == 202 and again.json()["id"] == first.json()["id"] and REPLAYED not in again.headers
    assert (await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))).headers[REPLAYED] == "true"
    await scripting.world.settle()
    assert len(scripting.ledger) == 1


async def test_an_answer_that_was_overtaken_does_not_replace_the_other(
        scripting: Scripting, monkeypatch: pytest.MonkeyPatch) -> None:
    script = await scripting.script()
    inside, go_on = asyncio.Event(), asyncio.Event()
    read = contact_api.json_body

    async def slow(request: Any, kind: Any) -> Any:
        if not inside.is_set():
            inside.set()
            await go_on.wait()
        return await read(request, kind)

    monkeypatch.setattr(contact_api, "json_body", slow)
    late = asyncio.create_task(script.post("/api/v1/tags", json={"name": "vip"}, headers=key("one")))
    await inside.wait()
    await aged(scripting, 2 * MINUTE)
    taken_over = await script.post("/api/v1/tags", json={"name": "vip"}, headers=key("one"))
    assert taken_over.status_code == 201
    go_on.set()
    problem(await late, 409)
    again = await script.post("/api/v1/tags", json={"name": "vip"}, headers=key("one"))
    assert again.content == taken_over.content and await scripting.count("tag") == 1


async def test_a_fault_of_ours_is_not_kept(scripting: Scripting, monkeypatch: pytest.MonkeyPatch) -> None:
    await scripting.customer()
    script = await scripting.script()
    for fault, status in ((Unavailable("the disk is full"), 503), (RuntimeError("a bug"), 500)):
        async def broken(*_: Any, fault: Exception = fault) -> Any:
            raise fault

        monkeypatch.setattr(inbox_api, "conversation_for", broken)
        problem(await script.post("/api/v1/messages", json=MESSAGE, headers=key("one")), status)
        monkeypatch.undo()
    answer = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    assert answer.status_code == 202 and REPLAYED not in answer.headers


async def test_an_answer_that_cannot_be_kept_is_told_all_the_same(
        scripting: Scripting, monkeypatch: pytest.MonkeyPatch) -> None:
    await scripting.customer()
    script = await scripting.script()
    async with scripting.world.workspace(scripting.world.acme) as workspace:
        ingest, opened = workspace.ingest, 0

        def full(source: str) -> Any:
            nonlocal opened
            opened += source == "idempotency"
            if source == "idempotency" and opened == 2:
                raise Unavailable("the disk is full")
            return ingest(source)

        monkeypatch.setattr(workspace, "ingest", full)
        first = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    assert first.status_code == 202
    problem(await script.post("/api/v1/messages", json=MESSAGE, headers=key("one")), 409)
    await aged(scripting, 2 * MINUTE)
    again = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    assert again.json()["id"] == first.json()["id"]
    await scripting.world.settle()
    assert len(scripting.ledger) == 1


async def test_after_two_days_a_key_is_free_again(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    first = await script.post("/api/v1/messages", json=MESSAGE, headers=key("one"))
    await aged(scripting, 48 * HOUR + MINUTE)
    other = await script.post("/api/v1/messages", json=MESSAGE | {"text": {"body": "other"}}, headers=key("one"))
    assert other.status_code == 202 and other.json()["id"] != first.json()["id"]
    assert await scripting.count("idempotent_answer") == 1
    await scripting.world.settle()
    assert len(scripting.ledger) == 2
