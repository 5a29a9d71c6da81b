"""The Graph client over real sockets: what goes out, what comes back, and what each failure allows the caller."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from chime.security.vault import Secret
from chime.whatsapp import client as client_module
from chime.whatsapp.answers import Doubtful, GraphRefused, NotSent
from chime.whatsapp.client import GraphClient
from chime.whatsapp.errors import Verdict
from tests.support.scripted_server import (
    ScriptedServer,
    Turn,
    answer,
    drip,
    drop,
    json_answer,
    last_words,
    silence,
)

TOKEN = Secret("EAAdemo")
PNID, WABA = "411222333444555", "377001122334455"
BODY = {"messaging_product": "whatsapp", "to": "+14155550123", "type": "text", "text": {"body": "Grüße 👋"}}
ACCEPTED = json_answer({
    "messaging_product": "whatsapp", "contacts": [{"input": "+14155550123", "wa_id": "14155550123"}],
    "messages": [{"id": "wamid.OUT1", "message_status": "accepted"}],
})
Served = tuple[ScriptedServer, GraphClient]


@contextlib.asynccontextmanager
async def graph(*turns: Turn | bytes) -> AsyncIterator[Served]:
    async with ScriptedServer(list(turns)) as server:
        client = GraphClient(f"{server.url}/", "v26.0")
        try:
            yield server, client
        finally:
            await client.close()


def graph_error(code: int, message: str = "", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1", **more}}


async def test_a_message_as_it_goes_over_the_wire() -> None:
    async with graph(ACCEPTED) as (server, client):
        accepted = await client.send(PNID, TOKEN, BODY, app_secret=b"app_secret_demo")
        await client.send(PNID, TOKEN, BODY)
    assert (accepted.wamid, accepted.wa_id, accepted.user_id) == ("wamid.OUT1", "14155550123", None)
    assert accepted.message_status == "accepted"
    first, second = server.requests
    assert (first.method, first.path) == ("POST", f"/v26.0/{PNID}/messages")
    # The example of whatsapp-templates-billing.md 7.4.
    assert first.query == {"appsecret_proof": "a3c26ee81d21efb9a8ace7144ab55dab4225dbd835f75ea5dab42f92ada08c05"}
    assert second.query == {}
    assert first.headers["authorization"] == "Bearer EAAdemo"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["user-agent"].startswith("Chime/")
    assert json.loads(first.body) == BODY
    assert server.connections == 1


@pytest.mark.parametrize("said, expected", [
    ({"contacts": [{"input": "+5511955500100", "wa_id": "551155500100"}], "messages": [{"id": "wamid.1"}]},
     ("wamid.1", "551155500100", None, "accepted")),
    ({"contacts": [{"input": "US.7Hq2mZ90", "user_id": "US.7Hq2mZ90"}],
      "messages": [{"id": "wamid.2", "message_status": "held_for_quality_assessment"}]},
     ("wamid.2", None, "US.7Hq2mZ90", "held_for_quality_assessment")),
    ({"messages": [{"id": 77}]}, ("77", None, None, "accepted")),
], ids=["other-number", "user-id", "bare"])
async def test_what_an_acceptance_may_say(said: dict[str, Any], expected: tuple[object, ...]) -> None:
    async with graph(json_answer(said)) as (_, client):
        accepted = await client.send(PNID, TOKEN, BODY)
    assert (accepted.wamid, accepted.wa_id, accepted.user_id, accepted.message_status) == expected


@pytest.mark.parametrize("turn", [
    drop,
    silence,
    drip(ACCEPTED, pause=0.05),
    last_words(ACCEPTED[:-10]),
    last_words(b"hello"),
    answer(b"<html>Bad gateway</html>", 502),
    answer(b"", 503),
    answer(b'{"message": "upstream timed out"}', 504),
    answer(b"", 408),
    answer(b"", 302, "Location: http://127.0.0.1:9/"),
    answer(b'{"messages": [{"id": "wamid', 200),
    answer(b"null", 200),
    json_answer({"messaging_product": "whatsapp", "messages": []}),
    json_answer({"messages": "none", "contacts": 3}),
], ids=["dropped", "silent", "dripping", "truncated", "garbled", "proxy-page", "503", "504", "408", "redirect",
        "broken-json", "null", "no-message", "odd"])
async def test_a_send_without_a_clear_answer_is_doubtful(turn: Turn | bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_TIMEOUTS", httpx.Timeout(0.3).as_dict())
    monkeypatch.setattr(client_module, "_DEADLINE", 0.6)
    async with graph(turn) as (server, client):
        with pytest.raises(Doubtful) as caught:
            await client.send(PNID, TOKEN, BODY)
        assert len(server.requests) == 1, "a doubtful send must not be repeated"
    assert caught.value.reason == str(caught.value) != ""


async def test_a_send_that_never_left() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = GraphClient(f"http://127.0.0.1:{free.getsockname()[1]}", "v26.0")
        with pytest.raises(NotSent, match="No connection"):
            await client.send(PNID, TOKEN, BODY)
        await client.close()


@pytest.mark.parametrize("token", ["", "EAA\r\nX-Evil: 1", "EAA demo ", "EAA\0", "Ünicode"])
async def test_a_token_that_cannot_be_one_is_not_sent(token: str) -> None:
    async with graph(ACCEPTED) as (server, client):
        with pytest.raises(NotSent, match="token"):
            await client.send(PNID, Secret(token), BODY)
    assert server.connections == 0


@pytest.mark.parametrize("node", ["", "..", "1/2", "1?fields=x", "1#", "1%2f2", "1 2", "１２"])
async def test_an_id_that_cannot_be_one_is_not_sent(node: str) -> None:
    calls: list[tuple[str, Callable[[GraphClient], Awaitable[object]]]] = [
        ("phone_number_id", lambda client: client.send(node, TOKEN, BODY)),
        ("phone_number_id", lambda client: client.phone_number(node, TOKEN)),
        ("phone_number_id", lambda client: client.media_url("1", node, TOKEN)),
        ("media_id", lambda client: client.media_url(node, PNID, TOKEN)),
        ("waba_id", lambda client: client.templates(node, TOKEN)),
        ("waba_id", lambda client: client.subscribe_app(node, TOKEN)),
        ("app_id", lambda client: client.debug_token(TOKEN, node, b"s")),
    ]
    async with graph(ACCEPTED) as (server, client):
        for field, call in calls:
            with pytest.raises(NotSent, match=field):
                await call(client)
    assert server.connections == 0


@pytest.mark.parametrize("status, error, verdict", [
    (400, graph_error(131047, "(#131047) Re-engagement message", error_data={"details": "24 hours"}), Verdict.REFUSE),
    (401, graph_error(190, "Session has expired"), Verdict.REFUSE),
    (400, graph_error(131049), Verdict.DELAY),
    (500, graph_error(131000), Verdict.DOUBT),
    (200, graph_error(131009), Verdict.REFUSE),
    (400, {"error": {"code": "131026"}}, Verdict.REFUSE),
])
async def test_a_refusal_carries_what_metas_code_means(status: int, error: dict[str, Any], verdict: Verdict) -> None:
    async with graph(json_answer(error, status)) as (_, client):
        with pytest.raises(GraphRefused) as caught:
            await client.send(PNID, TOKEN, BODY)
    failure = caught.value.failure
    assert (failure.code, failure.verdict) == (int(error["error"]["code"]), verdict)
    assert caught.value.http_status == status
    assert failure.title in str(caught.value) and failure.what_to_do in str(caught.value)


async def test_a_refusal_knows_how_often_it_was_tried_and_what_the_headers_say() -> None:
    pair, busy = graph_error(131056), graph_error(130429)
    async with graph(json_answer(pair, 400), json_answer(busy, 429, "Retry-After: 90"), answer(b"", 429)) \
            as (_, client):
        failures = []
        for attempt in (3, 1, 1):
            with pytest.raises(GraphRefused) as caught:
                await client.send(PNID, TOKEN, BODY, attempt=attempt)
            failures.append(caught.value.failure)
    assert failures[0].retry_after_seconds == 64
    assert (failures[1].retry_after_seconds or 0) >= 90
    assert all(failure.verdict is Verdict.RETRY for failure in failures)


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_plain_refusal_without_metas_error(status: int) -> None:
    async with graph(answer(b"<html>", status)) as (_, client):
        with pytest.raises(GraphRefused) as caught:
            await client.send(PNID, TOKEN, BODY)
    assert (caught.value.http_status, caught.value.failure.verdict) == (status, Verdict.REFUSE)


async def test_a_cancelled_send_hangs_up() -> None:
    async with graph(silence, ACCEPTED) as (server, client):
        task = asyncio.create_task(client.send(PNID, TOKEN, BODY))
        await server.until_asked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until_hung_up()
        assert (await client.send(PNID, TOKEN, BODY)).wamid == "wamid.OUT1"


async def test_read_receipt() -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.IN1"}
    async with graph(json_answer({"success": True}), json_answer({"success": True}, 302)) as (server, client):
        await client.mark_read(PNID, TOKEN, body)
        with pytest.raises(Doubtful):
            await client.mark_read(PNID, TOKEN, body)
    assert (server.requests[0].path, json.loads(server.requests[0].body)) == (f"/v26.0/{PNID}/messages", body)


async def test_all_pages_of_templates() -> None:
    def page(name: str, after: str | None) -> bytes:
        paging = {"cursors": {"before": "b", "after": after or "end"}}
        if after:  # with the token in it, to another host: it must not be followed
            paging["next"] = f"http://127.0.0.1:9/v26.0/{WABA}/message_templates?access_token=x&after={after}"  # type: ignore[assignment]
        return json_answer({"data": [{"name": name}, "odd"], "paging": paging})

    async with graph(page("a", "c1"), page("b", "c2"), page("c", None)) as (server, client):
        found = await client.templates(WABA, TOKEN)
    assert [template["name"] for template in found] == ["a", "b", "c"]
    assert [request.query.get("after") for request in server.requests] == [None, "c1", "c2"]
    assert all(request.path == f"/v26.0/{WABA}/message_templates" for request in server.requests)
    assert "quality_score" in server.requests[0].query["fields"]


async def test_templates_without_end() -> None:
    around = json_answer({"data": [], "paging": {"next": "https://x", "cursors": {"after": "same"}}})
    async with graph(around) as (server, client):
        with pytest.raises(Doubtful):
            await client.templates(WABA, TOKEN)
    assert len(server.requests) == 2


async def test_small_calls() -> None:
    async with graph(
        json_answer({"id": PNID, "quality_rating": "GREEN"}),
        json_answer({"data": [{"whatsapp_business_api_data": {"id": "1"}}]}),
        json_answer({"success": True}),
        json_answer({"data": {"is_valid": True, "app_id": "55"}}),
    ) as (server, client):
        assert (await client.phone_number(PNID, TOKEN))["quality_rating"] == "GREEN"
        assert await client.subscribed_apps(WABA, TOKEN) == [{"whatsapp_business_api_data": {"id": "1"}}]
        await client.subscribe_app(WABA, TOKEN)
        assert await client.debug_token(TOKEN, "55", b"the secret") == {"is_valid": True, "app_id": "55"}
    number, apps, subscribe, debug = server.requests
    assert (number.method, number.path) == ("GET", f"/v26.0/{PNID}")
    assert "whatsapp_business_manager_messaging_limit" in number.query["fields"]
    assert (apps.method, subscribe.method, subscribe.path) == ("GET", "POST", f"/v26.0/{WABA}/subscribed_apps")
    assert subscribe.headers["content-length"] == "0"
    assert (debug.path, debug.query) == ("/v26.0/debug_token", {"input_token": "EAAdemo"})
    assert debug.headers["authorization"] == "Bearer 55|the secret"


async def test_another_transport_may_carry_the_calls() -> None:
    asked = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"messages": [{"id": "wamid.9"}]})

    client = GraphClient("https://graph.facebook.com", "v26.0", transport=httpx.MockTransport(reply))
    assert (await client.send(PNID, TOKEN, BODY)).wamid == "wamid.9"
    await client.close()
    assert asked == [f"https://graph.facebook.com/v26.0/{PNID}/messages"]
