"""Search over HTTP: what is found and what is not, in which order, and that it opens where it was said."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chime.clock import MINUTE
from chime.inbox.queries import THREAD_PAGE
from chime.inbox.search_pages import FEW_PEOPLE, PAGE
from chime.simulator import write
from tests.http.inbox_setup import Talk, indexed, rows, stock_templates, talk, until
from tests.http.test_inbox_pages import door, many, shown
from tests.support.world import World

HTMX = {"HX-Request": "true"}
NOBODY_HAS = ("zebra", "", "*", "%", "' OR 1=1 --", '"', "NEAR(", "a AND OR NOT", "text:sunday", "x" * 5000, "\0", "🙂")


def people(page: str) -> list[str]:
    """The conversations of the people a search shows."""
    return re.findall(r'<li id="c-(\w+)"', page)


def found(page: str) -> list[str]:
    """The messages a search shows, top to bottom."""
    return re.findall(r'<li id="f-(\w+)"', page)


async def searched(world: World, words: str, name: str = "kim") -> str:
    page = await (await world.session(name)).get(f"/w/{world.acme.slug}/inbox/list", params={"q": words})
    assert page.status_code == 200, words
    return page.text


async def says_many(talk: Talk, words: list[str]) -> list[str]:
    """So many messages a minute apart; their ids, oldest first."""
    now = talk.world.clock.now()
    for number, body in enumerate(words):
        write(talk.world.simulator, talk.customer, {"type": "text", "text": {"body": body}},
              number=talk.tenant.number, at=now - (len(words) - number) * MINUTE)
    await talk.world.settle()
    return [message.id for message in await talk.messages() if message.text in words]


async def delete_contact(talk: Talk) -> None:
    async with talk.world.client(await talk.world.key(talk.tenant)) as script:
        assert (await script.delete(f"/api/v1/contacts/{talk.contact_id}")).status_code == 204


async def api(world: World, **query: Any) -> dict[str, Any]:
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.get("/api/v1/messages", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def every_page(world: World, **query: Any) -> list[str]:
    """The ids of all pages, three to a page."""
    collected: list[str] = []
    place: dict[str, str] = {}
    while True:
        page = await api(world, limit=3, **query, **place)
        collected += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return collected
        place = {"cursor": page["next_cursor"]}


async def test_a_message_is_found_by_its_words(world: World) -> None:
    maya = await talk(world, "Do you have the Crème brûlée on Sunday?")
    hit = (await maya.messages())[0].id
    await indexed(world)
    for words in ("sunday", "SUN", "creme", "brûl", "sunday creme", '"on sunday"', "“the crème”", "do you have",
                  "creme-brulee", "sunday?", '"creme bru'):
        assert found(await searched(world, words)) == [hit], words
    for words in ("sundays", "unday", '"sunday on"', "sunday tuesday", "o"):
        assert found(await searched(world, words)) == [], words
    page = await searched(world, "creme")
    assert "<mark>Crème</mark> brûlée on Sunday?" in page and "Maya Chen" in page and "+1 415-555-0101" in page


async def test_marks_of_formatting_are_left_out_of_lines(world: World) -> None:
    """In the list, where something was found, and in a notification; the thread shows what they mean."""
    maya = await talk(world, "Is the *walnut desk* _really_ 3*2 metres?")
    alice = await world.session("alice")
    await alice.post(f"{maya.base}/notes", data={"text": "the *walnut* one"}, headers=HTMX)
    await indexed(world)
    line = "Is the walnut desk really 3*2 metres?"
    assert line in (await alice.get(f"{maya.workspace_base}/inbox/list")).text
    page = await searched(world, "walnut", "alice")
    assert re.sub("<[^>]+>", "", page).count(line) == 1 and "the <mark>walnut</mark> one" in page
    within = (await alice.get(f"{maya.base}/search", params={"q": "walnut"})).text
    assert "Is the <mark>walnut</mark> desk really" in within
    assert "<strong>walnut desk</strong> <em>really</em>" in (await alice.get(maya.base)).text


async def test_words_of_every_script(world: World) -> None:
    said = {"请问今天几点关门": ["请问", "请问今天几点关门"], "ขอบคุณครับ": ["ขอบคุณ"],
            "ありがとうございます": ["ありがとう"], "मुझे दुकान का पता चाहिए": ["दुकान", "दुका"],
            "هل لديكم توصيل": ["توصيل", "توص"], "Straße 12b": ["straße", "12b"]}
    maya = await talk(world, "first")
    ids = await says_many(maya, list(said))
    await indexed(world)
    for message_id, asked in zip(ids, said.values(), strict=True):
        for words in asked:
            assert found(await searched(world, words)) == [message_id], words


@pytest.mark.parametrize("words", NOBODY_HAS, ids=lambda words: repr(words[:20]))
async def test_nothing_that_is_typed_breaks_the_search(world: World, words: str) -> None:
    await talk(world)
    await indexed(world)
    page = await searched(world, words)
    assert found(page) == []
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.get("/api/v1/messages", params={"search": words})
    assert answer.status_code in (200, 422) and (answer.status_code == 422 or answer.json()["items"] == [])


async def test_what_was_typed_is_shown_as_text(world: World) -> None:
    alice = await world.session("alice")
    maya = await talk(world, 'tomorrow <b onclick="x">')
    await indexed(world)
    page = await alice.get(f"/w/{world.acme.slug}/inbox", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in page.text and "No person and no message matches" in page.text
    hit = await searched(world, "tomorrow")
    assert "<mark>tomorrow</mark> &lt;b onclick=&#34;x&#34;&gt;" in hit and maya.id in hit


async def test_people_are_found_by_name_number_and_username(world: World) -> None:
    maya = await talk(world, "?")
    tom = await talk(world, "?", name="Tom 100% Hughes", phone="447700900142")
    noor = await talk(world, "?", name="Noor Björk", phone=None, username="noor_makes")
    await indexed(world)
    for asked, expected in (
        ("maya", [maya]), ("CHEN", [maya]), ("chen may", [maya]), ("+1 415-555-0101", [maya]), ("5550101", [maya]),
        ("07700 900142", [tom]), ("0142", [tom]), ("@noor", [noor]), ("noor_m", [noor]), ("bjork", [noor]),
        ("%", [tom]), ("_", [noor]), ("hu", [tom]), ("nobody", []), ("table 5", []), ("' OR 1=1 --", []),
        ("x" * 5000, []), ("oo", [noor]),
    ):
        assert people(await searched(world, asked)) == [one.id for one in expected], asked


async def test_a_new_name_is_found_and_the_old_one_is_not(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world, "?")
    await indexed(world)
    assert people(await searched(world, "chen")) == [maya.id]
    answer = await alice.post(f"{maya.workspace_base}/contacts/{maya.contact_id}", data={"name": "Mrs Jaworska"})
    assert answer.status_code in (200, 303), answer.text
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE contact SET profile_name = '' WHERE id = ?", maya.contact_id)
    await indexed(world)
    assert people(await searched(world, "jawor")) == [maya.id]
    assert people(await searched(world, "chen")) == []
    await delete_contact(maya)
    await indexed(world)
    assert people(await searched(world, "jawor")) == []
    assert await rows(world, world.acme, "SELECT * FROM indexed_contact") == []


async def test_messages_of_a_deleted_contact_are_not_found(world: World) -> None:
    maya = await talk(world, "the walnut table")
    await indexed(world)
    assert found(await searched(world, "walnut"))
    await delete_contact(maya)
    assert found(await searched(world, "walnut")) == [], "at once"
    assert (await api(world, search="walnut"))["items"] == []


async def test_another_workspace_finds_nothing(world: World) -> None:
    await talk(world, "the walnut table")
    await talk(world, "a glass table", tenant=world.globex, phone="14155550177")
    await indexed(world)
    await indexed(world, world.globex)
    charlie = await world.session("charlie")
    page = await charlie.get(f"/w/{world.globex.slug}/inbox/list", params={"q": "table"})
    assert len(found(page.text)) == 1 and "glass" in page.text and "walnut" not in page.text
    for path in ("inbox/search", "inbox/list", "inbox"):
        assert (await charlie.get(f"/w/{world.acme.slug}/{path}", params={"q": "table"})).status_code == 404
    async with world.client(await world.key(world.globex)) as script:
        assert len((await script.get("/api/v1/messages", params={"search": "table"})).json()["items"]) == 1


async def test_everybody_who_reads_may_search_and_nobody_else(world: World) -> None:
    maya = await talk(world, "the walnut table")
    await indexed(world)
    assert maya.id in await searched(world, "walnut", name="vera")
    async with world.client(await world.key(world.acme, "contacts:read")) as reader:
        assert (await reader.get("/api/v1/messages", params={"search": "walnut"})).status_code == 403


async def test_results_come_newest_first_and_page_by_page(world: World) -> None:
    maya = await talk(world, "first")
    ids = await says_many(maya, [f"walnut number {n}" for n in range(PAGE + 12)])
    await indexed(world)
    page = await searched(world, "walnut")
    where = door(page, "more-found")
    assert found(page) == ids[::-1][:PAGE] and where is not None and people(page) == []
    await maya.says("walnut, the newest")
    await indexed(world)
    rest = (await (await world.session("kim")).get(where)).text
    assert found(rest) == ids[::-1][PAGE:] and "<html" not in rest and door(rest, "more-found") is None


async def test_few_people_are_shown_until_all_are_wanted(world: World) -> None:
    kim = await world.session("kim")
    await many(world, FEW_PEOPLE + 4)
    await indexed(world)
    first = await searched(world, "customer")
    assert len(people(first)) == FEW_PEOPLE and "Show all 9 people" in first
    everyone = await kim.get(f"/w/{world.acme.slug}/inbox", params={"q": "customer", "people": "all"})
    assert len(people(everyone.text)) == FEW_PEOPLE + 4 and "Show all" not in everyone.text
    exact = people(await searched(world, "customer 3"))
    assert len(exact) == 1


async def test_the_index_follows_by_itself(world: World) -> None:
    """Nobody asks for it: half a second after the message it can be found."""
    await talk(world, "the walnut table")

    async def is_found() -> bool:
        return bool(found(await searched(world, "walnut")))

    await until(is_found, seconds=2)


async def test_what_waits_is_indexed_after_a_crash(world: World) -> None:
    """The ringing after the commit is lost with the process; the sweep rings again."""
    await talk(world, "the walnut table")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("INSERT INTO message_words (message_words) VALUES ('delete-all')")
        await tx.execute("UPDATE search_progress SET indexed_upto = 0")
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    assert len(found(await searched(world, "walnut"))) == 1


async def test_edited_words_are_found_and_the_old_ones_are_not(world: World) -> None:
    maya = await talk(world, "the walnut table")
    await indexed(world)
    before = (await maya.messages())[0]
    write(world.simulator, maya.customer, {"type": "edit", "edit": {
        "original_message_id": before.wamid, "message": {"type": "text", "text": {"body": "the cherry table"}}}},
        number=maya.tenant.number)
    await world.settle()
    assert found(await searched(world, "cherry")) == [before.id]
    assert found(await searched(world, "walnut")) == []


async def test_a_discarded_message_is_not_found_and_the_next_one_is(world: World) -> None:
    """The next message gets the number of the discarded one inside the file."""
    alice, maya = await world.session("alice"), await talk(world, "first")
    world.simulator.set_switches({"error_next": 1, "error_code": 131026})
    failed = await maya.reply(alice, "the walnut table")
    await indexed(world)
    assert found(await searched(world, "walnut")) == [failed.id]
    assert (await alice.post(f"{maya.base}/messages/{failed.id}/discard")).status_code == 200
    assert found(await searched(world, "walnut")) == []
    later = await maya.says("the cherry table")
    await indexed(world)
    assert found(await searched(world, "cherry")) == [later.id]


async def test_files_are_found_by_name_and_templates_by_their_words(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world, "first")
    await stock_templates(world)
    for path, data, files in (
        ("files", {"caption": ""}, {"file": ("Kostenvoranschlag_2026.pdf", b"%PDF-1.4 test", "application/pdf")}),
        ("messages", {"type": "template", "template_name": "conversation_reopen", "template_language": "de",
                      "body.1": "Walnuss"}, None),
    ):
        answer = await alice.post(f"{maya.base}/{path}", data=data, files=files)
        assert answer.status_code == 200, answer.text
        await world.settle()
    await indexed(world)
    file, template = await maya.sent()
    page = await searched(world, "kostenvor")
    assert found(page) == [file.id] and "<mark>Kostenvoranschlag</mark>_2026.pdf" in page
    assert found(await searched(world, "walnuss hallo")) == [template.id]
    assert (await api(world, search="2026"))["items"][0]["snippet"] == "Kostenvoranschlag_2026.pdf"


async def test_a_hit_opens_the_conversation_at_the_message(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world, "first")
    ids = await says_many(maya, [f"message {n}" if n != 40 else "the walnut table" for n in range(200)])
    await indexed(world)
    page = await searched(world, "walnut")
    address = re.search(r'hx-get="([^"]+at=\w+)"', page)
    assert address is not None
    opened = (await kim.get(address[1].replace("&amp;", "&"), headers=HTMX)).text
    half = THREAD_PAGE // 2
    assert f'data-shown="{ids[40]}"' in opened and shown(opened) == ids[40 - half:40 + half + 1]
    collected, earlier, later = shown(opened), door(opened, "older"), door(opened, "newer")
    while later is not None:
        part = (await kim.get(later)).text
        assert door(part, "older") is None
        collected, later = collected + shown(part), door(part, "newer")
    while earlier is not None:
        part = (await kim.get(earlier)).text
        assert door(part, "newer") is None
        collected, earlier = shown(part) + collected, door(part, "older")
    assert collected[:200] == ids and len(collected) == 201, "every message once, in order"


@pytest.mark.parametrize("at", ["", "nowhere", "0" * 26])
async def test_a_message_that_is_not_there_opens_the_end(world: World, at: str) -> None:
    kim, maya = await world.session("kim"), await talk(world, "the newest")
    other = await talk(world, "elsewhere", name="Tom", phone="14155550188")
    for asked in (at, (await other.messages())[0].id):
        page = await kim.get(maya.base, params={"at": asked})
        assert page.status_code == 200 and len(shown(page.text)) == 1 and 'data-shown=""' in page.text


async def test_events_stand_once_on_the_pages_around_a_message(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world, "first")
    ids = await says_many(maya, [f"message {n}" for n in range(100)])
    await kim.post(f"{maya.base}/closure")
    pages = [(await kim.get(maya.base, params={"at": ids[10]})).text]
    while (later := door(pages[-1], "newer")) is not None:
        pages.append((await kim.get(later)).text)
    assert [page.count("resolved this conversation") for page in pages] == [0] * (len(pages) - 1) + [1]


async def test_the_address_bar_says_what_is_searched(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    base = f"/w/{world.acme.slug}/inbox"
    typed = await kim.get(f"{base}/list", params={"typed": "1", "v": "mine", "q": "a b", "selected": maya.id})
    assert typed.headers["HX-Replace-Url"] == f"{base}/{maya.id}?v=mine&q=a+b"
    odd = await kim.get(f"{base}/list", params={"typed": "1", "selected": "../../x?y"})
    assert odd.headers["HX-Replace-Url"] == f"{base}/..%2F..%2Fx%3Fy?v=all"
    assert "HX-Replace-Url" not in (await kim.get(f"{base}/list", params={"q": "a b"})).headers
    whole = await kim.get(f"{base}?v=mine&q=sunday")
    assert 'value="sunday"' in whole.text and "<html" in whole.text


async def test_scripts_search_everywhere_and_in_one_conversation(world: World) -> None:
    maya = await talk(world, "first")
    tom = await talk(world, "the walnut chair", name="Tom", phone="14155550188")
    ids = await says_many(maya, [f"walnut {n}" for n in range(7)])
    await indexed(world)
    everywhere = await api(world, search="walnut")
    assert {item["id"] for item in everywhere["items"]} == {*ids, (await tom.messages())[0].id}
    assert await every_page(world, search="walnut", conversation_id=maya.id) == ids[::-1]
    assert await every_page(world, search="walnut") == [item["id"] for item in everywhere["items"]]
    item = (await api(world, search="chair"))["items"][0]
    assert item["snippet"] == "the walnut chair" and item["contact_id"] == tom.contact_id and item["text"]


@pytest.mark.parametrize(("query", "field"), [
    ({}, "search"), ({"search": "🙂"}, "search"), ({"search": "x" * 201}, "search"),
    ({"search": "a", "limit": "0"}, "limit"),
    ({"search": "a", "cursor": "?"}, "cursor"), ({"search": "a", "serch": "b"}, "serch"),
])
async def test_scripts_are_told_what_is_wrong(world: World, query: dict[str, str], field: str) -> None:
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.get("/api/v1/messages", params=query)
    assert answer.status_code == 422 and [problem["field"] for problem in answer.json()["errors"]] == [field]


async def test_a_conversation_of_nobody_is_not_found(world: World) -> None:
    elsewhere = await talk(world, tenant=world.globex, phone="14155550177")
    async with world.client(await world.key(world.acme)) as script:
        for conversation_id in ("0" * 26, elsewhere.id):
            answer = await script.get("/api/v1/messages", params={"search": "open", "conversation_id": conversation_id})
            assert answer.status_code == 404
