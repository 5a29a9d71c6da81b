"""Every kind of message the API takes reaches WhatsApp, and so do uploaded files."""

from __future__ import annotations

import hashlib
from typing import Any, get_args

import msgspec

from chime.inbox.addressing import SendMessage
from chime.simulator import Template
from chime.simulator.sample_media import sample
from chime.simulator.sample_templates import sample_templates
from chime.whatsapp import OutboundMessage
from tests.http.api_setup import MAYA, PNG, STRANGE_ID, Scripting, fields, problem, scripting
from tests.unit.whatsapp.outgoing import asking, flow, link_card, listing, products, replies

__all__ = ["scripting"]
TO = {"to": f"+{MAYA}"}
LINK = "https://chime.test/file"
KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": {"body": "See https://chime.test", "preview_url": True}},
    "image": {"type": "image", "image": {"link": LINK, "caption": "Front"}},
    "video": {"type": "video", "video": {"link": LINK}},
    "audio": {"type": "audio", "audio": {"link": LINK, "voice": True}},
    "document": {"type": "document", "document": {"link": LINK, "filename": "March.pdf"}},
    "sticker": {"type": "sticker", "sticker": {"link": LINK}},
    "location": {"type": "location", "location": {"latitude": 12.97, "longitude": "77.59", "name": "Shop"}},
    "contacts": {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana Lima", "first_name": "Ana"}}]},
    "buttons": asking("button", replies("Yes", "No")),
    "list": asking("list", listing(3, 2)),
    "link": asking("cta_url", {"name": "cta_url", "parameters": {"display_text": "Shop", "url": LINK}}),
    "location request": asking("location_request_message", {"name": "send_location"}),
    "product": asking("product", {"catalog_id": "801", "product_retailer_id": "SKU-1"}),
    "products": asking("product_list", products(2), header={"type": "text", "text": "New"}),
    "catalog": asking("catalog_message", {"name": "catalog_message"}),
    "flow": asking("flow", flow(flow_id="77")),
    "carousel": asking("carousel", {"cards": [link_card(0), link_card(1)]}),
}


async def test_every_kind_is_taken_and_reaches_whatsapp(scripting: Scripting) -> None:
    customer = await scripting.customer()
    script = await scripting.script()
    for name, body in KINDS.items():
        answer = await script.post("/api/v1/messages", json=TO | body)
        assert answer.status_code == 202, (name, answer.text)
        inner = body[body["type"]]
        assert answer.json()["content"] == (inner if isinstance(inner, dict) else {body["type"]: inner}), name
    await scripting.world.settle()
    assert sorted(entry.type for entry in scripting.ledger) == sorted(body["type"] for body in KINDS.values())
    chat = scripting.world.simulator.world.conversation(customer, scripting.world.acme.number.phone_number_id)
    arrived = [message.content for message in chat.messages if not message.from_customer]
    assert all(body[body["type"]] in arrived for body in KINDS.values())
    statuses = {row["status"] for row in await _messages(scripting)}
    assert statuses <= {"received", "sent", "delivered", "read"}


async def _messages(scripting: Scripting) -> list[dict[str, Any]]:
    script = await scripting.script()
    conversation = (await script.get("/api/v1/conversations")).json()["items"][0]
    answer = await script.get(f"/api/v1/conversations/{conversation['id']}/messages", params={"limit": 200})
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_the_reference_shows_every_kind_that_can_be_sent() -> None:
    known = {str(kind.__struct_config__.tag) for kind in get_args(OutboundMessage)}
    shown = {field.name: field for field in msgspec.structs.fields(SendMessage)}
    assert set(get_args(shown["type"].type)) == known
    assert known <= shown.keys()


