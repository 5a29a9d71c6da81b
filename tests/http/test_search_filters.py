"""Searching with filters: chosen, typed or by script; what each finds, and that none tells what it must not."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from chime.clock import DAY
from chime.inbox.search_pages import PAGE
from chime.simulator import write
from tests.http.inbox_setup import Talk, indexed, rows, talk, text
from tests.http.test_inbox_pages import door
from tests.http.test_search import found, people, says_many
from tests.support.world import World


@dataclass
class Shop:
    """A talk with one of each kind in it; `said` are the ids by what they are."""

    maya: Talk
    bob: str
    said: dict[str, str]

    def ids(self, *names: str) -> list[str]:
        """Newest first, as a search tells them."""
        return [self.said[name] for name in reversed(self.said) if name in names]


async def person(world: World, name: str) -> str:
    ((user_id,),) = await world.services.control.db.rows("SELECT id FROM user WHERE email = ?", f"{name}@example.com")
    return str(user_id)


async def shop(world: World) -> Shop:
    bob, maya = await world.session("bob"), await talk(world, "the walnut table")
    bob_id = await person(world, "bob")
    await (await world.session("alice")).post(f"{maya.base}/assignment", data={"assignee_id": bob_id})
    number = maya.tenant.number.phone_number_id
    said = {"text": (await maya.messages())[0].id, "bob": (await maya.reply(bob, "walnut is sold out")).id}
    picture = world.simulator.world.add_media(number, b"\x89PNG", "image/png")
    said["image"] = (await maya.says({"type": "image", "image": {"id": picture.media_id, "caption": "this walnut"}})).id
    voice = world.simulator.world.add_media(number, b"OggS", "audio/ogg")
    said["voice"] = (await maya.says({"type": "audio", "audio": {"id": voice.media_id, "voice": True}})).id
    said["place"] = (await maya.says({"type": "location", "location": {
        "latitude": 52.5, "longitude": 13.4, "name": "Walnut street"}})).id
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.post("/api/v1/messages", json={"to": "+14155550101", "type": "text",
                                                             "text": {"body": "walnut, says a script"}})
    said["api"] = answer.json()["id"]
    await world.settle()
    assert (await bob.post(f"{maya.base}/notes", data={"text": "walnut for Maya"})).status_code == 303
    await indexed(world)
    return Shop(maya, bob_id, said)


async def listed(world: World, name: str = "kim", **query: Any) -> str:
    page = await (await world.session(name)).get(f"/w/{world.acme.slug}/inbox/list", params=query)
    assert page.status_code == 200, query
    return page.text


def notes(page: str) -> int:
    return len(re.findall(r"at=n-\w+\" hx-target|#n-\w+", page))


def chips(page: str) -> list[tuple[str, str]]:
    """Each chip's words and the address without it."""
    found = re.findall(r'<li class="chip chip-accent"><span class="cut" dir="auto">(.*?)</span><a class="chip-x" '
                       r'href="(.*?)"', page)
    return [(html.unescape(words), html.unescape(address)) for words, address in found]


