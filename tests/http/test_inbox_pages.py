"""The inbox as a person uses it over HTTP: lists, search, paging, the thread, and what each verb leaves behind."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import httpx

from chime import resources
from chime.clock import HOUR, MINUTE
from chime.inbox.conversation_queries import PAGE
from chime.inbox.queries import THREAD_PAGE
from chime.simulator import write
from tests.http.inbox_setup import Left, Talk, leaving, rows, talk, without_script
from tests.support.world import World

HTMX = {"HX-Request": "true"}


def listed(page: str) -> list[str]:
    """The conversations a list shows, top to bottom."""
    return re.findall(r'<li id="c-(\w+)"', page)


def shown(page: str) -> list[str]:
    """The messages a thread shows, top to bottom."""
    return re.findall(r'<li class="msg [^"]*" id="m-(\w+)"', page)


def door(page: str, name: str) -> str | None:
    """Where the rest of a list is fetched from."""
    found = re.search(rf'id="{name}" hx-get="([^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else None


async def member(world: World, name: str) -> str:
    found: str = await world.services.control.db.value("SELECT id FROM user WHERE name = ?", name)
    return found


async def many(world: World, count: int) -> None:
    """So many customers write, one after the other, all in one webhook."""
    now = world.clock.now() // 1000
    messages = [{"from": f"1415555{2000 + n}", "id": f"wamid.many{n}", "timestamp": str(now - 4000 + n),
                 "type": "text", "text": {"body": f"message {n}"}} for n in range(count)]
    contacts = [{"wa_id": message["from"], "profile": {"name": f"Customer {n}"}} for n, message in enumerate(messages)]
    await deliver(world, messages, contacts)


async def deliver(world: World, messages: list[dict[str, Any]], contacts: list[dict[str, Any]]) -> None:
    """What customers wrote, as one webhook, until it took effect."""
    number = world.acme.number
    value = {"messaging_product": "whatsapp", "messages": messages, "contacts": contacts, "metadata": {
        "display_phone_number": number.display_phone_number, "phone_number_id": number.phone_number_id}}
    answer = await world.webhook({"object": "whatsapp_business_account", "entry": [
        {"id": number.waba_id, "changes": [{"field": "messages", "value": value}]}]})
    assert answer.status_code == 200
    await world.settle()


async def test_each_view_holds_its_conversations(world: World) -> None:
    alice, kim = await world.session("alice"), await world.session("kim")
    maya, tom = await talk(world), await talk(world, name="Tom Hughes", phone="447700900142")
    noor = await talk(world, name="Noor", phone=None, username="noor.makes")
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": await member(world, "Kim")})
    await alice.post(f"{tom.base}/closure")
    inbox = f"/w/{world.acme.slug}/inbox"
    expected = {"mine": [maya.id], "unassigned": [noor.id], "all": [noor.id, maya.id], "closed": [tom.id]}
    for view, ids in expected.items():
        whole, alone = await kim.get(f"{inbox}?v={view}"), await kim.get(f"{inbox}/list?v={view}")
        assert listed(whole.text) == listed(alone.text) == ids, view
        assert "<html" in whole.text and "<html" not in alone.text
    assert listed((await kim.get(inbox)).text) == expected["all"]
    assert listed((await alice.get(f"{inbox}?v=mine")).text) == []
    assert "Nothing waits for you" in (await alice.get(f"{inbox}?v=mine")).text
    counted = dict(re.findall(r'id="view-(\w+)".*?>\w+ <span class="badge[^"]*">(\d+)<', (await kim.get(inbox)).text))
    assert counted == {"mine": "1", "unassigned": "1"}
    assert (await kim.get(f"{inbox}?v=everything")).status_code == 404


async def test_pages_of_a_list_stay_right_while_customers_write(world: World) -> None:
    kim = await world.session("kim")
    await many(world, 120)
    first = (await kim.get(f"/w/{world.acme.slug}/inbox?v=all")).text
    everything = [row[0] for row in await rows(world, world.acme, "SELECT id FROM conversation "
                                               "ORDER BY last_message_at DESC, id DESC")]
    assert listed(first) == everything[:PAGE]
    newcomer = await talk(world, name="Just Now", phone="14155550199")
    risen = everything[70]
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET last_message_at = ? WHERE id = ?", tx.now, risen)
    pages, where = [listed(first)], door(first, "more-rows")
    while where is not None:
        page = (await kim.get(where)).text
        assert "<html" not in page and "view-all" not in page, "only the rows"
        pages.append(listed(page))
        where = door(page, "more-rows")
    seen = [conversation for page in pages for conversation in page]
    assert [len(page) for page in pages] == [PAGE, PAGE, PAGE, 119 - 3 * PAGE]
    assert seen == [one for one in everything if one != risen], "nothing twice, nothing left out"
    assert listed((await kim.get(f"/w/{world.acme.slug}/inbox?v=all")).text)[:2] in (
        [risen, newcomer.id], [newcomer.id, risen])


async def test_older_messages_come_page_by_page_with_their_events_in_between(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world, "message 0")
    now = world.clock.now()
    for number in range(1, 150):
        await maya_says(maya, number, now - (150 - number) * MINUTE)
    await world.settle()
    await kim.post(f"{maya.base}/closure")
    messages = [message.id for message in await maya.messages("type = 'text'")]
    page = (await kim.get(maya.base)).text
    assert shown(page) == messages[-THREAD_PAGE:] and "Kim resolved this conversation" in page
    collected, where = shown(page), door(page, "older")
    await maya.says("a new one meanwhile")
    while where is not None:
        page = (await kim.get(where)).text
        assert "<html" not in page and "resolved this conversation" not in page
        collected, where = shown(page) + collected, door(page, "older")
    assert collected == messages
    named = (await kim.get(f"{maya.base}/messages", params={"ids": f"{messages[3]},x,{messages[5]}"})).text
    assert shown(named) == [messages[3], messages[5]]


async def maya_says(maya: Talk, number: int, at: int) -> None:
    write(maya.world.simulator, maya.customer, {"type": "text", "text": {"body": f"message {number}"}},
          number=maya.tenant.number, at=at)


async def test_unread_counts_go_up_with_each_message_and_away_with_reading(world: World) -> None:
    kim, vera = await world.session("kim"), await world.session("vera")
    maya = await talk(world)
    await maya.says("Hello?")
    inbox = f"/w/{world.acme.slug}/inbox"
    assert re.search(r'badge-accent">2<span class="sr"> unread', (await kim.get(inbox)).text)
    assert 'data-unread="2"' in (await kim.get(maya.base)).text
    assert 'data-unread="1"' in (await kim.get(f"{inbox}/list")).text, "one conversation waits"
    assert (await vera.post(f"{maya.base}/read")).status_code == 403
    async with leaving(world, kim) as left:
        assert (await kim.post(f"{maya.base}/read")).status_code == 204
    assert left == Left([("conversation.read", "conversation", maya.id)], {("conversation", maya.id)},
                        Counter({"inbox.send_read": 1}))
    assert "unread</span>" not in (await kim.get(inbox)).text
    chat = world.simulator.world.conversation(maya.customer, world.acme.number.phone_number_id)
    assert [message.status for message in chat.messages] == ["read", "read"], "the customer sees blue ticks"
    async with leaving(world, kim) as left:
        assert (await kim.post(f"{maya.base}/read")).status_code == 204
    assert left == Left(), "read is read"
    assert (await kim.post(f"{maya.base}/typing")).status_code == 204
    await world.settle()
    assert chat.typing_until > world.clock.now()


async def toast(client: httpx.AsyncClient, method: str, address: str) -> dict[str, Any]:
    answer = await client.request(method, address, headers=HTMX)
    assert answer.status_code == 200 and 'id="thread-header"' in answer.text and "<html" not in answer.text
    found: dict[str, Any] = json.loads(answer.headers["hx-trigger"])["toast"]
    return found


async def test_resolving_can_be_undone_and_each_step_leaves_its_row(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    async with leaving(world, kim) as left:
        said = await toast(kim, "POST", f"{maya.base}/closure")
    assert said == {"text": "Conversation resolved", "undo": {"url": f"{maya.base}/closure", "method": "DELETE"}}
    assert left == Left([("conversation.closed", "conversation", maya.id)], {("conversation", maya.id)})
    conversation = await maya.conversation()
    assert conversation.state == "closed" and conversation.closed_at is not None
    async with leaving(world, kim) as left:
        assert (await kim.post(f"{maya.base}/closure")).status_code == 303
    assert left == Left(), "what is resolved cannot be resolved"
    async with leaving(world, kim) as left:
        assert (await toast(kim, said["undo"]["method"], said["undo"]["url"]))["text"] == "Conversation reopened"
    assert left == Left([("conversation.reopened", "conversation", maya.id)], {("conversation", maya.id)})
    assert (await maya.conversation()).state == "open" and (await maya.conversation()).closed_at is None
    page = (await kim.get(maya.base)).text
    assert "Kim resolved this conversation" in page and "Kim reopened this conversation" in page
    await kim.post(f"{maya.base}/closure")
    await maya.says("one more thing")
    assert (await maya.conversation()).state == "open", "whoever writes again is back"
    assert "Reopened by a new message" in (await kim.get(maya.base)).text


async def test_assigning_and_taking_it_back(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    kim_id = await member(world, "Kim")
    async with leaving(world, alice) as left:
        answer = await alice.post(f"{maya.base}/assignment", data={"assignee_id": kim_id}, headers=HTMX)
        assert answer.status_code == 200 and "Kim" in answer.text
    assert left == Left([("conversation.assigned", "conversation", maya.id)],
                        {("conversation", maya.id), ("inbox", "list")})
    assert (await maya.conversation()).assignee_id == kim_id
    async with leaving(world, alice) as left:
        await alice.post(f"{maya.base}/assignment", data={"assignee_id": kim_id})
    assert left == Left()
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": ""})
    assert (await maya.conversation()).assignee_id is None
    page = (await alice.get(maya.base)).text
    assert "Alice assigned this to Kim" in page and "Alice removed the assignment" in page


async def test_every_verb_works_without_scripts(world: World) -> None:
    mo, maya = await world.session("mo"), await talk(world)
    plain, token = without_script(world, mo)
    async with plain:
        for verb, fields in (
            ("closure", {}), ("closure", {"_method": "delete"}), ("assignment", {"assignee_id": ""}),
            ("messages", {"type": "text", "text": "hello"}),
        ):
            answer = await plain.post(f"{maya.base}/{verb}", data={"csrf_token": token, **fields})
            assert (answer.status_code, answer.headers["location"]) == (303, maya.base), verb
        contact = f"{maya.workspace_base}/contacts/{maya.contact_id}"
        for verb, fields in (("", {"name": "Maya C."}), ("/tags", {"name": "vip"}),
                             ("/consent", {"marketing": "opted_in", "evidence": "said so"})):
            answer = await plain.post(contact + verb, data={"csrf_token": token, **fields})
            assert (answer.status_code, answer.headers["location"]) == (303, maya.base), verb
        theme = await plain.post("/preferences/theme", data={"csrf_token": token, "theme": "dark"},
                                 headers={"Referer": f"{world.base}{maya.base}"})
        assert (theme.status_code, theme.headers["location"]) == (303, maya.base)
        assert "Secure" not in theme.headers["set-cookie"], "over plain http a browser would not keep it"
        assert 'data-theme="dark"' in (await plain.get(maya.base)).text
        for referer in ("http://[", "https://evil.example//evil.example/x", "javascript:alert(1)"):
            answer = await plain.post("/preferences/theme", data={"csrf_token": token, "theme": "dark"},
                                      headers={"Referer": referer})
            assert (answer.status_code, answer.headers["location"]) == (303, "/"), referer
        refused = await plain.post(f"{maya.base}/messages", data={"csrf_token": token, "type": "text", "text": ""})
        assert refused.status_code == 422 and "<html" in refused.text
    events = await rows(world, world.acme, "SELECT kind FROM conversation_event ORDER BY at, id")
    assert events == [("resolved",), ("reopened",), ("taken",)]


async def test_what_is_not_there_and_what_cannot_be_read(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    inbox = f"/w/{world.acme.slug}/inbox"
    for path in (f"{inbox}?cursor=", f"{inbox}/list?cursor=", f"{maya.base}/messages?before="):
        for cursor in ("odd", "%F0%9F%98%80", "WzFd", "W10", "WyJhIiwiYiJd", "WzkyMjMzNzIwMzY4NTQ3NzU4MDgsImEiXQ",
                       "%00"):
            answer = await kim.get(path + cursor)
            assert answer.status_code == 422 and "start again without one" in answer.text, (path, cursor)
    assert (await kim.get(f"{maya.base}/compose/telegram")).status_code == 404
    assert (await kim.get(f"{maya.base}/messages", params={"ids": ",".join("x" * 500)})).text == ""
    assert (await kim.post(f"{inbox}/none/closure", headers=HTMX)).status_code == 404


async def test_the_contact_panel_changes_names_tags_and_consent(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    contact = f"{maya.workspace_base}/contacts/{maya.contact_id}"
    steps = (("", {"name": "  Maya   of the harbour "}, "contact.edited"), ("/tags", {"name": "VIP"}, "contact.tagged"),
             ("/consent", {"marketing": "opted_out", "evidence": "by phone"}, "contact.consent_recorded"))
    for verb, fields, action in steps:
        async with leaving(world, kim) as left:
            answer = await kim.post(contact + verb, data=fields, headers=HTMX)
            assert answer.status_code == 200 and 'id="panel"' in answer.text and "<html" not in answer.text
        assert left == Left([(action, "contact", maya.contact_id)], {("contact", maya.contact_id)})
    assert "Maya of the harbour" in answer.text and "VIP" in answer.text and "Refused" in answer.text
    found = await rows(world, world.acme, "SELECT marketing, source, evidence, actor_name FROM consent_event")
    assert found == [("opted_out", "agent", "by phone", "Kim")]
    async with world.workspace(world.acme) as workspace:
        kept = await workspace.journal_db.rows("SELECT contact_id, marketing FROM consent_event")
    assert kept == [(maya.contact_id, "opted_out")], "no restore forgets an opt-out"
    again = await kim.post(f"{contact}/tags", data={"name": "vip"}, headers=HTMX)
    assert again.text.count('class="chip-x"') == 1, "the same tag is there once, however it is written"
    remove = re.search(r'action="([^"]+/remove)"', again.text)
    assert remove is not None
    async with leaving(world, kim) as left:
        gone = await kim.post(remove[1], headers=HTMX)
    assert left.audit == [("contact.untagged", "contact", maya.contact_id)] and "chip-x" not in gone.text
    async with leaving(world, kim) as left:
        assert (await kim.post(remove[1], headers=HTMX)).status_code == 200
    assert left == Left()


async def test_a_mistake_in_the_contact_panel_keeps_what_was_typed(world: World) -> None:
    mo, maya = await world.session("mo"), await talk(world)
    contact = f"{maya.workspace_base}/contacts/{maya.contact_id}"
    for verb, fields, words in (
        ("", {"name": "long " * 40}, "A name has at most 120 characters."),
        ("/tags", {"name": "t" * 41}, "A tag has 1 to 40 characters."),
        ("/tags", {"name": "   "}, "A tag has 1 to 40 characters."),
        ("/consent", {"marketing": "", "evidence": "by phone"}, "Say whether they agree or refuse."),
        ("/consent", {"marketing": "unknown", "evidence": "by phone"}, "Say opted_in or opted_out."),
        ("/consent", {"marketing": "opted_in", "evidence": "e" * 2001}, "At most 2,000 characters."),
    ):
        async with leaving(world, mo) as left:
            answer = await mo.post(contact + verb, data=fields, headers=HTMX)
        assert answer.status_code == 422 and words in answer.text, (verb, fields)
        assert left == Left(), verb
        for name, value in fields.items():
            if value.strip() and value != "unknown":
                assert f'value="{value}"' in answer.text, (verb, name)
    assert 'value="opted_in" required checked' in answer.text


async def test_the_reply_window_is_shown_and_closes(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    page = (await kim.get(maya.base)).text
    assert 'id="composer"' in page and re.search(r'id="window" data-open="true"', page)
    world.clock.advance(23 * HOUR)
    page = (await kim.get(maya.base)).text
    left = re.search(r"<b data-left-text>(\d+) min</b>", page)
    assert left is not None and 50 <= int(left[1]) <= 58
    world.clock.advance(HOUR)
    page = (await kim.get(maya.base)).text
    assert 'id="composer"' not in page and "The reply window is closed" in page
    await maya.says("Are you there?")
    assert 'id="composer"' in (await kim.get(maya.base)).text


async def test_every_template_compiles(world: World) -> None:
    """The start does not wait for that, and may find them compiled: a broken one has to be found here."""
    environment = world.services.pages._environment("en")
    for name in resources.template_names():
        environment.compile(resources.template_source(name) or "", name)


async def test_who_has_only_a_number_stands_in_the_list_as_people_read_numbers(world: World) -> None:
    """And masked for who may not see it."""
    await deliver(world, [{"from": "14155552671", "id": "wamid.nameless", "type": "text", "text": {"body": "Hello"},
                           "timestamp": str(world.clock.now() // 1000)}], [])
    for name, expected in (("alice", "+1 415-555-2671"), ("vera", "+1 ••••• ••671")):
        page = (await (await world.session(name)).get(f"/w/{world.acme.slug}/inbox")).text
        assert f">{expected}<" in page and "+14155552671" not in page.partition("<main")[2]
