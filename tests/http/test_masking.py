"""Masked numbers (T23): whoever may not see them finds them in no page, fragment, answer, stream, search or error, and
cannot learn them by asking; revealing one is written down first and counted.
"""

from __future__ import annotations

import html
import re
import urllib.parse

import pytest

from chime.phone import Phone, country_code, masked_in, numbers_shown_to
from tests.http.data_setup import exported
from tests.http.inbox_setup import PHONE, Talk, indexed, rows, talk
from tests.support.world import World


@pytest.mark.parametrize(("digits", "country", "masked"), [
    ("919876543210", "91", "+91 ••••• ••210"), ("14155550123", "1", "+1 ••••• ••123"),
    ("35312345678", "353", "+353 ••••• ••678"), ("6512345678", "65", "+65 ••••• ••678"),
    ("2901234", "290", "+290 ••••• ••"), ("79161234567", "7", "+7 ••••• ••567"),
    ("420601234567", "420", "+420 ••••• ••567"),
    ("²0601234567", "²06", "+²06 ••••• ••567"),  # what a hand types: a digit to Python, and no number
])
def test_a_number_shows_its_country_and_three_digits(digits: str, country: str, masked: str) -> None:
    assert country_code(digits) == country and Phone(digits).masked == masked


def test_without_a_reader_a_number_is_masked_wherever_it_is_printed() -> None:
    number = Phone("+919876543210")
    for text in (str(number), repr(number), f"{number}", f"{number!r}", f"{number!s}"):
        assert "98765" not in text and "43210" not in text, text
    numbers_shown_to(True)
    assert str(number) == "+919876543210" and "98765" not in repr(number)
    numbers_shown_to(False)


@pytest.mark.parametrize("text", ["call +91 98765 43210 now", "(415) 555-0123", "my no. 9876543210.", "91-98765-43210"])
def test_numbers_in_texts_are_masked(text: str) -> None:
    assert not re.search(r"\d{4}", masked_in(text))
    assert masked_in("order 10423 of 2026-11-21 at 10:45, 3 pieces") == "order 10423 of 2026-11-21 at 10:45, 3 pieces"


async def pages(world: World, maya: Talk) -> list[str]:
    """Every carrier an agent's browser has."""
    base = maya.workspace_base
    return [f"{base}/inbox", f"{base}/inbox/list", f"{base}/inbox?v=mine", maya.base, f"{maya.base}/messages",
            f"{maya.base}/state", f"{base}/inbox?q=maya", f"{base}/inbox/search?q=sunday", f"{base}/inbox?q={PHONE}",
            f"{base}/inbox?q={PHONE[-4:]}", f"{base}/inbox?q=%2B{PHONE}"]


def tells(text: str, digits: str) -> bool:
    """Whether five digits of the number in a row stand anywhere, in any writing of it, besides what was asked."""
    plain = html.unescape(urllib.parse.unquote(text))
    squeezed = re.sub(r"[\s().\-]", "", plain)
    hidden = digits[1:-3]
    return any(hidden[start:start + 5] in squeezed for start in range(len(hidden) - 4))


async def test_a_masked_reader_finds_a_number_in_no_page(world: World) -> None:
    nameless = await talk(world, "Sunday?", name="", phone="14158675309")
    maya = await talk(world, "open on Sunday?", phone="14152675101")
    await indexed(world)
    for name in ("bob", "vera"):
        client = await world.session(name)
        for one in (maya, nameless):
            digits = one.customer.phone or ""
            for path in await pages(world, one):
                answer = await client.get(path)
                asked = html.unescape(urllib.parse.unquote(path))
                text = answer.text.replace(asked, "").replace(PHONE, "")
                assert answer.status_code == 200 and not tells(text, digits), (name, path)
    kim = await world.session("kim")
    assert tells((await kim.get(nameless.base)).text, "14158675309"), "who may see numbers sees them"
    assert "+1 ••••• ••309" in (await (await world.session("vera")).get(nameless.base)).text


