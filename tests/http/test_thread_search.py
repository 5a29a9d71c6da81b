"""Going about in a long conversation: pages that were dropped come back, a day, the words somebody said, pins."""

from __future__ import annotations

import re

import httpx

from chime.clock import DAY
from chime.inbox.actions import move_threads
from chime.inbox.queries import THREAD_PAGE
from chime.security.permissions import SYSTEM
from tests.http.inbox_setup import Talk, rows, stock_templates, talk
from tests.support.world import World

HTMX = {"HX-Request": "true"}


def line_id(said: Talk, number: int) -> str:
    return f"{said.id[-10:]}{number:016d}"


async def fill(said: Talk, count: int, *, apart: int = 60_000) -> None:
    """Older messages, one a minute, as they stand in the file: `line 0` is the oldest."""
    world = said.world
    async with world.workspace(said.tenant) as workspace, workspace.ingest("test") as tx:
        for number in range(count):
            await tx.execute("INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, "
                             "text, at, created_at) VALUES (?, ?, ?, 'in', 'customer', 'text', 'received', ?, ?, ?)",
                             line_id(said, number), said.id, said.tenant.channel_id, f"line {number}",
                             tx.now - (count - number) * apart - apart, tx.now)


def lines(text: str) -> list[str]:
    return re.findall(r"line \d+(?=<)", text)


async def found(client: httpx.AsyncClient, said: Talk, q: str) -> list[str]:
    answer = await client.get(f"{said.base}/search", params={"q": q}, headers=HTMX)
    assert answer.status_code == 200, answer.text
    return re.findall(r'data-line="([mn]-\w+)"', answer.text)


