"""The simulator's Graph API over real HTTP: what is answered, what is refused, what is accepted."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import httpx
import pytest

from chime.simulator import seed
from tests.http.simulator_setup import BUSINESS, GRAPH, PNID, SECRET, TOKEN, WABA, Setup, code, setup

__all__ = ["setup"]


async def test_outside_the_window_only_a_template_goes(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    assert (await setup.text()).status_code == 200
    answer = await setup.http.post("/simulator/clock", json={"hours": 25})
    assert answer.json()["ahead_ms"] == 25 * 3600 * 1000
    refused = await setup.text()
    assert (refused.status_code, code(refused)) == (400, 131047)
    assert "24 hours" in refused.json()["error"]["error_data"]["details"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messaging_product": None}, 100),
        ({"to": None}, 131008),
        ({"to": f"+{BUSINESS}"}, 131021),
        ({"recipient": "not one", "to": None}, 131009),
        ({"surprise": 1}, 100),
        ({"type": "telegram"}, 100),
        ({"type": "text", "text": {"body": ""}}, 131008),
        ({"type": "text", "text": {"body": "x" * 4097}}, 100),
        ({"type": "text", "text": {"body": "x", "previewUrl": True}}, 100),
        ({"type": "image", "image": {"id": "1", "link": "https://x.test/a.png"}}, 100),
        ({"type": "image", "image": {"id": "123"}}, 131009),
        ({"type": "location", "location": {"latitude": 91, "longitude": 0}}, 131009),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}]}, 131009),
        ({"biz_opaque_callback_data": "x" * 513}, 100),
        ({"type": "interactive", "interactive": {"type": "button", "body": {"text": "?"}, "action": {"buttons": [
            {"type": "reply", "reply": {"id": str(n), "title": "same"}} for n in range(2)]}}}, 131009),
        ({"type": "interactive", "interactive": {"type": "list", "body": {"text": "?"}, "action": {
            "button": "More", "sections": [{"rows": [{"id": str(n), "title": "x"} for n in range(11)]}]}}}, 131009),
        ({"type": "template", "template": {"name": "nowhere", "language": {"code": "en"}}}, 132001),
    ],
)  # fmt: skip
async def test_what_meta_refuses_is_refused_and_not_accepted(
    setup: Setup, body: dict[str, Any], expected: int,
) -> None:
    await setup.writes(await setup.customer())
    answer = await setup.send({"type": "text", "text": {"body": "x"}, **body})
    assert code(answer) == expected
    assert (await setup.http.get("/simulator/ledger")).json()["items"] == []


async def test_unknown_number_and_bad_tokens(setup: Setup) -> None:
    answer = await setup.http.post(f"{GRAPH}/999/messages", json={"messaging_product": "whatsapp"})
    assert (answer.status_code, code(answer)) == (400, 33)
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": ""}):
        answer = await setup.http.get(f"{GRAPH}/{PNID}", headers=headers)
        assert (answer.status_code, code(answer)) == (401, 190)
    proof = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
    assert (await setup.http.get(f"{GRAPH}/{PNID}?appsecret_proof={proof}")).status_code == 200
    assert code(await setup.http.get(f"{GRAPH}/{PNID}?appsecret_proof=0")) == 100
    assert code(await setup.http.post(f"{GRAPH}/{PNID}/messages", content=b"{")) == 100
    await setup.switch(token_expired=True)
    assert code(await setup.http.get(f"{GRAPH}/{PNID}")) == 190


async def test_templates_count_their_parameters(setup: Setup) -> None:
    await seed(setup.simulator, PNID)

    async def answer_to(name: str, *components: dict[str, Any]) -> httpx.Response:
        template = {"name": name, "language": {"code": "en"}, "components": list(components)}
        return await setup.send({"type": "template", "template": template})

    def body(*texts: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
        named = [{"parameter_name": name} for name in names] or [{} for _ in texts]
        pairs = zip(texts, named, strict=True)
        return {"type": "body", "parameters": [{"type": "text", "text": text, **name} for text, name in pairs]}

    url = {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "7"}]}
    assert (await answer_to("order_confirmation", body("Maya", "7"), url)).status_code == 200
    assert code(await answer_to("order_confirmation", body("Maya"), url)) == 132000
    assert code(await answer_to("order_confirmation", body("Maya", "7"))) == 132000
    assert code(await answer_to("order_confirmation", body("Maya", "a\nb"), url)) == 132018
    assert code(await answer_to("welcome_offer", body("Maya"))) == 132012
    assert code(await answer_to("delivery_update", body("7", "Friday"))) in (100, 132000)
    await setup.settled()
    known = (await setup.http.get(f"{GRAPH}/{WABA}/message_templates?name=welcome_offer")).json()["data"]
    await setup.http.post(f"/simulator/templates/{known[0]['id']}/status", json={"event": "PAUSED"})
    assert code(await answer_to("welcome_offer", body("Maya"))) == 132015
    await setup.settled()
    changed = [one for one in setup.receiver.changes if one["field"] == "message_template_status_update"]
    assert changed[0]["value"]["message_template_id"] == int(known[0]["id"])


async def test_templates_are_listed_in_pages(setup: Setup) -> None:
    await seed(setup.simulator, PNID, deliver=False)
    names: list[str] = []
    address: str | None = f"{GRAPH}/{WABA}/message_templates?limit=4&fields=name,language"
    while address:
        page = (await setup.http.get(address)).json()
        assert all(set(row) == {"id", "name", "language"} for row in page["data"])
        names += [row["name"] for row in page["data"]]
        address = page["paging"].get("next")
    assert len(names) == len(setup.simulator.world.templates[WABA]) == 9
    assert setup.receiver.posts == []


async def test_media_goes_up_and_comes_down(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.writes(customer, {"type": "image", "image": {"caption": "look"}})
    await setup.settled()
    image = setup.receiver.items("messages")[0]["image"]
    shown = (await setup.http.get(f"{GRAPH}/{image['id']}?phone_number_id={PNID}")).json()
    assert (await setup.http.get(shown["url"], headers={"Authorization": ""})).status_code == 401
    content = (await setup.http.get(shown["url"])).content
    assert hashlib.sha256(content).hexdigest() == shown["sha256"] == base64.b64decode(image["sha256"]).hex()
    await setup.http.post("/simulator/clock", json={"hours": 0.1})
    assert (await setup.http.get(shown["url"])).status_code == 404
    uploaded = (await setup.upload(content, "image/png")).json()["id"]
    assert (await setup.send({"type": "image", "image": {"id": uploaded}})).status_code == 200
    assert code(await setup.upload(b"x", "image/tiff")) == 100
    assert code(await setup.upload(b"x" * (5 << 20) + b"x", "image/png")) == 131053
    voice = (await setup.upload(b"OggS", "audio/ogg")).json()["id"]
    await setup.quiet()
    assert (await setup.send({"type": "image", "image": {"id": voice}})).status_code == 200
    await setup.settled()
    assert setup.receiver.statuses == ["sent", "failed"]
    assert (await setup.http.delete(f"{GRAPH}/{uploaded}")).json() == {"success": True}
    assert code(await setup.http.get(f"{GRAPH}/{uploaded}")) == 33


async def test_subscriptions(setup: Setup) -> None:
    customer = await setup.customer()
    address = f"{GRAPH}/{WABA}/subscribed_apps"
    assert (await setup.http.get(address)).json()["data"][0]["whatsapp_business_api_data"]["id"] == "900"
    await setup.http.delete(address)
    await setup.writes(customer)
    await setup.settled()
    assert setup.receiver.posts == []
    override = {"override_callback_uri": f"{setup.webhook}/t7", "verify_token": "wrong"}
    assert code(await setup.http.post(address, json=override)) == 100
    assert (await setup.http.post(address, json={**override, "verify_token": "verify me"})).status_code == 200
    assert (await setup.http.get(address)).json()["data"][0]["override_callback_uri"] == f"{setup.webhook}/t7"
    await setup.writes(customer)
    await setup.settled()
    assert len(setup.receiver.posts) == 1


async def test_number_fields_and_token(setup: Setup) -> None:
    shown = (await setup.http.get(f"{GRAPH}/{PNID}?fields=verified_name,throughput{{level}},quality_rating")).json()
    assert shown == {
        "verified_name": "Shop", "throughput": {"level": "STANDARD"}, "quality_rating": "GREEN", "id": PNID
    }
    assert code(await setup.http.get(f"{GRAPH}/{PNID}?fields=shoe_size")) == 100
    token = (await setup.http.get(f"{GRAPH}/debug_token?input_token={TOKEN}")).json()["data"]
    assert token["is_valid"] and token["app_id"] == "900" and "whatsapp_business_messaging" in token["scopes"]
    await setup.switch(token_expired=True)
    asked = f"{GRAPH}/debug_token?input_token={TOKEN}"
    answer = await setup.http.get(asked, headers={"Authorization": f"Bearer 900|{SECRET}"})
    assert answer.json()["data"]["is_valid"] is False


async def test_reading_and_typing(setup: Setup) -> None:
    customer = await setup.customer()
    wamid = await setup.writes(customer)
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    answer = await setup.http.post(f"{GRAPH}/{PNID}/messages", json={**body, "typing_indicator": {"type": "text"}})
    assert answer.json() == {"success": True}
    chat = (await setup.http.get(f"/simulator/customers/{customer}/messages")).json()
    assert chat["typing"] and chat["items"][0]["status"] == "read"
    body["message_id"] = "wamid.unknown"
    assert code(await setup.http.post(f"{GRAPH}/{PNID}/messages", json=body)) == 131009
