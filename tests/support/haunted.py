"""A world in which everything that can be written is a payload: by customers in messages of every kind and as their
names, by people as every name and reason they may give, by WhatsApp as templates.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chime import accounts, contacts
from chime.clock import HOUR
from chime.message_templates.jobs import SYNC
from chime.security.permissions import OPERATOR, Role
from chime.simulator import Template
from tests.http.inbox_setup import indexed, rows
from tests.http.support_setup import ask as ask_for_access
from tests.http.support_setup import operator
from tests.support.webhook_bodies import Customer, body, change, inbound, message, seconds, take, text
from tests.support.world import ACME_NUMBER, World
from tests.support.xss import DEEP, NAMES, PAYLOADS, POLYGLOT

Sink = Callable[[str], dict[str, Any]]


def _interactive(kind: str, **reply: Any) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": kind, kind: reply}}


SINKS: dict[str, Sink] = {
    "text": lambda words: {"type": "text", "text": {"body": words}},
    "caption": lambda words: {"type": "image", "image": {"id": "901", "mime_type": "image/png", "caption": words}},
    "file name": lambda words: {"type": "document", "document": {
        "id": "902", "mime_type": "application/pdf", "filename": words, "caption": "a file"}},
    "contact card": lambda words: {"type": "contacts", "contacts": [{
        "name": {"formatted_name": words, "first_name": words}, "org": {"company": words},
        "phones": [{"phone": words}], "emails": [{"email": words}], "urls": [{"url": words}]}]},
    "place": lambda words: {"type": "location", "location": {
        "latitude": 1.5, "longitude": 2.5, "name": words, "address": words, "url": words}},
    "button": lambda words: {"type": "button", "button": {"text": words, "payload": words}},
    "answered button": lambda words: _interactive("button_reply", id=words, title=words),
    "answered list": lambda words: _interactive("list_reply", id=words, title=words, description=words),
    "form": lambda words: _interactive("nfm_reply", name=words, body=words, response_json=(
        json.dumps({words: words, "list": [words]}))),
    "order": lambda words: {"type": "order", "order": {"catalog_id": words, "text": words, "product_items": [
        {"product_retailer_id": words, "quantity": 2, "item_price": 1.5, "currency": words}]}},
    "advertisement": lambda words: {"type": "text", "text": {"body": "Is it on?"}, "referral": {
        "source_url": words, "source_id": words, "source_type": "ad", "headline": words, "body": words,
        "media_type": "image", "image_url": words, "thumbnail_url": words, "ctwa_clid": words}},
    "advertised link": lambda words: {"type": "text", "text": {"body": words}, "referral": {
        "source_url": f"https://xss.example/{words}", "source_type": "post", "headline": words}},
    "product": lambda words: {"type": "text", "text": {"body": words}, "context": {
        "referred_product": {"catalog_id": words, "product_retailer_id": words}}},
    "unknown kind": lambda words: {"type": "unsupported", "unsupported": {"type": words}, "errors": [
        {"code": 131051, "title": words, "message": words, "error_data": {"details": words}}]},
}


@dataclass
class Haunted:
    """A world in which everything that can be written is a payload. `threads` are conversations by their sink."""

    world: World
    threads: dict[str, str] = field(default_factory=dict)


async def _customers_write(haunted: Haunted) -> None:
    """Each sink is the conversation of one customer; a reaction and an answer that quotes stand under the texts."""
    world, at = haunted.world, seconds(haunted.world, 900)
    for media_id, kind in (("901", "image/png"), ("902", "application/pdf")):
        world.simulator.world.add_media(ACME_NUMBER.phone_number_id, b"a file", kind, media_id=media_id)
    for number, (name, sink) in enumerate(SINKS.items()):
        who = Customer(f"{name} {POLYGLOT}", f"1415555{1000 + number}", f"US.sink{number}", POLYGLOT[:30])
        items = [message(who, f"wamid.{number}.{place}", at + place, **sink(payload))
                 for place, payload in enumerate(PAYLOADS.values())]
        if name == "text":
            # WhatsApp knows this customer too, so that people can answer.
            known = world.simulator.world.add_customer(name=who.name, phone=who.phone, user_id=who.user_id)
            chat = world.simulator.world.conversation(known, ACME_NUMBER.phone_number_id)
            chat.window_until = world.clock.now() + HOUR
            items = [text(who, "wamid.deep", at - 1, DEEP), *items]
            items += [message(who, f"wamid.reaction{place}", at + 60, type="reaction", reaction={
                "message_id": f"wamid.0.{place}", "emoji": payload}) for place, payload in enumerate(PAYLOADS.values())]
        await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, who, *items)))
        found = await rows(world, world.acme, "SELECT conversation_id FROM message WHERE wamid = ?",
                           f"wamid.{number}.1")
        haunted.threads[name] = found[0][0]


async def _customers_are_called(haunted: Haunted) -> None:
    """One customer for each payload, who has it as a name."""
    world, at = haunted.world, seconds(haunted.world, 300)
    for number, payload in enumerate(PAYLOADS.values()):
        who = Customer(payload, f"1415556{1000 + number}", f"US.name{number}", payload[:30])
        await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, who, text(
            who, f"wamid.name{number}", at + number, payload))))


async def _people_write(haunted: Haunted) -> None:
    """Teams, members, keys, roles, tags and fields, and the names of the workspace, its number and who looks at it."""
    world, names = haunted.world, list(NAMES.values())
    alice = await world.session("alice")
    hashed = await world.services.control.db.value("SELECT password_hash FROM user WHERE name = 'Kim'")
    async with world.services.control.write(OPERATOR) as tx:
        for number, payload in enumerate(names):
            user = await accounts.create_user(tx, email=f"m{number}@example.com", name=payload, password_hash=hashed)
            await accounts.add_member(tx, workspace_id=world.acme.workspace_id, user_id=user, role=Role.AGENT)
        for payload in (names[1], names[11], POLYGLOT):
            await accounts.create_api_key(tx, world.services.ids, workspace_id=world.acme.workspace_id, name=payload,
                                          scope_text="all")
    for payload in names:
        answer = await alice.post("/w/acme/settings/teams", data={"name": payload})
        assert answer.status_code == 303, payload
    await alice.post("/w/acme/settings/roles", data={"name": POLYGLOT[:60], "may-inbox:read": "all"})
    found = (await rows(world, world.acme, "SELECT contact_id FROM conversation WHERE id = ?",
                        haunted.threads["text"]))[0][0]
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await contacts.edit(tx, found, name=POLYGLOT, fields={name[:60]: name for name in names})
        for payload in names[:12]:
            await contacts.add_tag(tx, found, payload[:40])
        await tx.execute("UPDATE channel SET verified_name = ?", POLYGLOT)
    assert (await alice.post("/me", data={"name": POLYGLOT, "locale": "en", "time_zone": "UTC"})).status_code == 303
    await alice.post("/w/acme/settings/general", data={"name": POLYGLOT, "time_zone": "UTC"})
    await alice.post(f"/w/acme/inbox/{haunted.threads['text']}/messages", data={"type": "text", "text": POLYGLOT})
    await alice.post("/w/acme/settings/invitations", data={"email": "x<svg/onload=__xss()>@example.com",
                                                           "role": "agent"})


async def _people_explain(haunted: Haunted) -> None:
    """Reasons: of an erasure, a request for support, an event that was dismissed. And what stands in a template."""
    world, alice = haunted.world, await haunted.world.session("alice")
    contact = (await rows(world, world.acme, "SELECT id FROM contact ORDER BY id DESC LIMIT 1"))[0][0]
    asked = [await alice.post(f"/w/acme/contacts/{contact}/erasure", data={"reason": POLYGLOT})]
    asked.append(await ask_for_access(world, await operator(world), world.acme, reason=POLYGLOT, ticket=POLYGLOT[:40]))
    nobodys = {"id": "wamid.nobodys", "timestamp": "1", "type": "text", "text": {"body": POLYGLOT}}
    await take(world, body(ACME_NUMBER, change(ACME_NUMBER, messages=[nobodys])))
    rejected = (await rows(world, world.acme, "SELECT id FROM rejected_event"))[0][0]
    asked.append(await alice.post(f"/w/acme/delivery/events/{rejected}/dismissal", data={"reason": POLYGLOT}))
    assert [answer.status_code for answer in asked] == [303] * 3, [answer.text for answer in asked]
    for number, payload in enumerate(PAYLOADS.values()):
        world.simulator.world.add_template(ACME_NUMBER.waba_id, Template(
            template_id=f"{number}", name=f"haunted_{number}", language="en", category="UTILITY", components=[
                {"type": "HEADER", "format": "TEXT", "text": payload[:60].replace("{{", "{")},
                {"type": "BODY", "text": payload.replace("{{", "{")}, {"type": "FOOTER", "text": payload[:60]},
                {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": payload[:25]}]}]))
    world.services.runner.start(world.acme.workspace_id, SYNC, ACME_NUMBER.waba_id)
    await world.settle()


async def haunt(world: World) -> Haunted:
    """Have all of them write."""
    found = Haunted(world)
    for write in (_customers_write, _customers_are_called, _people_write, _people_explain):
        await write(found)
    await indexed(world)
    return found
