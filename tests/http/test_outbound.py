"""Writing to customers: what is typed into each form reaches their phone as Meta's own message, once, and what may not
go out is refused in words with nothing lost.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections import Counter
from typing import Any

import httpx

from chime.clock import DAY, HOUR, MINUTE
from chime.simulator.sample_templates import sample_templates
from tests.http.inbox_setup import Left, Talk, leaving, rows, stock_templates, talk, without_script
from tests.support.world import World

HTMX = {"HX-Request": "true"}
# What is typed into a form, and the type and part of the message that must come out at the other end.
FORMS: tuple[tuple[dict[str, str], str, Any], ...] = (
    ({"type": "text", "text": "Yes! 🎉\nSee https://shop.example/?a=1&b=2"}, "text",
     {"body": "Yes! 🎉\nSee https://shop.example/?a=1&b=2", "preview_url": True}),
    ({"type": "location", "latitude": " 52,52 ", "longitude": "13.405", "name": "Workshop", "address": ""}, "location",
     {"latitude": 52.52, "longitude": 13.405, "name": "Workshop"}),
    ({"type": "contact", "name": "Rosa Marin", "phone": "+1 415-555-0177"}, "contacts",
     [{"name": {"formatted_name": "Rosa Marin", "first_name": "Rosa"}, "phones": [{"phone": "+1 415-555-0177"}]}]),
    ({"type": "buttons", "body": "Will you come?", "button_1": "Yes", "button_2": "", "button_3": "No",
      "footer": "Saturday"}, "interactive",
     {"type": "button", "body": {"text": "Will you come?"}, "footer": {"text": "Saturday"}, "action": {"buttons": [
         {"type": "reply", "reply": {"id": "button_1", "title": "Yes"}},
         {"type": "reply", "reply": {"id": "button_3", "title": "No"}}]}}),
    ({"type": "list", "body": "When?", "button": "Times", "row_1": "10:00", "description_1": "Saturday",
      "row_2": "", "row_10": "12:00"}, "interactive",
     {"type": "list", "body": {"text": "When?"}, "action": {"button": "Times", "sections": [{"rows": [
         {"id": "row_1", "title": "10:00", "description": "Saturday"}, {"id": "row_10", "title": "12:00"}]}]}}),
    ({"type": "link", "body": "Our shop", "display_text": "Open", "url": "https://shop.example/"}, "interactive",
     {"type": "cta_url", "body": {"text": "Our shop"}, "action": {"name": "cta_url", "parameters": {
         "display_text": "Open", "url": "https://shop.example/"}}}),
    ({"type": "ask_location", "body": "Where are you?"}, "interactive",
     {"type": "location_request_message", "body": {"text": "Where are you?"}, "action": {"name": "send_location"}}),
)


def values(kind: str, *texts: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    named = [{"parameter_name": name} for name in names] or [{} for _ in texts]
    return {"type": kind, "parameters": [{"type": "text", "text": text, **name}
                                         for text, name in zip(texts, named, strict=True)]}


PICTURE = {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://shop.example/mug.png"}}]}
# Per template: the blanks as the picker names them, and the components Meta gets.
TEMPLATES: dict[str, tuple[dict[str, str], list[dict[str, Any]]]] = {
    "order_confirmation": ({"body.1": "Maya", "body.2": " 1042 ", "button.0": "1042"}, [
        values("body", "Maya", "1042"),
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "1042"}]}]),
    "delivery_update": ({"header.first_name": "Maya", "body.order_number": "1042", "body.day": "Friday"}, [
        values("header", "Maya", names=("first_name",)),
        values("body", "1042", "Friday", names=("order_number", "day"))]),
    "welcome_offer": ({"header.media": "https://shop.example/mug.png", "body.1": "Maya"},
                      [PICTURE, values("body", "Maya")]),
    "back_in_stock": ({"header.media": "https://shop.example/mug.png", "body.1": "mug", "body.2": "Friday"},
                      [PICTURE, values("body", "mug", "Friday")]),
    "appointment_reminder": ({"body.day": "Saturday", "body.time": "10:00", "body.first_name": "Maya"},
                             [values("body", "Saturday", "10:00", "Maya", names=("day", "time", "first_name"))]),
    "payment_receipt": ({"header.media": "https://shop.example/1.pdf", "body.1": "1042"}, [
        {"type": "header", "parameters": [{"type": "document", "document": {"link": "https://shop.example/1.pdf"}}]},
        values("body", "1042")]),
    "feedback_request": ({}, []),
    "conversation_reopen": ({"body.1": "Maya"}, [values("body", "Maya")]),
}


async def post(maya: Talk, client: httpx.AsyncClient, fields: dict[str, str]) -> httpx.Response:
    return await client.post(f"{maya.base}/messages", data=fields, headers=HTMX)


def template(name: str, language: str = "en") -> dict[str, str]:
    return {"type": "template", "template_name": name, "template_language": language}


async def test_each_form_reaches_the_customer_as_metas_message(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    for fields, kind, expected in FORMS:
        answer = await post(maya, kim, fields)
        assert answer.status_code == 200 and answer.text.count('<li class="msg msg-out"') == 1, fields
        await world.settle()
        received = maya.on_the_phone()[-1]
        assert (received.type, received.content) == (kind, expected)
        message = (await maya.sent())[-1]
        assert (message.status, message.wamid, message.author_name) == ("read", received.wamid, "Kim"), fields
        assert message.pricing is not None and message.pricing["category"] == "service"
        assert f"m-{message.id}" in answer.text
    ledger = world.simulator.world.ledger
    assert [entry.to for entry in ledger] == ["+14155550101"] * len(FORMS)
    assert len({entry.callback_data for entry in ledger}) == len(FORMS) and all(entry.callback_data for entry in ledger)
    page = (await kim.get(maya.base)).text
    assert '<a href="https://shop.example/?a=1&amp;b=2"' in page and "Will you come?" in page


async def test_each_approved_template_is_sent_with_its_blanks_filled(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    await stock_templates(world)
    world.clock.advance(25 * HOUR)
    assert {one.name for one in sample_templates()} == set(TEMPLATES)
    picker = (await kim.get(f"{maya.base}/templates", headers=HTMX)).text
    for name, (fields, components) in TEMPLATES.items():
        assert f'id="template-{name}-en"' in picker
        assert all(f'name="{blank}"' in picker for blank in fields), name
        answer = await post(maya, kim, template(name) | fields)
        assert answer.status_code == 200, answer.text
        await world.settle()
        received = maya.on_the_phone()[-1]
        expected = {"name": name, "language": {"code": "en"}} | ({"components": components} if components else {})
        assert (received.type, received.content) == ("template", expected)
        assert (await maya.sent())[-1].text == received.template_text["body"], "the thread shows what the phone shows"
    await post(maya, kim, template("conversation_reopen", "de") | {"body.1": "Jonas"})
    await world.settle()
    assert maya.on_the_phone()[-1].template_text["body"].startswith("Hallo Jonas")
    found = (await kim.get(f"{maya.base}/templates?q=order", headers=HTMX)).text
    assert "template-order_confirmation-en" in found and "template-welcome_offer-en" not in found


async def test_somebody_without_a_number_is_written_to_by_user_id(world: World) -> None:
    kim, noor = await world.session("kim"), await talk(world, name="Noor", phone=None, username="noor.makes")
    await noor.reply(kim, "hello Noor")
    (entry,) = world.simulator.world.ledger
    assert (entry.to, entry.recipient) == (None, noor.customer.user_id)
    assert noor.on_the_phone()[-1].content["body"] == "hello Noor"


async def test_every_mistake_is_named_at_its_field_and_nothing_typed_is_lost(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    for fields, wrong in (
        ({"type": "location", "latitude": "north", "longitude": "", "name": "Pier 39"}, ("latitude", "longitude")),
        ({"type": "location", "latitude": "91", "longitude": "200"}, ("latitude", "longitude")),
        ({"type": "contact", "name": "Rosa", "phone": " "}, ("phone",)),
        ({"type": "contact", "name": "", "phone": ""}, ("name", "phone")),
        ({"type": "buttons", "body": "", "button_1": "x" * 21, "footer": "f" * 61}, ("body", "button_1", "footer")),
        ({"type": "buttons", "body": "Sure?", "button_1": ""}, ("button_1",)),
        ({"type": "list", "body": "When?", "button": "", "row_1": "r" * 25, "description_1": "d" * 73},
         ("button", "row_1", "description_1")),
        ({"type": "link", "body": "Shop", "display_text": "", "url": "javascript:alert(1)"}, ("display_text", "url")),
    ):
        answer = await post(maya, kim, fields)
        assert answer.status_code == 422 and "data-compose" in answer.text, fields
        told = set(re.findall(r'class="error" id="(\w+)-error"', answer.text))
        assert told == set(wrong), (fields, told)
        for name, value in fields.items():
            kept = html.escape(value).replace("&#x27;", "&#39;")
            assert f'value="{kept}"' in answer.text or f">{kept}</textarea>" in answer.text, (name, value)
    await stock_templates(world)
    answer = await post(maya, kim, template("order_confirmation") | {"body.1": "Maya", "body.2": " "})
    assert answer.status_code == 422 and answer.text.count("Fill this in.") >= 1
    assert (await post(maya, kim, template("nothing_like_it"))).status_code == 422
    assert (await post(maya, kim, {"type": "telegram"})).status_code == 422
    for text in ("", "   \n", "x" * 4097):
        answer = await post(maya, kim, {"type": "text", "text": text})
        assert answer.status_code == 422 and "banner-danger" in answer.text, text[:5]
    assert await maya.sent() == [] and world.simulator.world.ledger == []


async def test_without_scripts_a_refused_message_comes_back_to_be_mended(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    plain, token = without_script(world, kim)
    world.clock.advance(25 * HOUR)
    async with plain:
        answer = await plain.post(f"{maya.base}/messages", data={
            "csrf_token": token, "type": "text", "text": "Sorry for the <delay>, Maya"})
    assert answer.status_code == 422 and "The 24-hour reply window is closed" in answer.text
    assert "Sorry for the &lt;delay&gt;, Maya</textarea>" in answer.text


async def test_outside_the_window_only_a_template_goes(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    await stock_templates(world)
    world.clock.advance(DAY - 3 * MINUTE)
    assert (await post(maya, kim, {"type": "text", "text": "just in time"})).status_code == 200
    await world.settle()
    world.clock.advance(2 * MINUTE)
    async with leaving(world, kim) as left:
        for fields in ({"type": "text", "text": "too late"}, FORMS[3][0]):
            answer = await post(maya, kim, fields)
            assert answer.status_code == 422 and "Send a template instead." in answer.text
    assert left == Left()
    assert len(world.simulator.world.ledger) == 1
    assert (await post(maya, kim, template("feedback_request"))).status_code == 200
    await world.settle()
    assert [message.type for message in maya.on_the_phone()] == ["text", "template"]


async def test_a_window_that_closes_while_a_message_waits_stops_it(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 1})
    waiting = await maya.reply(kim, "in a moment")
    assert waiting.status == "queued" and waiting.next_attempt_at is not None
    world.clock.advance(25 * HOUR)
    world.services.runner.start(world.acme.workspace_id, "inbox.deliver", world.acme.channel_id)
    await world.settle()
    (message,) = await maya.sent()
    assert message.status == "failed" and message.error_title is not None
    assert message.error_title.startswith("The 24-hour reply window is closed")
    assert world.simulator.world.ledger == []
    assert "The 24-hour reply window is closed" in (await kim.get(maya.base)).text


async def test_who_opted_out_gets_no_marketing_but_still_their_receipts(world: World) -> None:
    mo, maya = await world.session("mo"), await talk(world)
    await stock_templates(world)
    await maya.says("STOP")
    assert "Refused" in (await mo.get(maya.base)).text
    offer = template("welcome_offer") | TEMPLATES["welcome_offer"][0]
    answer = await post(maya, mo, offer)
    assert answer.status_code == 422 and "This person opted out of marketing messages." in answer.text
    assert (await post(maya, mo, template("conversation_reopen") | {"body.1": "Maya"})).status_code == 200
    await world.settle()
    assert [entry.type for entry in world.simulator.world.ledger] == ["template"]
    await mo.post(f"{maya.workspace_base}/contacts/{maya.contact_id}/consent",
                   data={"marketing": "opted_in", "evidence": "asked for it again"})
    assert (await post(maya, mo, offer)).status_code == 200


async def test_an_opt_out_while_a_campaign_waits_stops_it_at_the_last_moment(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    await stock_templates(world)
    world.simulator.set_switches({"answer_429": 1})
    await post(maya, kim, template("welcome_offer") | TEMPLATES["welcome_offer"][0])
    await world.settle()
    await maya.says("Stop.")
    world.clock.pass_time(MINUTE)
    world.services.runner.start(world.acme.workspace_id, "inbox.deliver", world.acme.channel_id)
    await world.settle()
    assert [(message.status, message.error_title) for message in await maya.sent()] == [
        ("failed", "This person opted out of marketing messages.")]
    assert world.simulator.world.ledger == []


async def test_a_template_meta_paused_is_refused_with_its_state(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    known = await stock_templates(world)
    world.simulator.change_template(world.acme.number.waba_id, known["feedback_request"].template_id, "PAUSED")
    await world.settle()
    answer = await post(maya, kim, template("feedback_request"))
    assert answer.status_code == 422 and "Meta has this template as paused" in answer.text
    assert "template-feedback_request-en" not in (await kim.get(f"{maya.base}/templates")).text


async def test_the_same_click_twice_sends_once(world: World) -> None:
    kim, mo, maya = await world.session("kim"), await world.session("mo"), await talk(world)
    fields = {"type": "text", "text": "only once please", "client_id": "click-1"}
    answers = await asyncio.gather(*(post(maya, kim, fields) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    ids = {re.search(r'id="m-(\w+)"', answer.text)[1] for answer in answers}  # type: ignore[index]
    assert len(ids) == 1 and 'data-client="click-1"' in answers[0].text
    await world.settle()
    assert (await post(maya, kim, fields)).status_code == 200
    assert (await post(maya, mo, fields)).status_code == 200, "another person's browser may draw the same name"
    await world.settle()
    assert [message.author_name for message in await maya.sent()] == ["Kim", "Mo"]
    assert len(world.simulator.world.ledger) == 2
    tom = await talk(world, name="Tom Hughes", phone="447700900142")
    refused = await post(tom, kim, fields)
    assert refused.status_code == 422 and await tom.sent() == []


async def test_sending_leaves_exactly_its_traces(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"hold_statuses": True})
    async with leaving(world, kim) as left:
        await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "hello"})
        async with asyncio.timeout(5):
            while not world.simulator.world.ledger or (await maya.sent())[0].status != "sent":
                await asyncio.sleep(0.01)
        world.simulator.set_switches({"hold_statuses": False})
    (message,) = await maya.sent()
    assert left.audit == [("message.queued", "message", message.id),
                          ("conversation.assigned", "conversation", maya.id)], "who answers first takes it"
    assert left.nudges == {("message", message.id), ("conversation", maya.id), ("inbox", "list")}
    assert left.jobs["inbox.send"] == 1 and set(left.jobs) == {"inbox.deliver", "inbox.send", "inbound.apply"}
    async with world.workspace(world.acme) as workspace:
        journal = await workspace.journal_db.rows("SELECT message_id, attempt, phase, outcome FROM send_event "
                                                  "ORDER BY id")
    assert journal == [(message.id, 1, "begun", None), (message.id, 1, "ended", "accepted")]
    kept = await rows(world, world.acme, "SELECT status FROM message_status WHERE message_id = ?", message.id)
    assert Counter(row[0] for row in kept) == Counter(["sent", "delivered", "read"])


async def test_a_reply_quotes_what_it_answers(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    question = await maya.says("Blue or green?")
    reply = await maya.reply(kim, "Green!", quoted_id=question.id)
    assert maya.on_the_phone()[-1].quoted == question.wamid
    assert reply.quoted is not None and reply.quoted.id == question.id
    assert f'#m-{question.id}" data-jump' in (await kim.get(maya.base)).text
    tom = await talk(world, name="Tom Hughes", phone="447700900142")
    answer = await kim.post(f"{tom.base}/messages", data={"type": "text", "text": "?", "quoted_id": question.id})
    assert answer.status_code == 404 and await tom.sent() == []


async def test_a_reaction_is_put_on_changed_and_taken_back(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    said = await maya.says("It arrived!")
    reaction = f"{maya.base}/messages/{said.id}/reaction"
    chat = world.simulator.world.conversation(maya.customer, world.acme.number.phone_number_id)
    for emoji, shown in (("🎉", ["🎉"]), ("❤️", ["❤️"]), ("", [])):
        answer = await kim.post(reaction, data={"emoji": emoji}, headers=HTMX)
        assert answer.status_code == 200 and (not emoji or f">{emoji}</span>" in answer.text)
        await world.settle()
        assert list(chat.messages[-1].reactions.values()) == shown
        assert [one.emoji for one in (await maya.messages("id = ?", said.id))[0].reactions] == shown
    assert world.simulator.world.ledger[-1].type == "reaction" and len(world.simulator.world.ledger) == 3
    assert (await maya.conversation()).last_text == "It arrived!", "a reaction is no news for the list"
    for emoji in ("yes", "👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍"):
        assert (await kim.post(reaction, data={"emoji": emoji}, headers=HTMX)).status_code == 422
    world.simulator.set_switches({"error_next": 1, "error_code": 131009})
    await kim.post(reaction, data={"emoji": "👍"})
    await world.settle()
    assert (await maya.messages("id = ?", said.id))[0].reactions == (), "what did not go out is not shown"


async def test_a_conversation_is_begun_with_a_template(world: World) -> None:
    kim, mo = await world.session("kim"), await world.session("mo")
    await stock_templates(world)
    world.simulator.world.add_customer(name="Ana", phone="14155550177")
    inbox = f"/w/{world.acme.slug}/inbox"
    form = {"channel_id": world.acme.channel_id, "phone": "+1 (415) 555-0177", "name": "Ana of the market",
            "client_id": "begin-1"} | template("conversation_reopen")
    missing = await kim.post(inbox, data={"phone": "12", "name": "Ana of the market"} | template("x"), headers=HTMX)
    assert missing.status_code == 422 and 'value="Ana of the market"' in missing.text and 'value="12"' in missing.text
    assert "with + and the country code" in missing.text and "Choose a template." in missing.text
    blank = await kim.post(inbox, data=form, headers=HTMX)
    assert blank.status_code == 422 and "Fill this in." in blank.text and 'value="+1 (415) 555-0177"' in blank.text
    assert await rows(world, world.acme, "SELECT 1 FROM conversation") == []
    for _ in range(2):
        answer = await kim.post(inbox, data=form | {"body.1": "Ana"}, headers=HTMX)
        assert answer.status_code == 200
    await world.settle()
    ((conversation_id, name),) = await rows(world, world.acme, "SELECT conversation.id, contact.name FROM conversation "
                                            "JOIN contact ON contact.id = contact_id")
    assert answer.headers["hx-redirect"] == f"{inbox}/{conversation_id}?v=all" and name == "Ana of the market"
    assert [entry.to for entry in world.simulator.world.ledger] == ["+14155550177"]
    assert "Ana of the market" in (await mo.get(f"{inbox}/{conversation_id}")).text
