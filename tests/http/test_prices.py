"""Prices over HTTP: entering cards, who may, what is refused, and what a message costs where it is written."""

from __future__ import annotations

import re
from typing import Any

import httpx
import msgspec
import pytest

from chime.clock import DAY, HOUR, rfc3339
from tests.http.inbox_setup import Talk, leaving, rows, stock_templates, talk
from tests.support.world import World

PAGE = "/w/acme/settings/prices"
WABA = "377001122334455"
CARD = ("Rates in USD,,,\nMarket,Currency,Marketing,Utility\nNorth America,$US,0.0250,0.0034\nIndia,USD,0.0107,0.0014\n"
        "Rest of Latin America,USD,0.0740,0.0113\nOther,USD,0.0604,0.0077\n")


async def add(world: World, name: str = "alice", table: str = CARD, **fields: str) -> httpx.Response:
    client = await world.session(name)
    return await client.post(f"{PAGE}/files", data={"currency": "", "valid_from": "2026-10-01", **fields},
                             files={"table": ("rates.csv", table.encode(), "text/csv")})


async def cards(world: World) -> list[Any]:
    return await rows(world, world.acme, "SELECT id, currency, valid_from, kind FROM rate_card ORDER BY id")


async def said(world: World, talk: Talk, template: str = "welcome_offer", name: str = "alice", **query: str) -> Any:
    """What the API says that this template costs."""
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.get(f"/api/v1/conversations/{talk.id}/price", params={
            **({"template_name": template, "template_language": "en"} if template else {}), **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def shown(world: World, talk: Talk, name: str, **fields: str) -> str:
    """The line that the composer shows to somebody."""
    answer = await (await world.session(name)).post(f"{talk.base}/price", data={
        "template_name": "welcome_offer", "template_language": "en", **fields})
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.split())


async def test_a_card_is_entered_seen_and_deleted(world: World) -> None:
    await talk(world)
    alice = await world.session("alice")
    async with leaving(world, alice) as left:
        assert (await add(world)).status_code == 303
    [(card_id, *rest)] = await cards(world)
    assert rest == ["USD", "2026-10-01", "file"]
    assert left.audit == [("rate_card.created", "rate_card", card_id)] and not left.nudges
    page = (await alice.get(PAGE)).text
    assert "$0.025" in page and "In force" in page and "North America" in page and "No later card is here" in page
    assert (await alice.post(f"{PAGE}/rates", data={
        "market": "IN", "category": "marketing", "price": "0.02", "currency": "USD",
        "valid_from": "2099-01-01"})).status_code == 303
    page = (await alice.get(PAGE)).text
    assert "Not yet" in page and "The next change is on Jan 1, 2099" in page
    assert "$0.0034" in (await alice.get(f"{PAGE}/{card_id}")).text
    async with leaving(world, alice) as left:
        assert (await alice.post(f"{PAGE}/{card_id}/removal")).status_code == 303
    assert left.audit == [("rate_card.deleted", "rate_card", card_id)]
    assert (await alice.get(f"{PAGE}/{card_id}")).status_code == 404 and len(await cards(world)) == 1
    assert not [row for row in await rows(world, world.acme, "SELECT count(*) FROM rate") if row[0] != 1]


async def test_a_card_that_does_not_fit_leaves_nothing(world: World) -> None:
    alice = await world.session("alice")
    refused = await add(world, table=CARD.replace("0.0107", "cheap").replace("Other", "Atlantis"))
    assert refused.status_code == 422 and "Line 4, Marketing:</b> This is no price" in refused.text
    assert "Line 6, Market:</b> This is no country" in refused.text and 'value="2026-10-01"' in refused.text
    for fields, part in (({"valid_from": ""}, "Choose the day"), ({"currency": "INR"}, "not the currency of")):
        answer = await add(world, **fields)
        assert answer.status_code == 422 and part in answer.text, fields
    one = {"market": "IN", "category": "marketing", "price": "0.02", "currency": "USD", "valid_from": "2026-10-01"}
    for name, value, part in (("price", "1,250", "no price"), ("market", "XX", "no country"),
                              ("currency", "XXX", "bills"), ("category", "gift", "One of marketing"),
                              ("valid_from", "soon", "Choose the day")):
        answer = await alice.post(f"{PAGE}/rates", data=one | {name: value})
        assert answer.status_code == 422 and part in answer.text, name
    assert not await cards(world)
    for name in ("mo", "kim", "bob", "vera"):
        client = await world.session(name)
        assert (await client.get(PAGE)).status_code == 403 and (await add(world, name)).status_code == 403


async def test_the_composer_says_what_a_template_costs(world: World) -> None:
    maya, _ = await talk(world), await stock_templates(world)
    alice = await world.session("alice")
    picker = (await alice.get(f"{maya.base}/templates")).text
    assert "Price not known: there is no rate card" in picker and f'href="{PAGE}"' in picker
    assert f'href="{PAGE}"' not in (await (await world.session("mo")).get(f"{maya.base}/templates")).text
    assert "composer-price" not in (await alice.get(maya.base)).text, "what is not known is not said there"
    await add(world)
    picker = (await alice.get(f"{maya.base}/templates")).text
    assert "Up to $0.025 (Marketing, North America), without tax" in picker
    assert "Up to $0.0034 (Utility, North America), without tax" in picker
    assert "Up to $0.0034 (Service, North America), without tax" in (await alice.get(maya.base)).text
    await (await world.session("alice")).post(f"{PAGE}/accounts", data={
        "waba_id": WABA, "currency": "USD", "time_zone": "America/New_York", "free_service": "1000"})
    assert "1000 answers a month are free" in (await alice.get(maya.base)).text.replace("1,000", "1000")


async def test_a_price_tells_no_more_than_the_mask(world: World) -> None:
    await stock_templates(world)
    await add(world)
    maya, raj = await talk(world), await talk(world, name="Raj", phone="919812345678")
    await world.settle()
    for one in (maya, raj):
        await (await world.session("alice")).post(f"{one.base}/assignment", data={
            "assignee_id": (await rows_of_people(world))["bob"]})
    assert await shown(world, maya, "alice") == "Up to $0.025 (Marketing, North America), without tax"
    assert await shown(world, maya, "bob") == "Up to $0.074 (Marketing), without tax"
    assert await shown(world, raj, "bob") == "Up to $0.0107 (Marketing, India), without tax"
    ana = await talk(world, name="Ana", phone=None, username="ana")
    assert "Price not known: WhatsApp does not tell this customer" in await shown(world, ana, "alice")


async def rows_of_people(world: World) -> dict[str, str]:
    found = await world.services.control.db.rows("SELECT id, email FROM user")
    return {str(row[1]).split("@")[0]: str(row[0]) for row in found}


async def test_later_is_priced_at_its_moment(world: World) -> None:
    maya, _ = await talk(world), await stock_templates(world)
    await add(world)
    alice = await world.session("alice")
    day = rfc3339(world.clock.now() + 5 * DAY)[:10]
    await add(world, table=CARD.replace("0.0250", "0.0300"), valid_from=day)
    await alice.post(f"{PAGE}/accounts", data={"waba_id": WABA, "currency": "USD", "time_zone": "UTC"})
    before, after = (rfc3339(world.clock.now() + days * DAY) for days in (3, 7))
    assert (await said(world, maya, at=before))["up_to_micros"] == 25_000
    assert (await said(world, maya, at=after))["up_to_micros"] == 30_000
    assert "$0.03 " in await shown(world, maya, "alice", send_at_own=after[:16])
    sent = await alice.post(f"{maya.base}/messages", data={
        "type": "template", "template_name": "feedback_request", "template_language": "en", "send_at_own": after[:16]})
    assert sent.status_code == 303 and "Up to $0.0034 (Utility, North America)" in (await alice.get(maya.base)).text


async def test_a_new_conversation_has_its_price(world: World) -> None:
    await stock_templates(world)
    await add(world)
    mo, channel = await world.session("mo"), world.acme.channel_id
    for phone, words in (("+91 98123 45678", "Up to $0.0107 (Marketing, India), without tax"),
                         ("+1 809 555 0101", "(Marketing, Rest of Latin America)"), ("12", "")):
        answer = await mo.post("/w/acme/inbox/price", data={
            "channel_id": channel, "phone": phone, "template_name": "welcome_offer", "template_language": "en"})
        assert answer.status_code == 200 and words in answer.text and bool(answer.text.strip()) is bool(words), phone
    assert (await (await world.session("bob")).post("/w/acme/inbox/price", data={})).status_code == 403
    async with world.client(await world.key(world.acme)) as script:
        asked = {"channel_id": channel, "phone": "+919812345678", "template_name": "welcome_offer",
                 "template_language": "en"}
        told = (await script.post("/api/v1/prices", json=asked)).json()
        assert (told["kind"], told["up_to_micros"], told["market"]) == ("amount", 10_700, "IN")
        assert (await script.post("/api/v1/prices", json=asked | {"phone": "12"})).status_code == 422
        assert (await script.post("/api/v1/prices", json=asked | {"template_name": "none"})).status_code == 404


@pytest.mark.parametrize(("pricing", "words"), [
    ({"billable": True, "type": "regular", "category": "marketing"}, "charged by WhatsApp, up to $0.025"),
    ({"billable": False, "type": "free_entry_point", "category": "marketing"}, "free, the customer came from an ad")])
async def test_a_sent_message_tells_what_it_cost(world: World, pricing: dict[str, Any], words: str) -> None:
    maya = await talk(world)
    await add(world)
    alice = await world.session("alice")
    message = await maya.reply(alice, "On its way")
    await world.settle()
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE message SET pricing_json = ? WHERE id = ?", msgspec.json.encode(pricing).decode(),
                         message.id)
    for path in (maya.base, f"{maya.base}/messages?ids={message.id}"):
        found = re.search(r'data-price="([^"]*)"', (await alice.get(path)).text)
        assert found and found[1].endswith(words), found


