"""Words, numbers and secrets that must never be seen outside the encrypted files, and a day on which all are used.

The day walks every path that has one of them in its hands: what works, what is refused, what fails.
"""

from __future__ import annotations

import base64
from typing import Any

import httpx

from chime.simulator import Template, write
from tests.support.webhook_bodies import (
    Customer,
    body,
    change,
    inbound,
    message,
    rows,
    seconds,
    statuses,
    system,
    text,
)
from tests.support.world import (
    ACCESS_TOKEN,
    ACME_NUMBER,
    APP_SECRET,
    MASTER_KEY,
    PASSWORD,
    VERIFY_TOKEN,
    Number,
    World,
)

PERSON = Customer("Zebedee Quarkington", "919812345067", "IN.CanaryUser77", "zebedee.quark")
WORDS = "the xylophone ships on Tuesday – Grüße"
FILE = b"%PDF-1.7 a very private blueprint " * 3000
SECRETS = {
    "the customer's words": WORDS, "a customer's edited words": "vuvuzela instead", "the answer": "bassoon is packed",
    "a script's words": "glockenspiel by script", "words to a stranger's number": "theremin for nobody",
    "the name": PERSON.name, "our name for them": "Zebby the collector", "a name on a card": "Ferdinand Ocarina",
    "the number": "919812345067", "the number as shown": "98123 45067", "the user id": "IN.CanaryUser77",
    "the username": "zebedee.quark", "another number": "447700900987", "a message id": "wamid.CANARYMESSAGEID",
    "the file's content": "a very private blueprint", "the file's name": "blueprint-of-the-vault.pdf",
    "a caption": "mandolin on the shelf", "a tag": "harmonica fans", "the evidence": "said so at the sousaphone stand",
    "what was searched": "tambourine query", "the access token": ACCESS_TOKEN, "the app's secret": APP_SECRET,
    "the verify token": VERIFY_TOKEN, "the password": PASSWORD, "a wrong password": "kazoo kazoo kazoo",
    "the master key": base64.b64encode(MASTER_KEY).decode(), "the master key in hex": MASTER_KEY.hex(),
    "a stranger's key": "chime_0123456789abcdefghijklmnopqrstuv",
}
STRANGER = Number(phone_number_id="811222333444555", waba_id="877001122334455",
                  display_phone_number="+1 555-010-0800", verified_name="Nobody's")


async def day(world: World) -> dict[str, str]:
    """Live it. Returns `SECRETS` and those that were made on the way."""
    alice = await world.session("alice")
    found = SECRETS | {f"the cookie {name}": value for name, value in alice.cookies.items()}
    found["the CSRF token"] = alice.headers["X-CSRF-Token"]
    found["the API key"] = await world.key(world.acme)
    await _customer_writes(world)
    await _webhooks_of_all_kinds(world)
    [(conversation_id, contact_id)] = await rows(
        world, world.acme, "SELECT conversation.id, contact_id FROM conversation JOIN contact "
        "ON contact.id = contact_id WHERE phone = ?", PERSON.phone)
    await _team_works(world, alice, f"/w/acme/inbox/{conversation_id}", f"/w/acme/contacts/{contact_id}")
    await _sending_goes_wrong(world, alice, f"/w/acme/inbox/{conversation_id}")
    await _script_runs(world, found["the API key"])
    await _strangers_knock(world)
    await world.settle()
    return found


async def _customer_writes(world: World) -> None:
    simulated = world.simulator.world
    zebedee = simulated.add_customer(name=PERSON.name, phone=PERSON.phone, user_id=PERSON.user_id,
                                     username=PERSON.username)
    number = simulated.number(ACME_NUMBER.phone_number_id)
    stored = simulated.add_media(number.phone_number_id, FILE, "application/pdf", filename=SECRETS["the file's name"])
    card = {"name": {"formatted_name": SECRETS["a name on a card"], "first_name": "Ferdinand"}}
    for part in ({"type": "text", "text": {"body": WORDS}}, {"type": "contacts", "contacts": [card]},
                 {"type": "document", "document": {"id": stored.media_id, "caption": SECRETS["a caption"]}}):
        write(world.simulator, zebedee, part, number=number)
    await world.settle()