async def test_templates_with_their_values(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    for template in sample_templates()[:2]:
        scripting.world.simulator.world.add_template(scripting.world.acme.number.waba_id, template)
    text = {"type": "text", "text": "1042"}
    positional = {"name": "order_confirmation", "language": {"code": "en"}, "components": [
        {"type": "body", "parameters": [{"type": "text", "text": "Maya"}, text]},
        {"type": "button", "sub_type": "url", "index": 0, "parameters": [text]}]}
    named = {"name": "delivery_update", "language": "en", "components": [
        {"type": "header", "parameters": [text | {"parameter_name": "first_name"}]},
        {"type": "body", "parameters": [text | {"parameter_name": "order_number"},
                                        text | {"parameter_name": "day"}]}]}
    for body in (positional, named):
        answer = await script.post("/api/v1/messages", json=TO | {"type": "template", "template": body})
        assert answer.status_code == 202, answer.text
    await scripting.world.settle()
    assert [entry.type for entry in scripting.ledger] == ["template", "template"]
    assert {row["status"] for row in await _messages(scripting)} <= {"received", "sent", "delivered", "read"}


async def test_an_uploaded_file_is_sent_and_can_be_read_back(scripting: Scripting) -> None:
    customer = await scripting.customer()
    script = await scripting.script()
    picture = sample("image").content
    answer = await script.post("/api/v1/media", files={"file": ("../a b.png", picture, "image/png")})
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    assert stored == {"id": stored["id"], "kind": "image", "mime_type": "image/png", "size": len(picture)}
    for _ in range(2):
        sent = await script.post("/api/v1/messages", json=TO | {
            "type": "image", "image": {"id": stored["id"], "caption": "Front"}})
        assert sent.status_code == 202, sent.text
        assert sent.json()["media"]["id"] == stored["id"] and sent.json()["text"] == "Front"
    await scripting.world.settle()
    assert [entry.type for entry in scripting.ledger] == ["image", "image"]
    world = scripting.world.simulator.world
    chat = world.conversation(customer, scripting.world.acme.number.phone_number_id)
    media = world.find_media(chat.messages[-1].content["id"])
    assert media is not None and hashlib.sha256(media.content).digest() == hashlib.sha256(picture).digest()
    read = await script.get(f"/api/v1/media/{stored['id']}")
    assert read.status_code == 200 and read.content == picture and read.headers["content-type"] == "image/png"
    part = await script.get(f"/api/v1/media/{stored['id']}", headers={"Range": "bytes=0-3"})
    assert part.status_code == 206 and part.content == picture[:4]


async def test_an_uploaded_file_may_stand_in_a_header(scripting: Scripting) -> None:
    customer = await scripting.customer()
    script = await scripting.script()
    template = Template(template_id="1", name="offer", language="en", category="UTILITY", components=[
        {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["x"]}}, {"type": "BODY", "text": "Look"}])
    scripting.world.simulator.world.add_template(scripting.world.acme.number.waba_id, template)
    stored = (await script.post("/api/v1/media", files={"file": ("a.png", PNG, "image/png")})).json()
    header = {"type": "image", "image": {"id": stored["id"]}}
    bodies = [asking("button", replies("Yes"), header=header),
              {"type": "template", "template": {"name": "offer", "language": "en",
                                                "components": [{"type": "header", "parameters": [header]}]}}]
    for body in bodies:
        answer = await script.post("/api/v1/messages", json=TO | body)
        assert answer.status_code == 202, answer.text
    await scripting.world.settle()
    world = scripting.world.simulator.world
    chat = world.conversation(customer, scripting.world.acme.number.phone_number_id)
    asked, offered = [message.content for message in chat.messages if not message.from_customer]
    for content in (asked["header"], offered["components"][0]["parameters"][0]):
        assert world.find_media(content["image"]["id"]) is not None


async def test_files_that_whatsapp_would_not_take_or_that_are_not_ours(scripting: Scripting) -> None:
    await scripting.customer()
    script, theirs = await scripting.script(), await scripting.script(tenant=scripting.world.globex)
    for name, upload in (("none", None), ("empty", ("a.png", b"", "image/png")),
                         ("large", ("a.png", b"\0" * (5 * 1024 * 1024 + 1), "image/png"))):
        answer = await script.post("/api/v1/media", files={"file": upload} if upload else None)
        problem(answer, 422)
        assert fields(answer).keys() == {"file"}, name
    unknown = await script.post("/api/v1/media", files={"file": ("a.png", PNG, "image/png")}, data={"chanel_id": "x"})
    assert fields(unknown).keys() == {"chanel_id"}
    problem(await script.post("/api/v1/media", files={"file": ("a.png", PNG, "image/png")},
                              data={"channel_id": scripting.world.globex.channel_id}), 404)
    strange = (await theirs.post("/api/v1/media", files={"file": ("a.png", PNG, "image/png")})).json()["id"]
    own = (await script.post("/api/v1/media", files={"file": ("a.png", PNG, "image/png")})).json()["id"]
    for media_id in (strange, STRANGE_ID, "12345", "x"):
        answer = await script.post("/api/v1/messages", json=TO | {"type": "image", "image": {"id": media_id}})
        told = problem(answer, 404)
        assert "image.id" in told["detail"]
        problem(await script.get(f"/api/v1/media/{media_id}"), 404)
    video = await script.post("/api/v1/messages", json=TO | {"type": "video", "video": {"id": own}})
    assert fields(video).keys() == {"video.id"}
    document = await script.post("/api/v1/messages", json=TO | {"type": "document", "document": {"id": own}})
    assert document.status_code == 202, "a picture may also go as a document"