async def test_a_page_names_its_place_by_a_message(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    await fill(said, 150)
    older = lines((await alice.get(f"{said.base}/messages?before=m-{line_id(said, 100)}")).text)
    assert (older[0], older[-1], len(older)) == (f"line {100 - THREAD_PAGE}", "line 99", THREAD_PAGE)
    newer = lines((await alice.get(f"{said.base}/messages?after=m-{line_id(said, 9)}")).text)
    assert (newer[0], newer[-1]) == ("line 10", f"line {9 + THREAD_PAGE}")
    around = (await alice.get(f"{said.base}/messages?around={line_id(said, 75)}")).text
    assert f'data-landed="{line_id(said, 75)}"' in around
    assert 'id="older"' in around and 'id="newer"' in around


async def test_a_day_opens_at_its_first_message(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    await fill(said, 30, apart=DAY // 4)
    (at,), = await rows(world, world.acme, "SELECT at FROM message WHERE id = ?", line_id(said, 12))
    alice.cookies.set("zone", "UTC")
    day = at // DAY * DAY
    (first,), = await rows(world, world.acme, "SELECT id FROM message WHERE at >= ? ORDER BY at LIMIT 1", day)
    from chime.clock import as_datetime

    asked = as_datetime(day).date().isoformat()
    assert f'data-landed="{first}"' in (await alice.get(f"{said.base}/messages?day={asked}")).text
    assert f'data-shown="{first}"' in (await alice.get(f"{said.base}?day={asked}")).text
    assert (await alice.get(f"{said.base}/messages?day=soon")).status_code == 422


async def test_words_are_found_in_messages_files_and_notes_of_this_conversation_alone(world: World) -> None:
    said, alice = await talk(world, "The Crème brûlée is for Friday"), await world.session("alice")
    await talk(world, "creme for somebody else", name="Ravi", phone="14155550102")
    answer = await alice.post(f"{said.base}/notes", data={"text": "Creme is out of stock"}, headers=HTMX)
    note = answer.text.split('id="n-')[1].split('"')[0]
    hits = await found(alice, said, "creme")
    assert hits[0] == f"n-{note}" and len(hits) == 2
    assert await found(alice, said, "tiramisu") == []
    page = await alice.get(f"{said.base}/search", params={"q": "creme"})
    assert page.text.count("<mark>") == 2 and "Back to the conversation" in page.text
    assert f'id="n-{note}"' in (await alice.get(f"{said.base}/messages?around=n-{note}")).text


async def test_who_has_not_taken_a_conversation_searches_nothing_in_it(world: World) -> None:
    said, bob = await talk(world, "secret words"), await world.session("bob")
    await fill(said, 5)
    assert (await bob.get(said.base)).status_code == 200, "it waits in the queue"
    assert (await bob.get(f"{said.base}/search?q=secret", headers=HTMX)).status_code == 404


async def test_a_message_is_pinned_for_the_team_and_unpinned(world: World) -> None:
    said, alice, vera = await talk(world, "My address is 5 Hill Road"), await world.session("alice"), \
        await world.session("vera")
    message = (await said.messages())[0]
    address = f"{said.base}/messages/{message.id}/pin"
    assert (await vera.post(address)).status_code == 403
    assert (await alice.post(address, data={"toggle": "1"}, headers=HTMX)).status_code == 200
    assert 'class="pinned-link' in (await vera.get(said.base)).text
    async with world.client(await world.key(world.acme)) as script:
        listed = (await script.get(f"/api/v1/conversations/{said.id}/pinned-messages")).json()["items"]
        assert [(one["message_id"], one["pinned_by"]) for one in listed] == [(message.id, "Alice")]
        assert (await script.delete(f"/api/v1/messages/{message.id}/pin")).status_code == 204
    assert 'class="pinned-link' not in (await vera.get(said.base)).text
    actions = await rows(world, world.acme, "SELECT action FROM audit_event WHERE object_id = ? AND action LIKE "
                         "'message.%pinned' ORDER BY sequence", message.id)
    assert actions == [("message.pinned",), ("message.unpinned",)]


async def test_a_pin_moves_with_its_thread_and_goes_with_its_message(world: World) -> None:
    said, alice = await talk(world, "keep this"), await world.session("alice")
    other = await talk(world, "me too", name="Maya again", phone="14155550109")
    message = (await other.messages())[0]
    await alice.post(f"{other.base}/messages/{message.id}/pin")
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await move_threads(tx, kept=said.contact_id, gone=other.contact_id)
        await tx.audit("contact.merged", "contact", said.contact_id)
    assert await rows(world, world.acme, "SELECT conversation_id FROM message_pin") == [(said.id,)]
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET last_message_id = NULL")
        await tx.execute("DELETE FROM message WHERE id = ?", message.id)
    assert await rows(world, world.acme, "SELECT 1 FROM message_pin") == []


async def test_the_search_of_the_inbox_finds_notes_only_for_who_may_read_them(world: World) -> None:
    said, alice, bob = await talk(world), await world.session("alice"), await world.session("bob")
    await alice.post(f"{said.base}/notes", data={"text": "Allergic to walnuts"}, headers=HTMX)
    page = (await alice.get("/w/acme/inbox?q=walnut")).text
    assert "Private notes" in page and "<mark>walnuts</mark>" in page
    assert "walnuts" not in (await bob.get("/w/acme/inbox?q=walnut")).text


async def test_a_card_is_saved_and_written_to(world: World) -> None:
    said, alice, bob = await talk(world), await world.session("alice"), await world.session("bob")
    await stock_templates(world)
    card = await said.says({"type": "contacts", "contacts": [
        {"name": {"formatted_name": "Ravi Kumar"}, "phones": [{"phone": "+91 98200 11111", "wa_id": "919820011111"}]},
        {"name": {"formatted_name": "No Number"}}]})
    address = f"{said.base}/messages/{card.id}/cards"
    saved = await alice.post(f"{address}/0", headers=HTMX)
    assert saved.status_code == 200 and "Saved as a contact" in saved.headers["HX-Trigger"]
    assert await rows(world, world.acme, "SELECT name FROM contact WHERE phone = '919820011111'") == [("Ravi Kumar",)]
    again = await alice.post(f"{address}/0", headers=HTMX)
    assert "a contact already" in again.headers["HX-Trigger"]
    assert (await alice.post(f"{address}/1", headers=HTMX)).status_code == 404
    form = (await alice.get(f"/w/acme/inbox/new?card={card.id}.0", headers=HTMX)).text
    assert 'value="+919820011111"' in form and 'value="Ravi Kumar"' in form
    assert (await bob.post(f"{address}/0", headers=HTMX)).status_code in (403, 404)