async def _webhooks_of_all_kinds(world: World) -> None:
    at = seconds(world)
    known = SECRETS["a message id"]
    errors = [{"code": 131026, "title": "Undeliverable", "error_data": {"details": f"{PERSON.phone}: {WORDS}"}}]
    for sent in (
        inbound(ACME_NUMBER, PERSON, text(PERSON, known, at, WORDS), text(PERSON, "wamid.stop", at, "STOP")),
        inbound(ACME_NUMBER, PERSON, message(PERSON, "wamid.e", at, type="edit", edit={
            "original_message_id": known, "message": {"type": "text", "text": {"body": "vuvuzela instead"}}})),
        inbound(ACME_NUMBER, PERSON, message(PERSON, "wamid.gone", at, type="image",
                                             image={"id": "404", "caption": WORDS})),
        inbound(ACME_NUMBER, PERSON, {"text": {"body": WORDS}, "from": PERSON.phone}, {"id": known, "type": WORDS}),
        # An event that only fails when it is applied: its evidence is longer than is kept.
        inbound(ACME_NUMBER, PERSON, text(PERSON, WORDS * 80, at, "STOP")),
        change(ACME_NUMBER, "user_preferences", user_preferences=[{"wa_id": PERSON.phone, "value": WORDS * 80}]),
        statuses(ACME_NUMBER, {"id": known, "status": "failed", "recipient_id": PERSON.phone, "errors": errors}),
        system(ACME_NUMBER, "wamid.sys", at, "447700900987", type="user_changed_number", body=PERSON.name,
               wa_id="447700900987", user_id="GB.x", previous_user_id="GB.y"),
        change(ACME_NUMBER, errors=errors), change(ACME_NUMBER, "hologram_updates", hologram=WORDS),
        inbound(STRANGER, PERSON, text(PERSON, "wamid.parked", at, SECRETS["words to a stranger's number"])),
    ):
        assert (await world.webhook(body(ACME_NUMBER, sent))).status_code == 200
    refused = body(ACME_NUMBER, inbound(ACME_NUMBER, PERSON, text(PERSON, known, at, WORDS)))
    assert (await world.webhook(refused, secret="kazoo kazoo kazoo")).status_code == 401
    assert (await world.webhook(f"no JSON: {WORDS}".encode())).status_code == 400
    await world.settle()


async def _team_works(world: World, alice: httpx.AsyncClient, thread: str, contact: str) -> None:
    template = Template(template_id="7", name="sale", language="en", category="UTILITY",
                        components=[{"type": "BODY", "text": "Sale!"}])
    world.simulator.world.add_template(ACME_NUMBER.waba_id, template)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    document = {"file": (SECRETS["the file's name"], FILE, "application/pdf")}
    for path, fields in (
        (f"{thread}/messages", {"type": "text", "text": SECRETS["the answer"]}),
        (f"{thread}/messages", {"type": "location", "latitude": WORDS, "longitude": "1"}),
        (contact, {"name": SECRETS["our name for them"]}), (f"{contact}/tags", {"name": SECRETS["a tag"]}),
        (f"{contact}/consent", {"marketing": "opted_in", "evidence": SECRETS["the evidence"]}),
        ("/w/acme/inbox", {"channel_id": world.acme.channel_id, "phone": "+447700900987", "template_name": "sale",
                           "template_language": "en"}),
    ):
        answer = await alice.post(path, data=fields)
        assert answer.status_code in (200, 303, 422), (path, answer.text)
    assert (await alice.post(f"{thread}/files", data={"caption": "mandolin on the shelf"}, files=document)).is_success
    for path in (thread, f"/w/acme/inbox?q={SECRETS['what was searched']}", f"/w/acme/inbox?q={PERSON.phone}",
                 f"/w/acme/nothing/{PERSON.phone}", f"/w/acme/inbox/{SECRETS['what was searched']}"):
        assert (await alice.get(path)).status_code in (200, 404)
    await world.settle()


async def _sending_goes_wrong(world: World, alice: httpx.AsyncClient, thread: str) -> None:
    world.simulator.set_switches({"token_expired": True})
    assert (await alice.post(f"{thread}/read")).status_code == 204
    await world.settle()
    world.simulator.set_switches({"token_expired": False})
    for switches in ({"error_next": 1, "error_code": 131026}, {"answer_500": 1}, {"accept_then_drop": 1},
                     {"answer_429": 1}, {"fail_next": 1, "fail_code": 131026}, {"token_expired": True}):
        world.simulator.set_switches(switches)
        answer = await alice.post(f"{thread}/messages", data={"type": "text", "text": SECRETS["the answer"]})
        assert answer.status_code == 200, answer.text
        await world.settle()
    world.simulator.set_switches({"token_expired": False})


async def _script_runs(world: World, key: str) -> None:
    sent: dict[str, Any] = {"to": f"+{PERSON.phone}", "type": "text", "text": {"body": SECRETS["a script's words"]}}
    new = {"phone": "+44 7700 900987", "name": SECRETS["our name for them"]}
    async with world.client(key) as script:
        for path, json in (("/api/v1/messages", sent), ("/api/v1/contacts", new), ("/api/v1/contacts", {WORDS: WORDS})):
            answer = await script.post(path, json=json, headers={"Idempotency-Key": f"once {path}"})
            assert answer.status_code < 500, answer.text
    async with world.client(SECRETS["a stranger's key"]) as stranger:
        assert (await stranger.post("/api/v1/messages", json=sent)).status_code == 401


async def _strangers_knock(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.base) as stranger:
        wrong = {"email": "alice@example.com", "password": SECRETS["a wrong password"]}
        assert (await stranger.post("/sign-in", data=wrong)).status_code in (401, 422)
        query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "kazoo kazoo kazoo"}
        assert (await stranger.get(world.acme.webhook_path, params=query)).status_code == 403
