"""`/api/v1/messages`: taken, sent, told; refused with every field named; nobody else's."""

from __future__ import annotations

from typing import Any

from chime.clock import HOUR
from chime.inbox.addressing import SendMessage
from chime.simulator import write
from chime.simulator.sample_templates import sample_templates
from tests.http.api_setup import MAYA, STRANGE_ID, TEXT, Scripting, fields, problem, scripting

__all__ = ["scripting"]
TO = {"to": f"+{MAYA}"}


async def test_a_text_is_queued_then_sent_and_its_way_is_told(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    answer = await script.post("/api/v1/messages", json=TO | TEXT)
    assert answer.status_code == 202, answer.text
    queued = answer.json()
    assert queued["status"] == "queued" and queued["wamid"] is None and queued["error"] is None
    assert queued["direction"] == "out" and queued["type"] == "text" and queued["origin"] == "api"
    assert queued["text"] == TEXT["text"]["body"] and queued["content"] == TEXT["text"]
    assert queued["channel_id"] == scripting.world.acme.channel_id
    assert queued["created_at"].endswith("Z") and "idempotency-replayed" not in answer.headers
    await scripting.world.settle()
    told = (await script.get(f"/api/v1/messages/{queued['id']}")).json()
    assert told["status"] in ("delivered", "read") and told["wamid"].startswith("wamid.")
    assert told["sent_at"] and told["contact_id"] == queued["contact_id"]
    assert [entry.to for entry in scripting.ledger] == [f"+{MAYA}"]


async def test_all_words_of_a_long_text_are_kept(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    body = "word " * 200 + "\nend"
    answer = await script.post("/api/v1/messages", json=TO | {"type": "text", "text": {"body": body}})
    assert answer.json()["text"] == body


async def test_the_four_ways_to_say_whom(scripting: Scripting) -> None:
    customer = await scripting.customer(username="maya")
    script = await scripting.script()
    conversation = (await script.get("/api/v1/conversations")).json()["items"][0]
    ways = [TO, {"to": "+1 (415) 555-0101"}, {"contact_id": conversation["contact"]["id"]},
            {"recipient": customer.user_id}, {"conversation_id": conversation["id"]},
            {"conversation_id": conversation["id"], "channel_id": scripting.world.acme.channel_id, "to": None}]
    for way in ways:
        answer = await script.post("/api/v1/messages", json=way | TEXT)
        assert answer.status_code == 202, (way, answer.text)
        assert answer.json()["conversation_id"] == conversation["id"]
    await scripting.world.settle()
    assert len(scripting.ledger) == len(ways)


WRONG: list[tuple[Any, set[str]]] = [
    ({}, {"to", "type"}),
    (TEXT, {"to"}),
    (TO, {"type"}),
    (TO | {"type": "text"}, {"text"}),
    (TO | {"type": "poll", "poll": {}}, {"type"}),
    (TO | {"type": 7}, {"type"}),
    (TO | TEXT | {"colour": "red"}, {"colour"}),
    (TO | {"type": "text", "text": {"body": "x", "bold": True}}, {"text.bold"}),
    (TO | {"type": "text", "text": {"body": ""}}, {"text.body"}),
    (TO | {"type": "text", "text": {"body": "x" * 4097}}, {"text.body"}),
    (TO | TEXT | {"image": {"link": "https://chime.test/a"}}, {"image"}),
    (TO | {"type": "image", "image": {}}, {"image.id"}),
    ({"to": "4155550101", **TEXT}, {"to"}),
    ({"to": 14155550101, **TEXT}, {"to"}),
    ({"to": "US.7Hq2mZ90", **TEXT}, {"to"}),
    ({"recipient": "14155550101", **TEXT}, {"recipient"}),
    ({"recipient": "US.7Hq2mZ90\n", **TEXT}, {"recipient"}),
    (TO | {"contact_id": "x", "recipient": "US.7Hq2mZ90"} | TEXT, {"contact_id", "recipient"}),
    ({"to": "+1", "type": "text", "text": {"body": 5}, "channel_id": 1}, {"to", "text.body", "channel_id"}),
    (TO | {"type": "reaction", "reaction": {"message_id": "x", "emoji": "👍"}, "context": {"message_id": "y"}},
     {"context"}),
    (TO | {"type": "template", "template": {"name": "Bad Name", "language": 5}},
     {"template.name", "template.language"}),
    ([], {"body"}), ("text", {"body"}), (7, {"body"}),
]


async def test_every_wrong_field_is_named_and_nothing_is_left(scripting: Scripting) -> None:
    script = await scripting.script()
    for body, wrong in WRONG:
        answer = await script.post("/api/v1/messages", json=body)
        problem(answer, 422)
        assert fields(answer).keys() == wrong, body
    assert await scripting.count("contact") == 0 and await scripting.count("message") == 0


async def test_fields_spelt_out_as_null_are_not_there(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    body = {name: None for name in SendMessage.__struct_fields__} | TO | TEXT
    assert (await script.post("/api/v1/messages", json=body)).status_code == 202
    answer = await script.post("/api/v1/messages", json=body | {"colour": None})
    assert fields(answer).keys() == {"colour"}


async def test_outside_the_window_only_templates_go(scripting: Scripting) -> None:
    await scripting.customer()
    scripting.world.clock.advance(25 * HOUR)
    script = await scripting.script()
    for whom in (TO, {"to": "+14155550999"}):
        told = problem(await script.post("/api/v1/messages", json=whom | TEXT), 422)
        assert told["code"] == "window_closed" and "24-hour" in told["detail"]
    assert await scripting.count("contact") == 1, "the stranger of the refused message was not kept"
    template = sample_templates()[-2]
    scripting.world.simulator.world.add_template(scripting.world.acme.number.waba_id, template)
    answer = await script.post("/api/v1/messages", json=TO | {"type": "template", "template": {
        "name": template.name, "language": "en",
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Maya"}]}]}})
    assert answer.status_code == 202, answer.text
    await scripting.world.settle()
    assert [entry.type for entry in scripting.ledger] == ["template"]


async def test_a_message_quotes_by_our_id_and_by_metas(scripting: Scripting) -> None:
    customer = await scripting.customer()
    wamid = await scripting.writes(customer, text="Where is it?")
    script = await scripting.script()
    conversation = (await script.get("/api/v1/conversations")).json()["items"][0]
    asked = (await script.get(f"/api/v1/conversations/{conversation['id']}/messages")).json()["items"][0]
    for name in (wamid, asked["id"]):
        answer = await script.post("/api/v1/messages", json=TO | TEXT | {"context": {"message_id": name}})
        assert answer.status_code == 202, answer.text
        assert answer.json()["context"] == {"message_id": asked["id"], "wamid": wamid}
    await scripting.world.settle()
    chat = scripting.world.simulator.world.conversation(customer, scripting.world.acme.number.phone_number_id)
    assert [message.quoted for message in chat.messages if not message.from_customer] == [wamid, wamid]


async def test_a_reaction_is_put_and_taken_back(scripting: Scripting) -> None:
    customer = await scripting.customer()
    wamid = await scripting.writes(customer)
    script = await scripting.script()
    conversation = (await script.get("/api/v1/conversations")).json()["items"][0]
    where = f"/api/v1/conversations/{conversation['id']}/messages"
    target = (await script.get(where)).json()["items"][0]
    answer = await script.post("/api/v1/messages", json=TO | {
        "type": "reaction", "reaction": {"message_id": target["id"], "emoji": "👍"}})
    assert answer.status_code == 202, answer.text
    assert answer.json()["content"] == {"message_id": wamid, "emoji": "👍"}
    await scripting.world.settle()
    shown = (await script.get(where)).json()["items"][0]
    assert [(row["direction"], row["emoji"]) for row in shown["reactions"]] == [("out", "👍")]
    await script.post("/api/v1/messages", json=TO | {
        "type": "reaction", "reaction": {"message_id": wamid, "emoji": ""}})
    assert (await script.get(where)).json()["items"][0]["reactions"] == []


async def test_ids_in_the_body_that_are_not_ours_are_404(scripting: Scripting) -> None:
    globex = scripting.world.globex
    await scripting.customer()
    await scripting.customer(name="Ana", phone="14155550202", tenant=globex)
    script, theirs = await scripting.script(), await scripting.script(tenant=globex)
    strange = (await theirs.get("/api/v1/conversations")).json()["items"][0]
    strange_message = (await theirs.get(f"/api/v1/conversations/{strange['id']}/messages")).json()["items"][0]
    for body in ({"contact_id": strange["contact"]["id"]}, {"conversation_id": strange["id"]},
                 {"contact_id": STRANGE_ID}, {"conversation_id": "../x"},
                 TO | {"channel_id": globex.channel_id}, TO | {"context": {"message_id": strange_message["id"]}},
                 TO | {"context": {"message_id": strange_message["wamid"]}}):
        told = problem(await script.post("/api/v1/messages", json=body | TEXT), 404)
        named = next(name for name in (*body.get("context", {}), *body) if name != "to")
        assert named in told["detail"]
    for message_id in (strange_message["id"], STRANGE_ID, "x", "%00", "wamid.X"):
        problem(await script.get(f"/api/v1/messages/{message_id}"), 404)
        problem(await script.post(f"/api/v1/messages/{message_id}/retry"), 404)
        problem(await script.delete(f"/api/v1/messages/{message_id}"), 404)
    assert not scripting.ledger


async def test_a_failed_message_says_why_and_can_be_sent_again_or_discarded(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    sent = (await script.post("/api/v1/messages", json=TO | TEXT)).json()
    problem(await script.post(f"/api/v1/messages/{sent['id']}/retry"), 409)
    problem(await script.delete(f"/api/v1/messages/{sent['id']}"), 409)
    await scripting.world.settle()
    scripting.world.simulator.set_switches({"error_next": 1, "error_code": 131051})
    failing = (await script.post("/api/v1/messages", json=TO | TEXT)).json()
    await scripting.world.settle()
    failed = (await script.get(f"/api/v1/messages/{failing['id']}")).json()
    assert failed["status"] == "failed" and failed["error"].keys() == {"code", "title", "what_to_do"}
    assert failed["error"]["code"] == 131051 and failed["error"]["title"]
    again = await script.post(f"/api/v1/messages/{failing['id']}/retry")
    assert again.status_code == 202 and again.json()["status"] == "queued" and again.json()["error"] is None
    await scripting.world.settle()
    assert (await script.get(f"/api/v1/messages/{failing['id']}")).json()["status"] in ("delivered", "read")
    scripting.world.simulator.set_switches({"error_next": 1, "error_code": 131051})
    failing = (await script.post("/api/v1/messages", json=TO | TEXT)).json()
    await scripting.world.settle()
    assert (await script.delete(f"/api/v1/messages/{failing['id']}")).status_code == 204
    problem(await script.get(f"/api/v1/messages/{failing['id']}"), 404)


async def test_of_a_deleted_message_only_that_it_was_deleted_is_told(scripting: Scripting) -> None:
    customer = await scripting.customer()
    wamid = await scripting.writes(customer, text="a secret")
    write(scripting.world.simulator, customer, {"type": "revoke", "revoke": {"original_message_id": wamid}},
          number=scripting.world.simulator.world.number(scripting.world.acme.number.phone_number_id))
    await scripting.world.settle()
    script = await scripting.script()
    listed = await script.get("/api/v1/conversations")
    messages = await script.get(f"/api/v1/conversations/{listed.json()['items'][0]['id']}/messages")
    newest = messages.json()["items"][0]
    assert newest["wamid"] == wamid and newest["revoked_at"] and newest["content"] == {} and newest["text"] == ""
    assert "a secret" not in listed.text + messages.text


async def test_with_several_numbers_the_one_last_used_counts(scripting: Scripting) -> None:
    world = scripting.world
    await scripting.customer()
    script = await scripting.script()
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("INSERT INTO channel (id, phone_number_id, waba_id, meta_app_id, display_phone, "
                         "access_token_sealed, access_token_last_four, created_at) SELECT ?, '999', waba_id, "
                         "meta_app_id, '+1 555 010 0400', access_token_sealed, access_token_last_four, created_at "
                         "FROM channel", "z" * 26)
    answer = await script.post("/api/v1/messages", json=TO | TEXT)
    assert answer.status_code == 202 and answer.json()["channel_id"] == world.acme.channel_id
    unknown = await script.post("/api/v1/messages", json={"to": "+14155550303", **TEXT})
    assert fields(unknown).keys() == {"channel_id"} and unknown.status_code == 422
    other = await script.post("/api/v1/messages", json={
        "conversation_id": answer.json()["conversation_id"], "channel_id": "z" * 26, **TEXT})
    assert fields(other).keys() == {"channel_id"}