async def test_who_came_from_an_ad_is_answered_for_free(world: World) -> None:
    await add(world)
    maya = await talk(world, {"type": "text", "text": {"body": "Is it in stock?"}, "referral": {
        "source_type": "ad", "source_id": "1", "source_url": "https://shop.example/ad", "headline": "Mugs"}})
    await stock_templates(world)
    assert await said(world, maya) == {"kind": "free", "reason": "ad", "up_to_micros": None, "currency": None,
                                       "category": None, "market": None, "card_id": None, "is_sample": False}
    alice = await world.session("alice")
    await maya.reply(alice, "Yes")
    await world.settle()
    later = world.clock.now()
    assert (await said(world, maya, template=""))["kind"] == "free"
    assert (await said(world, maya, at=rfc3339(later + 71 * HOUR)))["kind"] == "free"
    assert (await said(world, maya, at=rfc3339(later + 73 * HOUR)))["kind"] == "amount"
    assert await shown(world, maya, "alice") == "Free: the customer came from an ad"
    async with world.client(await world.key(world.acme)) as script:
        for at in ("soon", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"):
            answer = await script.get(f"/api/v1/conversations/{maya.id}/price", params={"at": at})
            assert answer.status_code == 422, at


async def test_scripts_enter_cards_and_say_how_accounts_pay(world: World) -> None:
    rate = {"market": "IN", "category": "utility", "price_micros": 115_000, "tier_from": 0, "tier_to": 25_000_000}
    async with world.client(await world.key(world.acme)) as script:
        made = await script.post("/api/v1/rate-cards", json={
            "valid_from": "2026-10-01", "currency": "INR", "rates": [rate]})
        assert made.status_code == 201 and made.json()["rates"] == [rate] and made.json()["kind"] == "hand"
        table = await script.post("/api/v1/rate-cards", json={"valid_from": "2026-10-01", "table": CARD})
        assert table.status_code == 201 and (table.json()["currency"], table.json()["rates_count"]) == ("USD", 8)
        listed = (await script.get("/api/v1/rate-cards?limit=1")).json()
        assert [one["id"] for one in listed["items"]] == [made.json()["id"]] and listed["next_cursor"]
        accounts = (await script.get("/api/v1/paying-accounts")).json()["items"]
        assert accounts == [{"waba_id": WABA, "currency": "", "time_zone": "UTC", "free_service": None}]
        new = {"currency": "INR", "time_zone": "Asia/Kolkata", "free_service": 1000}
        assert (await script.put(f"/api/v1/paying-accounts/{WABA}", json=new)).json() == {"waba_id": WABA, **new}
        for path, body, status in (
                (f"/api/v1/paying-accounts/{WABA}", new | {"currency": "XYZ"}, 422),
                (f"/api/v1/paying-accounts/{WABA}", new | {"time_zone": "Nowhere"}, 422),
                ("/api/v1/paying-accounts/577001122334455", new, 404)):
            assert (await script.put(path, json=body)).status_code == status, path
        for body in ({"valid_from": "2026-10-01"}, {"valid_from": "2026-13-01", "currency": "INR", "rates": [rate]},
                     {"valid_from": "2026-10-01", "currency": "INR", "rates": [rate, rate]},
                     {"valid_from": "2026-10-01", "currency": "INR", "rates": [rate | {"market": "Atlantis"}]},
                     {"valid_from": "2026-10-01", "table": CARD.replace("0.0107", "cheap")}):
            assert (await script.post("/api/v1/rate-cards", json=body)).status_code == 422, body
        card_id = made.json()["id"]
        assert (await script.delete(f"/api/v1/rate-cards/{card_id}")).status_code == 204
        assert (await script.get(f"/api/v1/rate-cards/{card_id}")).status_code == 404
    audited = await rows(world, world.acme, "SELECT action FROM audit_event WHERE object_kind IN ('rate_card', "
                         "'paying_account') ORDER BY sequence")
    assert [row[0] for row in audited] == ["rate_card.created", "rate_card.created", "paying_account.edited",
                                           "rate_card.deleted"]
