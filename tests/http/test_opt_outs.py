"""A refusal of marketing is never lost or undone: however it was said, in whatever order, and whoever became one."""

from __future__ import annotations

from typing import Any

import pytest

from chime import contacts
from chime.whatsapp import Person
from tests.http.inbox_setup import talk
from tests.support.webhook_bodies import (
    DANA,
    Customer,
    body,
    change,
    contact,
    inbound,
    message,
    rows,
    seconds,
    system,
    take,
    text,
)
from tests.support.world import ACME_NUMBER, World

HTMX = {"HX-Request": "true"}
LISTED = "SELECT phone, user_id, marketing_consent FROM contact WHERE deleted_at IS NULL ORDER BY phone"
BUTTON = {"type": "button", "context": {"id": "wamid.OUT1"}}


async def consents(world: World) -> list[str]:
    return [row[-1] for row in await rows(world, world.acme, LISTED)]


@pytest.mark.parametrize("part", [
    {**BUTTON, "button": {"payload": "Stop promotions", "text": "Stop promotions"}},
    {**BUTTON, "button": {"payload": "STOP_PROMOTIONS", "text": "Keine Werbung mehr"}},
    *({"type": "text", "text": {"body": words}} for words in (
        "STOP", "stop.", "Stop !", "STOP 🛑", "*STOP*", "“stop”", "\u200eStop\u200f", "Unsubscribe!!",
        "STOP\nPROMOTIONS")),
], ids=repr)
async def test_typed_or_tapped_it_counts(world: World, part: dict[str, Any]) -> None:
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, message(DANA, "wamid.1", seconds(world), **part))))
    assert await consents(world) == ["opted_out"]


@pytest.mark.parametrize("part", [
    {**BUTTON, "button": {"payload": "STOP_THE_ORDER", "text": "Stop it"}},
    *({"type": "text", "text": {"body": words}} for words in (
        "Please don't stop", "bus stop", "stop by tomorrow?", "🛑", "", "non-stop")),
], ids=repr)
async def test_other_words_with_it_do_not(world: World, part: dict[str, Any]) -> None:
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, message(DANA, "wamid.1", seconds(world), **part))))
    assert await consents(world) == ["unknown"]


def preference(at: int, value: str, category: str | None = "marketing_messages") -> dict[str, Any]:
    named = {"category": category} if category else {}
    return change(ACME_NUMBER, "user_preferences", contacts=[contact(DANA)], user_preferences=[
        {"wa_id": DANA.phone, "user_id": DANA.user_id, "value": value, "timestamp": at, **named}])


async def test_only_a_word_that_is_known_agrees(world: World) -> None:
    at = seconds(world, 60)
    await take(world, body(ACME_NUMBER, preference(at, "stop")))
    unknown = (preference(at + 1, "paused"), preference(at + 2, "resume", "utility_messages"))
    for sent in (*unknown, *unknown):
        await take(world, body(ACME_NUMBER, sent))
        assert await consents(world) == ["opted_out"]
    assert await rows(world, world.acme, "SELECT field, count(*) FROM webhook_event") == [("PreferenceChanged", 2)]
    await take(world, body(ACME_NUMBER, preference(at + 3, "signup", None)))
    assert await consents(world) == ["opted_in"]
    await take(world, body(ACME_NUMBER, preference(at + 4, "stop", "something_new")))
    assert await consents(world) == ["opted_out"]


async def test_of_a_number_it_holds_for_the_id_that_news_links_it_to(world: World) -> None:
    at = seconds(world, 60)
    by_phone, by_id = Customer("Dana R", "14155550123"), Customer("Dana", None, "US.7Hq2mZ90")
    for sent in (inbound(ACME_NUMBER, by_phone, text(by_phone, "wamid.1", at, "STOP")),
                 inbound(ACME_NUMBER, by_id, text(by_id, "wamid.2", at + 1, "Hello")),
                 system(ACME_NUMBER, "wamid.s", at + 2, by_phone.phone, type="user_changed_number", user_id="US.NEW1",
                        wa_id="14155550999", previous_user_id=by_id.user_id)):
        await take(world, body(ACME_NUMBER, sent))
    assert await rows(world, world.acme, LISTED) == [("14155550999", "US.NEW1", "opted_out")]
    assert await rows(world, world.acme, "SELECT count(DISTINCT conversation_id) FROM message") == [(1,)]
    assert await rows(world, world.acme, "SELECT 1 FROM rejected_event") == []


