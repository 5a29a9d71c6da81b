"""What holds for every call of the API: keys and scopes, problem documents, limits, bodies that cannot be read."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from chime.app import create_app, routes_of
from chime.security.permissions import API_SCOPES
from tests.http.api_setup import STRANGE_ID, Scripting, fields, problem, scripting
from tests.support.world import World

__all__ = ["scripting"]


def operations(world: World) -> list[tuple[str, str, str]]:
    """Method, address with ids that exist nowhere, and scope of every call."""
    found = []
    for handler in routes_of(create_app(world.services)):
        if not handler.opt.get("api"):
            continue
        for path in handler.paths:
            pieces = [STRANGE_ID if piece.startswith("{") else piece for piece in path.split("/")]
            method = next(iter(handler.http_methods))  # type: ignore[attr-defined]
            found.append((method, "/".join(pieces), handler.opt["permission"].value))
    return found


async def test_every_call_needs_a_key_and_its_own_scope(scripting: Scripting) -> None:
    world = scripting.world
    calls = operations(world)
    assert len(calls) > 20
    scopes = {scope.value for scope in API_SCOPES}
    alone = {scope: await scripting.script(scope) for scope in scopes}
    others = {scope: await scripting.script(",".join(scopes - {scope})) for scope in scopes}
    async with httpx.AsyncClient(base_url=world.base) as nobody:
        for method, path, needed in calls:
            body: dict[str, Any] = {"json": {}} if method in ("POST", "PATCH") else {}
            answer = await nobody.request(method, path, **body)
            problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            # What all the other scopes together do not open, none of them does.
            for script, opens in ((others[needed], False), (alone[needed], True)):
                answer = await script.request(method, path, **body)
                assert (answer.status_code == 403) != opens, (method, path, needed, answer.text)
                assert answer.status_code < 500, answer.text
                assert answer.headers["ratelimit"] and answer.headers["ratelimit-policy"]
                assert answer.headers["cache-control"] and answer.headers["x-request-id"]


async def test_a_key_counts_in_its_header_only(scripting: Scripting) -> None:
    world = scripting.world
    key = await world.key(world.acme)
    alice = await world.session("alice")
    problem(await alice.get("/api/v1/contacts"), 401)
    async with httpx.AsyncClient(base_url=world.base) as script:
        for headers in ({"Authorization": f"Basic {key}"}, {"Authorization": key}, {"X-API-Key": key},
                        {"Cookie": f"chime={key}"}, {"Authorization": f"Bearer {key}x"}, {"Authorization": "Bearer x"}):
            problem(await script.get("/api/v1/contacts", headers=headers), 401)
        problem(await script.get("/api/v1/contacts", params={"key": key}), 401)
        answer = await script.get("/api/v1/contacts", headers={"Authorization": f"bearer {key}"})
        assert answer.status_code == 200


@pytest.mark.parametrize("change", ["revoked_at = 1", "expires_at = 1"])
async def test_revoked_and_expired_keys(scripting: Scripting, change: str) -> None:
    script = await scripting.script()
    assert (await script.get("/api/v1/tags")).status_code == 200
    async with scripting.world.services.control.ingest("test") as tx:
        await tx.execute(f"UPDATE api_key SET {change}")
    problem(await script.get("/api/v1/tags"), 401)


async def test_unknown_addresses_and_methods(scripting: Scripting) -> None:
    script = await scripting.script()
    for path in ("/api/", "/api/v1", "/api/v1/nothing", "/api/v2/messages", "/api/v1/messages/a/b/c",
                 "/api/v1/messages/a%2Fb/c", f"/api/v1/messages/{'x' * 3000}"):
        problem(await script.get(path), 404)
    for method, path in (("PUT", "/api/v1/contacts"), ("DELETE", "/api/v1/tags"), ("PUT", "/api/v1/messages"),
                         ("PATCH", f"/api/v1/messages/{STRANGE_ID}"), ("POST", "/api/v1/openapi.json")):
        answer = await script.request(method, path)
        problem(answer, 405)
        allowed = {name.strip() for name in answer.headers["allow"].split(",")}
        assert allowed and method not in allowed, (method, path)


async def test_bodies_that_cannot_be_read(scripting: Scripting) -> None:
    script = await scripting.script()
    headers = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[" * 100_000, b'{"name": "\xff"}', b'{"name": "\\ud800"}', b'{"name": 1e999}',
                 b'{"name": ' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{}", b"NaN"):
        problem(await script.post("/api/v1/tags", content=body, headers=headers), 400)
    problem(await script.post("/api/v1/tags", content=b'{"name": "a"}'), 400)
    problem(await script.post("/api/v1/tags", data={"name": "a"}), 400)
    problem(await script.post("/api/v1/tags", content=b'"' + b"x" * (1024 * 1024) + b'"', headers=headers), 400)
    boundary = {"Content-Type": "multipart/form-data"}
    problem(await script.post("/api/v1/media", content=b"x", headers=boundary), 400)
    broken = {"Content-Type": "multipart/form-data; boundary=a"}
    for extra in ({}, {"Idempotency-Key": "one"}):
        answer = await script.post("/api/v1/media", content=b"--b\r\nrubbish", headers=broken | extra)
        assert answer.status_code in (400, 422), answer.text
    spelt = {"Content-Type": "APPLICATION/json; charset=utf-8"}
    answer = await script.post("/api/v1/tags", json={"name": "a"}, headers=spelt)
    assert answer.status_code == 201


async def test_odd_json_is_never_our_fault(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    odd: list[Any] = [None, True, 0, -1, 10**40, 1.5, "", "x", "\0", "💩" * 600, [], [[]], {}, {"": ""}, {"id": None},
                      deep, {"\n": deep}, ["x"] * 5000]
    names = ["to", "contact_id", "recipient", "conversation_id", "channel_id", "type", "context", "text", "image",
             "contacts", "reaction", "interactive", "template", "location", "\0", "x" * 500]
    base = {"to": "+14155550101", "type": "text", "text": {"body": "x"}}
    for value in odd:
        for name in names:
            answer = await script.post("/api/v1/messages", json=base | {name: value})
            assert answer.status_code in (202, 404, 422), (name, value, answer.text)
        for name in ("phone", "user_id", "name", "tags", "fields", "marketing_consent"):
            answer = await script.post("/api/v1/contacts", json={"phone": "+14155550777", name: value})
            assert answer.status_code in (201, 409, 422), (name, value, answer.text)
        answer = await script.post("/api/v1/tags", json={"name": value})
        assert answer.status_code in (201, 409, 422), (value, answer.text)


async def test_a_key_that_calls_too_often_is_told_when_to_come_back(limited_world: World) -> None:
    world = limited_world
    async with world.client(await world.key(world.acme)) as script:
        answers = [await script.get("/api/v1/tags") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        problem(answers[-1], 429)
        assert all(answer.headers["ratelimit-policy"] and answer.headers["ratelimit"] for answer in answers)
        assert 'r=0' in answers[-1].headers["ratelimit"]
        wait = int(answers[-1].headers["retry-after"])
        assert wait == 1
        await asyncio.sleep(wait)
        assert (await script.get("/api/v1/tags")).status_code == 200
    async with world.client(await world.key(world.acme)) as other:
        assert (await other.get("/api/v1/tags")).status_code == 200


async def test_a_refused_call_leaves_no_idempotency_key(limited_world: World) -> None:
    world = limited_world
    async with world.client(await world.key(world.acme)) as script:
        headers = {"Idempotency-Key": "one"}
        for number in range(3):
            assert (await script.post("/api/v1/tags", json={"name": f"t{number}"})).status_code == 201
        problem(await script.post("/api/v1/tags", json={"name": "late"}, headers=headers), 429)
        await asyncio.sleep(1)
        answer = await script.post("/api/v1/tags", json={"name": "late"}, headers=headers)
        assert answer.status_code == 201 and "idempotency-replayed" not in answer.headers


async def test_nothing_of_the_body_is_in_the_log(scripting: Scripting, caplog: pytest.LogCaptureFixture) -> None:
    await scripting.customer()
    script = await scripting.script()
    with caplog.at_level("DEBUG"):
        answer = await script.post("/api/v1/messages", json={
            "to": "+14155550101", "type": "text", "text": {"body": "very private words"}})
        await script.post("/api/v1/contacts", json={"phone": "very private", "name": "Ana"})
        await scripting.world.settle()
    ours = "\n".join(record.getMessage() + str(getattr(record, "fields", "")) for record in caplog.records
                     if record.name.startswith("chime"))
    assert answer.status_code == 202 and "private" not in ours and "14155550101" not in ours
    assert fields(await script.post("/api/v1/contacts", json={})) == {
        "phone": "Give a phone number or a WhatsApp user id."}