async def by_script(world: World, **query: Any) -> list[str]:
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.get("/api/v1/messages", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_each_filter_finds_its_own(world: World) -> None:
    """The same chosen, typed and by script; with a word and without."""
    at = await shop(world)
    channel = world.acme.channel_id
    for chosen, operator, script, names in (
        ({"from": "customer"}, "from:customer", {"from": "customer"}, ("text", "image", "voice", "place")),
        ({"from": at.bob}, "from:bob", {"from": at.bob}, ("bob",)),
        ({"from": "team"}, "from:team", {"from": "team"}, ("bob",)),
        ({"from": "api"}, "from:api", {"from": "api"}, ("api",)),
        ({"from": "bot"}, "from:bot", {"from": "bot"}, ()),
        ({"from": ["api", at.bob]}, "from:api from:bob", {"from": f"api,{at.bob}"}, ("api", "bob")),
        ({"type": "image"}, "type:photos", {"type": "image"}, ("image",)),
        ({"type": "voice"}, "type:voice", {"type": "voice"}, ("voice",)),
        ({"type": ["location", "image"]}, "type:location type:image", {"type": "image,location"}, ("image", "place")),
        ({"type": "text"}, "type:text", {"type": "text"}, ("text", "bob", "api")),
        ({"has_file": "1"}, "has:file", {"has_file": "1"}, ("image", "voice")),
        ({"in": channel}, 'in:"Acme"', {"channel": channel}, tuple(at.said)),
        ({"from": "customer", "type": "image"}, "from:customer type:image", {"from": "customer", "type": "image"},
         ("image",)),
        ({"from": at.bob, "type": "image"}, "type:image from:bob", {"from": at.bob, "type": "image"}, ()),
    ):
        expected = at.ids(*names)
        with_words = [one for one in expected if one != at.said["voice"]]
        if "in" not in chosen:
            assert found(await listed(world, q=operator)) == expected, operator
            assert found(await listed(world, q=f"walnut {operator}")) == with_words, operator
        assert found(await listed(world, **chosen)) == expected, chosen
        assert found(await listed(world, q="walnut", **chosen)) == with_words, chosen
        assert await by_script(world, **script) == expected, script
        assert await by_script(world, search="walnut", **script) == with_words, script
        inside = await by_script(world, conversation_id=at.maya.id, **script)
        assert sorted(inside) == sorted(expected), script


async def test_numbers_by_name(world: World) -> None:
    at = await shop(world)
    ((name,),) = await rows(world, world.acme, "SELECT verified_name FROM channel")
    assert name and found(await listed(world, q=f'walnut in:"{name}" from:bob')) == at.ids("bob")
    page = await listed(world, q="walnut in:nowhere")
    assert found(page) == [] and "means nothing here" in page, "looked for as words"


async def test_days_are_the_readers(world: World) -> None:
    maya = await talk(world, "walnut today")
    ((now,),) = await rows(world, world.acme, "SELECT max(at) FROM message")
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    for back in (1, 2, 40):
        write(world.simulator, maya.customer, text(f"walnut {back}"), number=maya.tenant.number, at=now - back * DAY)
    await world.settle()
    await indexed(world)
    said = {message.text: message.id for message in await maya.messages()}
    zero, one, two, forty = (said[f"walnut {back}"] for back in ("today", 1, 2, 40))

    def back(days: int) -> str:
        return (today - timedelta(days=days)).isoformat()

    for operators, expected in (
        ("on:today", {zero}), ("on:yesterday", {one}), (f"on:{back(2)}", {two}), (f"since:{back(1)}", {zero, one}),
        (f"after:{back(1)}", {zero}), (f"until:{back(2)}", {two, forty}), (f"before:{back(2)}", {forty}),
        (f"since:{back(2)} until:{back(1)}", {one, two}), (f"since:{back(1)} until:{back(2)}", set()),
        ("before:1999-01-01", set()), ("since:9999-12-01", set()),
    ):
        for words in ("", "walnut "):
            assert set(found(await listed(world, q=words + operators))) == expected, operators
    assert set(found(await listed(world, first=back(2), last=back(1)))) == {one, two}
    assert set(await by_script(world, since=back(2), until=back(1))) == {one, two}
    kim = await world.session("kim")
    late = datetime.combine(today - timedelta(days=5), time(23, 30), UTC)
    write(world.simulator, maya.customer, text("walnut at night"), number=maya.tenant.number,
          at=int(late.timestamp() * 1000))
    await world.settle()
    await indexed(world)
    night = next(message.id for message in await maya.messages() if message.text == "walnut at night")
    for name, days in (("UTC", 5), ("Asia/Kolkata", 4), ("America/Lima", 5)):
        kim.cookies.set("zone", name)
        assert found(await listed(world, q=f"on:{back(days)}")) == [night], name


async def test_chips_tell_and_take_away(world: World) -> None:
    at = await shop(world)
    page = await listed(world, v="mine", q="walnut type:text", **{"from": at.bob, "last": "2040-10-01"})
    assert [words for words, _ in chips(page)] == ["From: Bob", "Text", "Until Oct 1, 2040"]
    for words, address in chips(page):
        assert "v=mine" in address and "walnut" in address, words
    assert [words for words, _ in chips(await listed(world, q="on:2040-10-01", type="text"))] == ["Text", "Oct 1, 2040"]
    assert dict(chips(await listed(world, q="on:2040-10-01 walnut")))["Oct 1, 2040"].endswith("?v=all&q=walnut")
    without_type = dict(chips(page))["Text"]
    assert "type" not in without_type and at.bob in without_type and 'data-search-text="walnut"' in page
    kim = await world.session("kim")
    assert found((await kim.get(without_type)).text) == at.ids("bob")
    clean = await kim.get(f"/w/{world.acme.slug}/inbox/list", params={"chosen": 1, "q": "walnut", "has_file": "1"})
    assert clean.headers["HX-Push-Url"].endswith("?v=all&q=walnut&has_file=1")


async def test_the_form_shows_what_was_typed_and_chosen(world: World) -> None:
    at = await shop(world)
    kim = await world.session("kim")
    for headers in ({}, {"HX-Request": "true"}):
        form = (await kim.get(f"/w/{world.acme.slug}/inbox/search/filters", headers=headers, params={
            "v": "mine", "q": "walnut from:bob", "has_file": "1"})).text
        assert re.search(rf'name="from" value="{at.bob}" checked', form)
        assert ('name="q" value="walnut"' in form and 'name="v" value="mine"' in form and "in:&#34;Sales" in form) or (
            'in:"Sales number"' in form)
    assert (await kim.get(f"/w/{world.acme.slug}/inbox", params={"q": "walnut", "from": at.bob})).status_code == 200


async def test_what_is_no_operator_is_words(world: World) -> None:
    maya = await talk(world, "note: from:paypal, colour:red, ratio 3:4 type:unheard")
    await indexed(world)
    (hit,) = [message.id for message in await maya.messages()]
    for words in ("colour:red", "from:paypal", '"from:paypal"', "3:4", "type:unheard", "note:"):
        assert found(await listed(world, q=words)) == [hit], words
    for words in ("from:", "from:\"", 'in:""', "before:2026-13-45", "from:" + "x" * 300, "type:note\0", "has:' OR 1=1"):
        await listed(world, q=words)


async def test_notes_are_found_by_author_and_day(world: World) -> None:
    at = await shop(world)
    for query, count in (("walnut", 1), ("walnut from:bob", 1), ("walnut from:mo", 0), ("walnut from:customer", 0),
                         ("type:note", 1), ("type:note from:bob", 1), ("walnut type:image", 0), ("walnut has:file", 0),
                         ("type:note before:2000-01-01", 0), ("from:team walnut", 1)):
        assert bool(notes(await listed(world, q=query))) == bool(count), query
    assert found(await listed(world, q="type:note")) == []
    bob = await world.session("bob")
    for number in range(PAGE + 3):
        await bob.post(f"{at.maya.base}/notes", data={"text": f"another {number}"})
    page = await listed(world, q="type:note another")
    where = door(page, "more-found")
    assert where is not None
    rest = (await (await world.session("kim")).get(where)).text
    seen = [*re.findall(r"#(n-\w+)", page), *re.findall(r"#(n-\w+)", rest)]
    assert len(seen) == len(set(seen)) == PAGE + 3 and door(rest, "more-found") is None


async def test_pages_go_on_with_filters(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world, "first")
    ids = await says_many(maya, [f"walnut number {number}" for number in range(PAGE + 7)])
    await indexed(world)
    for query in ({"q": "walnut from:customer"}, {"from": "customer", "type": "text", "q": "walnut"}):
        page = await listed(world, **query)
        where = door(page, "more-found")
        assert found(page) == ids[::-1][:PAGE] and where is not None
        rest = (await kim.get(where)).text
        assert found(rest) == ids[::-1][PAGE:] and door(rest, "more-found") is None
    collected: list[str] = []
    cursor: dict[str, str] = {}
    async with world.client(await world.key(world.acme)) as script:
        while True:
            page_of_ids = (await script.get("/api/v1/messages", params={
                "from": "customer", "type": "text", "limit": 10, **cursor})).json()
            collected += [item["id"] for item in page_of_ids["items"]]
            if page_of_ids["next_cursor"] is None:
                break
            cursor = {"cursor": page_of_ids["next_cursor"]}
    assert collected[:len(ids)] == ids[::-1] and len(collected) == len(ids) + 1


async def test_nothing_out_of_sight_is_found(world: World) -> None:
    """Bob sees what is his; a filter opens no other door, and another workspace's ids lead nowhere."""
    at = await shop(world)
    other = await talk(world, "walnut of somebody else", name="Noor", phone="14155550102")
    await indexed(world)
    theirs = [message.id for message in await other.messages()]
    for query in ({"q": "type:text"}, {"from": "customer"}, {"q": "walnut from:customer"},
                  {"in": world.acme.channel_id}):
        seen = found(await listed(world, "bob", **query))
        assert seen and not set(seen) & set(theirs), query
        assert set(theirs) <= set(found(await listed(world, **query)))
    charlie = await world.session("charlie")
    page = await charlie.get(f"/w/{world.globex.slug}/inbox/list", params={"from": at.bob, "in": world.acme.channel_id})
    assert page.status_code == 200 and found(page.text) == []


@pytest.mark.parametrize(("query", "field"), [
    ({"from": "everybody"}, "from"), ({"type": "gif"}, "type"), ({"type": "note"}, "type"),
    ({"channel": "x"}, "channel"),
    ({"since": "yesterday"}, "since"), ({"until": "2026-02-30"}, "until"), ({"has_file": "yes"}, "has_file"),
    ({"from": ""}, "from"), ({"sender": "me"}, "sender"), ({"status": "unconfirmed", "from": "me"}, "from"),
    ({"search": "🙂", "type": "image"}, "search"),
])
async def test_scripts_are_told_which_filter_is_wrong(world: World, query: dict[str, str], field: str) -> None:
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.get("/api/v1/messages", params=query)
    assert answer.status_code == 422 and [problem["field"] for problem in answer.json()["errors"]] == [field]


async def test_an_address_nobody_could_have_chosen_is_not_there(world: World) -> None:
    kim = await world.session("kim")
    for query in ({"from": "x"}, {"type": "gif"}, {"first": "soon"}):
        for path in ("inbox", "inbox/list", "inbox/search", "inbox/search/filters"):
            assert (await kim.get(f"/w/{world.acme.slug}/{path}", params=query)).status_code == 404, (path, query)


async def by_value(world: World, typed: str, *scopes: str) -> list[str]:
    async with world.client(await world.key(world.acme, *scopes)) as script:
        answer = await script.get("/api/v1/contacts", params={"field_value": typed})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def write_down(world: World, said: Talk, fields: dict[str, Any]) -> None:
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.patch(f"/api/v1/contacts/{said.contact_id}", json={"fields": fields})
    assert answer.status_code == 200, answer.text


async def test_people_are_found_by_their_fields(world: World) -> None:
    maya = await talk(world, "?")
    noor = await talk(world, "?", name="Noor", phone="14155550102")
    await write_down(world, maya, {"city": "Zürich West", "order": 48213, "likes": "green tea", "vip": True})
    await write_down(world, noor, {"city": "Basel", "email": "noor@example.com"})
    await indexed(world)
    for typed, expected in (("zürich", maya), ("Zurich we", maya), ("48213", maya), ("482", maya), ("GREEN", maya),
                            ("noor@example", noor), ("base", noor)):
        assert people(await listed(world, q=typed)) == [expected.id], typed
        assert await by_value(world, typed) == [expected.contact_id], typed
    assert "<b>city:</b> Zürich West" in await listed(world, q="zuri")
    for typed in ("true", "west zürich", "z", '"*', "🙂", "ürich"):
        assert people(await listed(world, q=typed)) == [], typed
    assert people(await listed(world, q="zürich type:text")) == [], "narrowed, it is for messages"
    await write_down(world, maya, {"city": "Chur"})
    assert people(await listed(world, q="zürich")) == [] and people(await listed(world, q="chur")) == [maya.id]
    async with world.client(await world.key(world.acme)) as script:
        assert (await script.delete(f"/api/v1/contacts/{maya.contact_id}")).status_code == 204
    assert people(await listed(world, q="chur")) == [] and await by_value(world, "chur") == []


async def test_a_number_in_a_field_is_no_way_to_guess_it(world: World) -> None:
    """Whoever gets numbers masked finds nobody by one, whole or in part; what else stands there is found."""
    maya = await talk(world, "?")
    await write_down(world, maya, {"second": "+14155550199", "city": "Basel"})
    await indexed(world)
    for typed in ("+14155550199", "14155550199", "1415555", "+1 415 555 0199"):
        assert people(await listed(world, "alice", q=typed)) == [maya.id], typed
        assert people(await listed(world, "vera", q=typed)) == [], typed
        assert await by_value(world, typed) == [maya.contact_id]
        assert await by_value(world, typed, "contacts:read") == []
    assert people(await listed(world, "vera", q="basel")) == [maya.id]
    assert "0199" in await listed(world, "alice", q="14155550199")


async def test_fields_of_somebody_elses_customer_find_nobody(world: World) -> None:
    maya = await talk(world, "?")
    await write_down(world, maya, {"city": "Basel"})
    await indexed(world)
    assert people(await listed(world, "bob", q="basel")) == [], "in the queue, where he sees no fields"
    await (await world.session("alice")).post(f"{maya.base}/assignment",
                                              data={"assignee_id": await person(world, "bob")})
    assert people(await listed(world, "bob", q="basel")) == [maya.id]
    assert people((await (await world.session("charlie")).get(
        f"/w/{world.globex.slug}/inbox/list", params={"q": "basel"})).text) == []


async def test_fields_of_an_erased_person_leave_the_file(world: World) -> None:
    maya = await talk(world, "?")
    values = "SELECT value FROM contact_field_value ORDER BY number"
    words = "SELECT rowid FROM field_words WHERE field_words MATCH 'rye'"
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        for fields, kept in (('{"likes": ["green tea", "rye"], "x": null, "y": true}', [("green tea",), ("rye",)]),
                             ('{"likes": ["rye"], "n": 4.5}', [("rye",), ("4.5",)]), ("{}", [])):
            await tx.execute("UPDATE contact SET fields_json = ? WHERE id = ?", fields, maya.contact_id)
            assert await tx.rows(values) == kept and len(await tx.rows(words)) == ("rye" in fields)
