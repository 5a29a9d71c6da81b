"""The list narrowed and sorted by its address: AND between fields, OR inside one, the same in the page and the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chime.clock import DAY, MINUTE
from chime.inbox.conversation_queries import PAGE
from chime.inbox.list_filter import Filter, Sort, parse, read
from chime.inbox.model import View
from tests.http.inbox_setup import rows, talk
from tests.support.world import World

PEOPLE = (("Maya", "14155550101"), ("Noor", "14155550102"), ("Otto", "14155550103"), ("Pia", "14155550104"))


async def talks(world: World) -> dict[str, str]:
    """Four conversations, a minute apart; who is called what."""
    found = {}
    for name, phone in PEOPLE:
        found[name] = (await talk(world, f"from {name}", name=name, phone=phone)).id
        world.clock.advance(MINUTE)
    return found


async def change(world: World, sql: str, *values: Any) -> None:
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute(sql, *values)


async def listed(client: httpx.AsyncClient, query: str, known: dict[str, str]) -> list[str]:
    """The names in the order of the list."""
    page = await client.get(f"/w/acme/inbox/list?{query}", headers={"HX-Request": "true"})
    assert page.status_code == 200, page.text
    names = {conversation_id: name for name, conversation_id in known.items()}
    return [names[part.split('"')[0]] for part in page.text.split('<li id="c-')[1:]]


def test_a_filter_says_in_an_address_what_it_was_read_from() -> None:
    query = "v=mine&channel=a&channel=b&assignee=none&tag=t&state=open&has=image&unread=1&since=2026-01-02&sort=oldest"
    found = parse(query)
    assert found.query == query and parse(found.query) == found and found.v is View.MINE and found.channel == ("a", "b")
    assert read([("channel", "a,b"), ("q", "x"), ("until", "")]) == Filter(channel=("a", "b"))
    assert found.without("channel", "a").channel == ("b",) and not found.without("unread", "1").unread
    assert parse("v=waiting&sort=waiting").is_plain and parse("sort=newest").query == "v=all"
    assert parse("v=all").sorted_by(Sort.OLDEST).query == "v=all&sort=oldest"


async def test_each_field_narrows_and_several_values_are_any_of_them(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    kim = (await world.services.control.db.rows("SELECT id FROM user WHERE email = 'kim@example.com'"))[0][0]
    await change(world, "UPDATE conversation SET assignee_id = ? WHERE id = ?", kim, known["Maya"])
    await change(world, "UPDATE conversation SET team_id = 'night', unread_count = 0 WHERE id = ?", known["Noor"])
    await change(world, "UPDATE conversation SET state = 'closed', waiting_since = NULL WHERE id = ?", known["Otto"])
    await change(world, "INSERT INTO thread_tag (id, name, created_at) VALUES ('refund', 'Refund', 0)")
    await change(world, "INSERT INTO conversation_tag VALUES ('refund', ?, 0)", known["Pia"])
    await change(world, "INSERT INTO tag (id, name, created_at) VALUES ('vip', 'VIP', 0)")
    await change(world, "INSERT INTO contact_tag SELECT contact_id, 'vip', 0 FROM conversation WHERE id = ?",
                 known["Noor"])
    channel = world.acme.channel_id
    for query, expected in (
            ("v=all", ["Pia", "Noor", "Maya"]), ("sort=oldest", ["Maya", "Noor", "Pia"]),
            (f"assignee={kim}", ["Maya"]), (f"assignee={kim}&assignee=none", ["Pia", "Noor", "Maya"]),
            ("assignee=none", ["Pia", "Noor"]), ("assignee=me", []), ("team=night", ["Noor"]),
            ("team=night&team=none", ["Pia", "Noor", "Maya"]), ("team=none", ["Pia", "Maya"]),
            ("tag=refund", ["Pia"]), ("tag=gone", []), ("contact_tag=vip", ["Noor"]), ("unread=1", ["Pia", "Maya"]),
            ("waiting=1&sort=waiting", ["Maya", "Noor", "Pia"]), ("state=closed", ["Otto"]),
            ("state=closed&state=open", ["Pia", "Otto", "Noor", "Maya"]),
            ("state=closed&state=open&sort=oldest", ["Maya", "Noor", "Otto", "Pia"]),
            (f"channel={channel}&tag=refund", ["Pia"]), ("channel=other", []), (f"v=mine&channel={channel}", []),
            ("v=unassigned&contact_tag=vip&tag=refund", []), ("v=closed&sort=oldest", ["Otto"])):
        assert await listed(alice, query, known) == expected, query


async def test_days_files_and_what_is_due(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    await change(world, "UPDATE conversation SET last_message_at = last_message_at - ? WHERE id = ?", 40 * DAY,
                 known["Otto"])
    picture = await talk(world, {"type": "image", "image": {}}, name="Quin", phone="14155550105")
    known["Quin"] = picture.id
    now = (await rows(world, world.acme, "SELECT date(last_message_at / 1000, 'unixepoch') FROM conversation "
                      "WHERE id = ?", known["Otto"]))[0][0]
    assert await listed(alice, f"until={now}", known) == ["Otto"]
    assert await listed(alice, f"since={now}&has=image", known) == ["Quin"]
    assert await listed(alice, "has=document", known) == []
    await change(world, "UPDATE conversation SET due_at = 5 WHERE id = ?", known["Maya"])
    await change(world, "UPDATE conversation SET due_at = 4 WHERE id = ?", known["Noor"])
    assert await listed(alice, "sort=due", known) == ["Noor", "Maya"]


@pytest.mark.parametrize("query", ["v=nothing", "state=lost", "has=fax", "since=yesterday", "sort=up", "unread=no",
                                   "channel=" + "x" * 100])
async def test_what_is_no_list_is_not_there(world: World, query: str) -> None:
    alice = await world.session("alice")
    assert (await alice.get(f"/w/acme/inbox?{query}")).status_code == 404


async def test_a_filter_shows_nobody_more_than_they_may_see(world: World) -> None:
    bob, known = await world.session("bob"), await talks(world)
    await change(world, "UPDATE conversation SET assignee_id = 'somebody' WHERE id = ?", known["Maya"])
    assert await listed(bob, "assignee=somebody", known) == []
    assert await listed(bob, "v=all&sort=oldest", known) == ["Noor", "Otto", "Pia"]
    assert await listed(bob, "state=open&state=closed&waiting=1", known) == ["Pia", "Otto", "Noor"]


async def test_the_list_keeps_its_filter_and_tells_of_it(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    await change(world, "INSERT INTO thread_tag (id, name, created_at) VALUES ('refund', 'Refund', 0)")
    await change(world, "INSERT INTO conversation_tag VALUES ('refund', ?, 0)", known["Pia"])
    page = (await alice.get("/w/acme/inbox?v=all&tag=refund&tag=lost")).text
    assert 'data-query="v=all&amp;tag=refund&amp;tag=lost"' in page
    assert "Conversation tag: Refund" in page and "Conversation tag: something that is gone" in page
    assert f'/inbox/{known["Pia"]}?v=all&amp;tag=refund&amp;tag=lost"' in page, "an opened one keeps the list"
    assert '<span class="cut" dir="auto" hx-ignore>Refund</span>' in page, "the tag stands in its row"
    chosen = await alice.get("/w/acme/inbox/list?v=all&tag=refund&chosen=1", headers={"HX-Request": "true"})
    assert chosen.headers["hx-push-url"] == "/w/acme/inbox?v=all&tag=refund"
    form = (await alice.get("/w/acme/inbox/filters?v=all&tag=refund&tag=lost")).text
    assert 'value="refund" checked' in form and 'value="lost" checked' in form


async def test_rows_name_their_number_when_there_are_several(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    assert "row-number" not in (await alice.get("/w/acme/inbox")).text
    await change(world, "INSERT INTO channel SELECT * FROM channel WHERE 0")
    columns = [row[1] for row in await rows(world, world.acme, "PRAGMA table_info(channel)")]
    new = {"id": "'second'", "phone_number_id": "'9'", "verified_name": "'Acme Sales'"}
    names = ", ".join(columns)
    values = ", ".join(new.get(name, name) for name in columns)
    await change(world, f"INSERT INTO channel ({names}) SELECT {values} FROM channel")
    await change(world, "UPDATE conversation SET channel_id = 'second' WHERE id = ?", known["Pia"])
    page = (await alice.get("/w/acme/inbox")).text
    assert page.count('class="row-number cut" dir="auto">Acme Sales<') == 1
    assert page.count('class="row-number cut" dir="auto">Acme<') == 3
    assert await listed(alice, f"channel=second&channel={world.acme.channel_id}", known) == ["Pia", "Otto", "Noor",
                                                                                           "Maya"]
    assert await listed(alice, "channel=second", known) == ["Pia"]


async def test_pages_of_a_filter_go_on_where_they_ended(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        for number in range(PAGE + 10):
            await tx.execute("INSERT INTO contact (id, created_at, updated_at) VALUES (?, 0, 0)", f"p{number}")
            await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, state, last_message_at, "
                             "created_at) VALUES (?, ?, ?, ?, ?, 0)", f"x{number:02d}", world.acme.channel_id,
                             f"p{number}", "closed" if number % 2 else "open", number)
    first = (await alice.get("/w/acme/inbox/list?state=open&state=closed&sort=oldest")).text
    ids = [part.split('"')[0] for part in first.split('<li id="c-')[1:]]
    assert ids == [f"x{number:02d}" for number in range(PAGE)]
    cursor = first.split("cursor=")[1].split('"')[0]
    more = (await alice.get(f"/w/acme/inbox/list?state=open&state=closed&sort=oldest&cursor={cursor}")).text
    further = [part.split('"')[0] for part in more.split('<li id="c-')[1:]]
    assert further == [f"x{number:02d}" for number in range(PAGE, PAGE + 10)] + list(known.values())