async def test_a_masked_reader_learns_nothing_by_searching(world: World) -> None:
    maya = await talk(world, "hello", phone="14152675101")
    await indexed(world)
    vera, kim = await world.session("vera"), await world.session("kim")
    for typed in ("14152675101", "+1 415 267 5101", "2675", "5101", "415-267", "0014152675101", "675", "1",
                  "\uff11\uff14\uff11\uff15\uff12\uff16\uff17", "4152 maya chen"):
        found = (await vera.get(f"{maya.workspace_base}/inbox", params={"q": typed})).text
        by_name = "maya" in typed
        assert (maya.id in found) == by_name, typed
    assert maya.id in (await kim.get(f"{maya.workspace_base}/inbox", params={"q": "2675"})).text


async def test_scripts_of_a_masked_member_get_masked_numbers(world: World) -> None:
    maya = await talk(world, "hello", phone="14152675101")
    made = await world.key(world.acme, "inbox:read,contacts:read,numbers:read")
    bob = await world.services.control.db.value("SELECT id FROM user WHERE email = 'bob@example.com'")
    async with world.client(made) as script:
        whole = (await script.get(f"/api/v1/contacts/{maya.contact_id}")).json()
        assert whole["phone"] == "+14152675101"
        async with world.services.control.ingest("test") as tx:
            await tx.execute("UPDATE api_key SET made_by = ? WHERE secret_hash = (SELECT secret_hash FROM api_key "
                             "ORDER BY created_at DESC, id DESC LIMIT 1)", bob)
        for path in (f"/api/v1/contacts/{maya.contact_id}", "/api/v1/contacts", "/api/v1/conversations",
                     f"/api/v1/conversations/{maya.id}", f"/api/v1/conversations/{maya.id}/messages"):
            answer = await script.get(path)
            world.clock.pass_time(3_000)
            assert answer.status_code == 200 and not tells(answer.text, "14152675101"), path


async def test_a_revealed_number_is_written_down_before_it_is_seen(world: World) -> None:
    maya = await talk(world, "hello", phone="14152675101")
    bob = await world.session("bob")
    path = f"{maya.workspace_base}/contacts/{maya.contact_id}/number"
    assert (await bob.post(path)).status_code == 403
    async with world.services.control.ingest("test") as tx:
        await tx.execute(
            "INSERT INTO custom_role (id, workspace_id, name, grants_json, created_at) VALUES ('r1', ?, 'Desk', ?, 0)",
            world.acme.workspace_id, '{"inbox:read":[3,true],"contacts:read":[3,true],"numbers:reveal":[3]}'
            .replace("[3,true]", '{"reach":3,"masked":true}').replace("[3]", '{"reach":3}'))
        await tx.execute("UPDATE membership SET role = 'r1' WHERE user_id = (SELECT id FROM user "
                         "WHERE email = 'bob@example.com')")
    assert not tells((await bob.get(maya.base)).text, "14152675101")
    shown = await bob.post(path)
    assert shown.status_code == 200 and tells(shown.text, "14152675101")
    assert not tells((await bob.get(maya.base)).text, "14152675101"), "one look is one look"
    audited = await rows(world, world.acme, "SELECT object_id FROM audit_event "
                         "WHERE action = 'contact.number_revealed'")
    assert audited == [(maya.contact_id,)]
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        for number in range(29):
            await tx.execute("INSERT INTO number_shown SELECT ?, contact_id, user_id, at FROM number_shown LIMIT 1",
                             f"n{number}")
    assert (await bob.post(path)).status_code == 429


TOLD = "919876543210"
# Every kind of message whose words may hold somebody's number, and a word of it to search for.
TELLING: dict[str, tuple[dict[str, object], str]] = {
    "text": ({"type": "text", "text": {"body": "alpha call +91 98765 43210 now"}}, "alpha"),
    "caption": ({"type": "image", "image": {"caption": "bravo (91) 98765-43210"}}, "bravo"),
    "file name": ({"type": "document", "document": {"filename": "charlie 919876543210.pdf"}}, "charlie"),
    "place": ({"type": "location", "location": {"latitude": 1.5, "longitude": 2.5, "name": "delta 91 98765 43210",
                                                "address": "tel 919876543210"}}, ""),
    "card": ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Echo", "first_name": "Echo"},
                                                "phones": [{"phone": "+91 98765 43210", "wa_id": TOLD}]}]}, ""),
    "last": ({"type": "text", "text": {"body": "foxtrot 919876543210"}}, "foxtrot"),
}