async def test_said_while_two_were_one_it_outlives_their_parting(world: World) -> None:
    """Also when the two counted as refusing already, for what only one of them had said."""
    maya, other = await talk(world), await talk(world, name="Maya C.", phone="14155550199")
    alice = await world.session("alice")
    for one, word in ((maya, "opted_in"), (other, "opted_out")):
        await alice.post(f"/w/acme/contacts/{one.contact_id}/consent", headers=HTMX,
                         data={"marketing": word, "evidence": "said so"})
    address = f"/w/acme/contacts/{maya.contact_id}/merge"
    assert (await alice.post(address, data={"other_id": other.contact_id}, headers=HTMX)).status_code == 200
    await maya.says("STOP")
    assert (await alice.delete(address, headers=HTMX)).status_code == 200
    assert await consents(world) == ["opted_out", "opted_out"]


async def test_in_a_group_that_was_deleted_it_loses_no_message(world: World) -> None:
    at = seconds(world, 60)

    def said(wamid: str, words: str) -> dict[str, Any]:
        return inbound(ACME_NUMBER, DANA, {**text(DANA, wamid, at, words), "group_id": "Y2FwaQ=="})

    await take(world, body(ACME_NUMBER, said("wamid.1", "Hello")))
    [(contact_id,)] = await rows(world, world.acme, "SELECT id FROM contact")
    async with world.client(await world.key(world.acme)) as script:
        assert (await script.delete(f"/api/v1/contacts/{contact_id}")).status_code == 204
    await take(world, body(ACME_NUMBER, said("wamid.2", "STOP")))
    assert await rows(world, world.acme, "SELECT reason FROM rejected_event") == []
    assert await rows(world, world.acme, "SELECT text FROM message ORDER BY sequence") == [("Hello",), ("STOP",)]
    assert await consents(world) == ["opted_out"], "whoever writes is there again"


@pytest.mark.parametrize("how", ["writes first", "news first", "shows the number"])
async def test_of_somebody_forgotten_it_holds_under_whatever_leads_back_to_them(world: World, how: str) -> None:
    """Of the forgotten one nothing is known but hashes of their number and the no."""
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        key = contacts.marking_key(workspace.callback_key)
        await contacts.keep_refusal(tx, key, [contacts.mark(key, contacts.Identity("phone", "14155550123"))], at=tx.now)
    at = seconds(world, 60)
    after = Customer("Dana", "14155550999", "US.D2")
    hidden = Customer("Dana", None, "US.7Hq2mZ90")
    news = system(ACME_NUMBER, "wamid.s", at, "14155550123", type="user_changed_number", wa_id=after.phone,
                  user_id=after.user_id)
    wrote = inbound(ACME_NUMBER, after, text(after, "wamid.1", at + 1, "Hello"))
    story = {"writes first": [wrote, news], "news first": [news, wrote], "shows the number": [
        inbound(ACME_NUMBER, hidden, text(hidden, "wamid.1", at, "Hello")),
        inbound(ACME_NUMBER, DANA, text(DANA, "wamid.2", at + 1, "It is me"))]}[how]
    for told in story:
        await take(world, body(ACME_NUMBER, told))
    assert await consents(world) == ["opted_out"]


async def test_whoever_agreed_after_a_forgotten_refusal_has_agreed_under_a_new_id_too(world: World) -> None:
    """Their company's id led to them already: nothing of the one who was forgotten comes back with it."""
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        key = contacts.marking_key(workspace.callback_key)
        await contacts.keep_refusal(tx, key, [contacts.mark(key, contacts.Identity("user_id", "US.P1"))], at=tx.now)
        first = await contacts.recognise(tx, Person(parent_user_id="US.P1"))
        assert (await contacts.contact(tx, first.contact_id)).marketing_consent == "opted_out"
        await contacts.record_consent(tx, first.contact_id, contacts.Consent.OPTED_IN, source="a form", evidence="",
                                      at=tx.now + 1)
        again = await contacts.recognise(tx, Person(parent_user_id="US.P1", user_id="US.N1"))
        assert again.contact_id == first.contact_id
    assert await consents(world) == ["opted_in"]
