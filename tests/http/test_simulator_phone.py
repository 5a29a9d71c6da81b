"""The simulator's phone over real HTTP: every kind of message, the sample world, the page, the process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from chime.clock import Clock
from chime.simulator import Simulator, seed
from tests.http.simulator_setup import GRAPH, PHONE, PNID, WABA, Setup, setup

__all__ = ["setup"]

KINDS: list[dict[str, Any]] = [
    {"type": "text", "text": {"body": "hi"}},
    {"type": "image", "image": {"caption": "look"}},
    {"type": "video", "video": {}},
    {"type": "audio", "audio": {}},
    {"type": "document", "document": {}},
    {"type": "sticker", "sticker": {}},
    {"type": "location", "location": {"latitude": 1.5, "longitude": 2}},
    {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}]},
    {"type": "button", "button": {"payload": "p", "text": "Confirm"}},
    {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "a", "title": "A"}}},
    {"type": "order", "order": {"catalog_id": "1", "product_items": []}},
    {"type": "unsupported", "unsupported": {"type": "poll_creation"}, "errors": [{"code": 131051}]},
    {"type": "request_welcome"},
    {"type": "hologram", "hologram": {"depth": 3}},
    {"type": "text", "text": {"body": "from an ad"}, "referral": {"source_type": "ad", "ctwa_clid": "c"}},
]


@pytest.mark.parametrize("body", KINDS, ids=lambda body: "ad" if "referral" in body else body["type"])
async def test_every_kind_goes_out_as_meta_sends_it(setup: Setup, body: dict[str, Any]) -> None:
    customer = await setup.customer()
    wamid = await setup.writes(customer, body)
    await setup.settled()
    message = setup.receiver.items("messages")[0]
    assert (message["id"], message["type"]) == (wamid, body["type"])
    part = message.get(body["type"])
    if isinstance(part, dict) and "sha256" in part:
        assert (await setup.http.get(f"{GRAPH}/{part['id']}")).json()["mime_type"] == part["mime_type"]
        assert (await setup.http.get(f"/simulator/files/{part['id']}")).status_code == 200
    else:
        assert part == body.get(body["type"])
    assert message.get("referral") == body.get("referral")
    chat = (await setup.http.get(f"/simulator/customers/{customer}/messages")).json()
    assert chat["items"][0]["wamid"] == wamid and chat["customer"]["window_open"]


async def test_reactions_edits_and_deletions(setup: Setup) -> None:
    customer = await setup.customer()
    wamid = await setup.writes(customer)
    edit = {"type": "edit", "edit": {"original_message_id": wamid, "message": {"type": "text", "text": {"body": "ho"}}}}
    await setup.writes(customer, edit)
    await setup.writes(customer, {"type": "reaction", "reaction": {"message_id": wamid, "emoji": "👍"}})
    chat = (await setup.http.get(f"/simulator/customers/{customer}/messages")).json()["items"]
    assert (chat[0]["text"], chat[0]["edited"], chat[0]["reactions"]) == ("ho", True, ["👍"])
    await setup.writes(customer, {"type": "reaction", "reaction": {"message_id": wamid}})
    await setup.writes(customer, {"type": "revoke", "revoke": {"original_message_id": wamid}})
    chat = (await setup.http.get(f"/simulator/customers/{customer}/messages")).json()["items"]
    assert len(chat) == 1 and chat[0]["revoked"] and chat[0]["text"] == "" and chat[0]["reactions"] == []
    await setup.settled()
    kinds = [message["type"] for message in setup.receiver.items("messages")]
    assert kinds == ["text", "edit", "reaction", "reaction", "revoke"]


async def test_a_changed_number_keeps_the_person(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.writes(customer)
    before = (await setup.http.get("/simulator/customers")).json()["items"][0]
    await setup.writes(customer, {"type": "system", "system": {"type": "user_changed_number", "wa_id": "14155550142"}})
    await setup.settled()
    value = setup.receiver.changes[-1]["value"]
    system = value["messages"][0]["system"]
    assert "contacts" not in value and value["messages"][0]["from"] == PHONE
    assert (system["wa_id"], system["previous_user_id"]) == ("14155550142", before["user_id"])
    assert (await setup.text(to="14155550142")).status_code == 200
    await setup.writes(customer, {"type": "system", "system": {"type": "user_changed_user_id"}})
    await setup.settled()
    last = setup.receiver.items("messages")[-1]
    assert "from" not in last and last["system"]["previous_user_id"] == system["user_id"]


async def test_tapping_an_answer_sends_the_reply(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.writes(customer)
    buttons = [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]
    interactive = {"type": "button", "body": {"text": "?"}, "action": {"buttons": buttons}}
    sent = (await setup.send({"type": "interactive", "interactive": interactive})).json()["messages"][0]["id"]
    await setup.quiet()
    shown = (await setup.http.get(f"/simulator/customers/{customer}/messages")).json()["items"][-1]
    await setup.writes(customer, shown["buttons"][0]["reply"])
    await setup.settled()
    message = setup.receiver.items("messages")[0]
    assert message["interactive"]["button_reply"] == {"id": "yes", "title": "Yes"}
    assert message["context"] == {"from": "15550100200", "id": sent}


async def test_voice_played_preference_and_any_other_field(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.writes(customer)
    voice = (await setup.upload(b"OggS", "audio/ogg")).json()["id"]
    wamid = (await setup.send({"type": "audio", "audio": {"id": voice}})).json()["messages"][0]["id"]
    await setup.quiet()
    assert (await setup.http.post(f"/simulator/customers/{customer}/played", json={"wamid": wamid})).status_code == 204
    again = await setup.http.post(f"/simulator/customers/{customer}/played", json={"wamid": wamid})
    assert again.status_code == 404
    await setup.http.put(f"/simulator/customers/{customer}/preference", json={"value": "stop"})
    await setup.http.post("/simulator/changes", json={"field": "security", "value": {"event": "PIN_CHANGED"}})
    await setup.settled()
    assert setup.receiver.statuses == ["played"]
    assert setup.receiver.items("user_preferences")[0]["value"] == "stop"
    assert setup.receiver.changes[-1] == {"field": "security", "value": {"event": "PIN_CHANGED"}}
    assert isinstance(json.loads(setup.receiver.posts[-1][1])["entry"][0]["time"], int)


async def test_the_sample_world_is_delivered_with_its_own_times(setup: Setup) -> None:
    await seed(setup.simulator, PNID)
    history = [change for change in setup.receiver.changes if change["field"] == "history"]
    threads = history[0]["value"]["history"][0]["threads"]
    assert {"from" in message for thread in threads for message in thread["messages"]} == {True}
    messages = setup.receiver.items("messages")
    kinds = {message["type"] for message in messages}
    assert {"image", "audio", "location", "interactive", "order", "sticker", "reaction"} <= kinds
    now = setup.simulator.clock.now() // 1000
    ages = [now - int(message["timestamp"]) for message in messages]
    assert max(ages) > 24 * 3600 and min(ages) < 3600
    assert any("from" not in message for message in messages)
    rows = (await setup.http.get("/simulator/customers")).json()["items"]
    assert [row["name"] for row in rows if not row["window_open"]] == ["Jonas Weber"]


async def test_the_sample_world_has_the_same_ids_in_every_process(setup: Setup) -> None:
    other = Simulator(Clock())
    other.world.add_number(setup.simulator.world.number(PNID))
    for simulator in (setup.simulator, other):
        await seed(simulator, PNID, deliver=False)
        await seed(simulator, PNID)
    chats = [
        {name: [one.wamid for one in chat.messages] for name, chat in
         ((customer.customer_id, chat) for customer, chat in simulator.world.chats(PNID))}
        for simulator in (setup.simulator, other)
    ]
    assert chats[0] == chats[1] and len(chats[0]) == 15
    assert setup.receiver.posts == []


async def test_another_number_of_another_account(setup: Setup) -> None:
    number = {
        "phone_number_id": "2", "waba_id": "20", "display_phone_number": "+1 555 010 0300", "verified_name": "Other"
    }
    assert (await setup.http.post("/simulator/numbers", json=number)).status_code == 201
    assert (await setup.http.post("/simulator/numbers", json=number)).status_code == 422
    await setup.switch(batch=10)
    customer = await setup.customer()
    await setup.writes(customer)
    await setup.writes(customer, {"type": "text", "text": {"body": "x"}, "phone_number_id": "2"})
    await setup.settled()
    assert len(setup.receiver.posts) == 1
    assert [entry["id"] for entry in json.loads(setup.receiver.posts[0][1])["entry"]] == [WABA, "20"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/customers", {"name": "X"}, "phone"),
        ("/customers", {"name": "X", "phone": "12"}, "phone"),
        ("/customers", {"name": " ", "phone": "14155550150"}, "name"),
        ("/customers", {"name": "X", "colour": "red"}, "colour"),
        ("/clock", {"hours": -1}, "hours"),
        ("/clock", {"hours": "two"}, "hours"),
        ("/customers/{id}/messages", {"text": {"body": "x"}}, "type"),
        ("/customers/{id}/messages", {"type": "text", "text": {"body": ""}}, "text.body"),
        ("/customers/{id}/messages", {"type": "text"}, "text"),
        ("/customers/{id}/messages", {"type": "image", "image": {"id": "1"}}, "image.id"),
        ("/customers/{id}/messages", {"type": "location", "location": {"latitude": "x"}}, "location.latitude"),
        ("/customers/{id}/messages", {"type": "revoke", "revoke": {}}, "revoke.original_message_id"),
        ("/customers/{id}/messages", {"type": "text", "text": {"body": "x"}, "at": 99**9}, "at"),
    ],
)
async def test_wrong_input_is_named(setup: Setup, path: str, body: dict[str, Any], field: str) -> None:
    customer = await setup.customer()
    answer = await setup.http.post("/simulator" + path.format(id=customer), json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert setup.receiver.posts == []


async def test_only_declared_json_is_taken(setup: Setup) -> None:
    answer = await setup.http.post(
        "/simulator/customers", content=b'{"name":"x","phone":"14155550111"}', headers={"Content-Type": "text/plain"}
    )
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "content-type")


async def test_a_file_that_is_no_picture_is_a_download_that_cannot_run(setup: Setup) -> None:
    customer = await setup.customer()
    stored = await setup.http.post(
        f"/simulator/customers/{customer}/media?filename=x.html", content=b"<script>alert(1)</script>",
        headers={"Content-Type": "text/html"},
    )
    shown = await setup.http.get(f"/simulator/files/{stored.json()['id']}")
    assert shown.headers["content-disposition"] == "attachment"
    assert shown.headers["content-type"].startswith("application/octet-stream")
    assert shown.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def test_the_page_its_parts_and_its_policy(setup: Setup) -> None:
    page = await setup.http.get("/simulator/phone")
    assert "data-phone-body" in page.text and "<html" in page.text
    assert "require-trusted-types-for 'script'" in page.headers["content-security-policy"]
    fragment = await setup.http.get("/simulator/phone/fragment?customer=stranger")
    assert "data-phone-body" in fragment.text and "<html" not in fragment.text and "stranger" not in fragment.text
    for name in ("phone.js", "phone.css", "tokens.css"):
        asset = await setup.http.get(f"/simulator/assets/{name}")
        assert asset.status_code == 200
        again = await setup.http.get(f"/simulator/assets/{name}", headers={"If-None-Match": asset.headers["etag"]})
        assert again.status_code == 304
    assert (await setup.http.get("/simulator/assets/base.html")).status_code == 404


async def test_open_phones_are_told_who_changed(setup: Setup) -> None:
    customer = await setup.customer()
    async with setup.http.stream("GET", "/simulator/events") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: hello"
        await setup.writes(customer)
        async with asyncio.timeout(10):
            async for line in lines:
                if line == "event: changed":
                    break
            assert json.loads((await anext(lines)).removeprefix("data: ")) == [customer]


async def test_as_a_process_of_its_own_it_stops_at_once_with_a_stream_open(tmp_path: Path) -> None:
    for name in ("secret", "verify", "token"):
        (tmp_path / name).write_text(f"{name}\n")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chime.simulator", "--bind", f"127.0.0.1:{port}", "--app-id", "900",
        "--app-secret-file", tmp_path / "secret", "--verify-token-file", tmp_path / "verify",
        "--access-token-file", tmp_path / "token", "--webhook-url", "http://127.0.0.1:9/", "--phone-number-id", PNID,
        "--waba-id", WABA, stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert b"/simulator/phone" in await asyncio.wait_for(process.stdout.readline(), 20)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            number = await http.get(f"{GRAPH}/{PNID}", headers={"Authorization": "Bearer token"})
            assert number.json()["display_phone_number"] == "+1 555-010-0200"
            async with http.stream("GET", "/simulator/events") as stream:
                assert await anext(stream.aiter_lines()) == "event: hello"
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), 2.5) in (0, -signal.SIGTERM)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