async def _policy(world: World) -> None:
    """Numbers in texts are masked to whom numbers are; Mo is one of those, and Bob has whatever is open."""
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO workspace_policy (workspace_id, policy_json) VALUES (?, ?)",
                         world.acme.workspace_id, '{"mask_in_text":true,"exports_need_approval":true}')
        await tx.execute("UPDATE membership SET masked = 1 WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         "mo@example.com")
    bob = await world.services.control.db.value("SELECT id FROM user WHERE email = 'bob@example.com'")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET assignee_id = ?", bob)


async def test_numbers_inside_messages_are_masked_on_every_carrier(world: World) -> None:
    maya = await talk(world, "hello", phone="14152675101")
    said = {name: (await maya.says(message)).id for name, (message, _) in TELLING.items()}
    alice = await world.session("alice")
    await maya.reply(alice, "Noted: 919876543210", quoted_id=said["text"])
    await maya.says("golf 919876543210")
    await indexed(world)
    await _policy(world)
    base, words = maya.workspace_base, [word for _, word in TELLING.values() if word]
    paths = [f"{base}/inbox", f"{base}/inbox/list", maya.base, f"{maya.base}/messages", f"{maya.base}/state",
             f"{maya.base}/messages?ids={','.join(said.values())}",
             *(f"{base}/inbox?q={word}" for word in words), *(f"{base}/inbox/search?q={word}" for word in words)]
    for name in ("bob", "vera", "mo"):
        client = await world.session(name)
        for path in paths:
            answer = await client.get(path)
            assert answer.status_code == 200 and not tells(answer.text, TOLD), (name, path)
            assert "••210" in answer.text or path.endswith("/state"), (name, path)
        for path in (f"{base}/inbox/list", f"{base}/inbox/search"):
            asked = [(await client.get(path, params={"q": typed})).text for typed in (TOLD, "911111111111")]
            assert asked[0] == asked[1], "found or not found would tell it"
    kim = await world.session("kim")
    for path in paths:
        assert tells((await kim.get(path)).text, TOLD) or path.endswith("/state"), "who may see them sees them"
    files = await rows(world, world.acme, "SELECT id FROM media WHERE filename <> ''")
    for name, seen in (("bob", False), ("kim", True)):
        named = (await (await world.session(name)).get(f"{base}/media/{files[0][0]}?download=1")).headers
        assert tells(named["content-disposition"], TOLD) == seen


async def test_numbers_inside_messages_are_masked_to_scripts(world: World) -> None:
    maya = await talk(world, "hello", phone="14152675101")
    for message, _ in TELLING.values():
        await maya.says(message)
    await indexed(world)
    await _policy(world)
    own = await world.key(world.acme, "inbox:read,contacts:read")
    bobs = await world.key(world.acme, "inbox:read,contacts:read,numbers:read")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE api_key SET made_by = (SELECT id FROM user WHERE email = 'bob@example.com') "
                         "WHERE secret_hash = (SELECT secret_hash FROM api_key ORDER BY created_at DESC, id DESC "
                         "LIMIT 1)")
    whole = await world.key(world.acme, "inbox:read,contacts:read,numbers:read")
    for key, seen in ((own, False), (bobs, False), (whole, True)):
        async with world.client(key) as script:
            for path in ("/api/v1/conversations", f"/api/v1/conversations/{maya.id}/messages",
                         "/api/v1/messages?search=alpha", "/api/v1/messages?search=charlie",
                         f"/api/v1/messages?search=foxtrot&conversation_id={maya.id}"):
                answer = await script.get(path)
                assert answer.status_code == 200 and answer.json()["items"], path
                assert tells(re.sub(r"wamid\.[^\"]*", "", answer.text), TOLD) == seen, path
            asked = await script.get("/api/v1/messages", params={"search": TOLD})
            assert asked.status_code == (200 if seen else 422), "found or not found would tell it"


async def test_numbers_inside_messages_are_masked_in_exports(world: World) -> None:
    maya = await talk(world, "hello", phone="14152675101")
    for message, _ in TELLING.values():
        await maya.says(message)
    await _policy(world)
    for form in ("csv", "jsonl"):
        masked = (await exported(world, "mo", "alice", "conversations", format=form)).text
        assert "alpha" in masked and not tells(masked, TOLD) and "••210" in masked
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET masked = 0")
    assert tells((await exported(world, "mo", "alice", "conversations", format="jsonl")).text, TOLD)
