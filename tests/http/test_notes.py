"""Private notes: the team reads them, the customer never does, and whoever is mentioned finds them."""

from __future__ import annotations

import httpx

from chime.inbox.actions import move_threads
from tests.http.inbox_setup import Talk, rows, talk
from tests.http.people_setup import id_of as user_of
from tests.http.test_queues import listed
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def note(client: httpx.AsyncClient, said: Talk, text: str, **fields: str) -> httpx.Response:
    return await client.post(f"{said.base}/notes", data={"text": text, **fields}, headers=HTMX)


def id_of(answer: httpx.Response) -> str:
    return answer.text.split('id="n-')[1].split('"')[0]


async def test_a_note_stands_among_the_messages_and_leaves_nowhere(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world, "Where is my order?")
    answer = await note(alice, said, "*ask* the depot <b>first</b>")
    assert answer.status_code == 200 and ">ask</" in answer.text
    assert "&lt;b&gt;first&lt;/b&gt;" in answer.text
    await said.reply(alice, "One moment")
    page = (await mo.get(said.base)).text.split('id="messages"')[1]
    places = [page.index(words) for words in ("Where is my order?", "the depot", "One moment")]
    assert places == sorted(places)
    assert [message.type for message in said.on_the_phone()] == ["text"]
    assert "depot" not in str([message.content for message in said.on_the_phone()])
    state = await mo.get(f"{said.base}/state")
    assert f'id="n-{id_of(answer)}"' in state.text, "a nudge brings it to open threads"
    assert await rows(world, world.acme, "SELECT action FROM audit_event WHERE object_id = ?", id_of(answer)) == [
        ("note.written",)]


async def test_the_same_press_twice_is_one_note(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    one, two = await note(alice, said, "once", client_id="abc"), await note(alice, said, "once", client_id="abc")
    assert id_of(one) == id_of(two)
    assert await rows(world, world.acme, "SELECT count(*) FROM note") == [(1,)]


async def test_an_id_that_was_used_in_another_conversation_is_refused(world: World) -> None:
    alice = await world.session("alice")
    said, other = await talk(world), await talk(world, "And I", name="Olga", phone="+4915112345999")
    await note(alice, said, "here", client_id="abc")
    assert (await note(alice, other, "there", client_id="abc")).status_code == 409
    assert await rows(world, world.acme, "SELECT text FROM note") == [("here",)]


async def test_mentions_call_people_and_teams_until_they_looked(world: World) -> None:
    alice, mo, kim = [await world.session(name) for name in ("alice", "mo", "kim")]
    said = await talk(world)
    answer = await alice.post("/w/acme/settings/teams", data={"name": "Night shift"})
    assert answer.status_code in (200, 303), answer.text
    (team_id,), = await world.services.control.db.rows("SELECT id FROM team WHERE name = 'Night shift'")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team_member (team_id, user_id) SELECT ?, id FROM user "
                         "WHERE email = 'kim@example.com'", team_id)
    await note(alice, said, "@Mo and @night shift: who knows? (@Alice does not)")
    assert await listed(mo, "mentions") == [said.id] == await listed(kim, "mentions")
    assert await listed(alice, "mentions") == [], "nobody calls themselves"
    assert 'title="Mentions of you"' in (await mo.get("/w/acme/inbox")).text
    assert 'data-called="true"' in (await mo.get(said.base)).text
    assert (await mo.post(f"{said.base}/mentions/seen")).status_code == 204
    assert 'title="Mentions of you"' not in (await mo.get("/w/acme/inbox")).text
    assert await listed(mo, "mentions") == [said.id], "it stays to be found"
    assert 'title="Mentions of you"' in (await kim.get("/w/acme/inbox")).text


async def test_nobody_is_mentioned_who_would_find_nothing(world: World) -> None:
    """Bob is an agent: he sees what is his."""
    alice = await world.session("alice")
    said = await talk(world)
    refused = await note(alice, said, "@Bob please look")
    assert refused.status_code == 422 and "Bob cannot see this conversation" in refused.text
    assert await rows(world, world.acme, "SELECT 1 FROM note") == []
    (bob,), = await world.services.control.db.rows("SELECT id FROM user WHERE email = 'bob@example.com'")
    await alice.post(f"{said.base}/assignment", data={"assignee_id": bob})
    assert (await note(alice, said, "@Bob please look")).status_code == 200
    assert await listed(await world.session("bob"), "mentions") == [said.id]
    await alice.post(f"{said.base}/assignment", data={"assignee_id": ""})
    assert (await listed(await world.session("bob"), "mentions")) == [said.id], "in the queue, where he sees it wait"
    await alice.post(f"{said.base}/assignment",
                     data={"assignee_id": (await world.services.control.db.rows(
                         "SELECT id FROM user WHERE email = 'mo@example.com'"))[0][0]})
    assert await listed(await world.session("bob"), "mentions") == [], "and out of sight it is out of the list"


async def test_only_its_author_changes_or_deletes_a_note(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said, other = await talk(world), await talk(world, name="Noor", phone="14155550102")
    note_id = id_of(await note(alice, said, "first words"))
    assert (await mo.post(f"{said.base}/notes/{note_id}", data={"text": "mine now"})).status_code == 403
    assert (await mo.delete(f"{said.base}/notes/{note_id}")).status_code == 403
    assert (await alice.post(f"{other.base}/notes/{note_id}", data={"text": "x"})).status_code == 404
    changed = await alice.post(f"{said.base}/notes/{note_id}", data={"text": "other words, @Mo"}, headers=HTMX)
    assert "other words" in changed.text and "edited" in changed.text
    assert await listed(mo, "mentions") == [said.id]
    gone = await alice.delete(f"{said.base}/notes/{note_id}", headers=HTMX)
    assert "deleted a private note" in gone.text and "other words" not in gone.text
    assert await listed(mo, "mentions") == []
    assert await rows(world, world.acme, "SELECT text FROM note") == [("",)]
    assert (await alice.delete(f"{said.base}/notes/{note_id}")).status_code == 404


async def test_a_number_in_a_note_is_masked_to_whom_texts_are_but_for_who_wrote_it(world: World) -> None:
    alice, bob, kim = await world.session("alice"), await world.session("bob"), await world.session("kim")
    said = await talk(world)
    await alice.post(f"{said.base}/assignment", data={"assignee_id": await user_of(world, "bob")})
    await alice.post("/w/acme/settings/security", data={"mask_in_text": "yes"})
    await note(alice, said, "His wife: +91 98765 43210", client_id="alices")
    own = await note(bob, said, "Her mother: +49 151 2345678")
    assert own.status_code == 200 and own.text.count("+49 151 2345678") == 2, "to be read, and to be changed"
    for path in (said.base, f"{said.base}/messages", f"{said.base}/state"):
        page = (await bob.get(path)).text
        assert "98765 43210" not in page and "+91 ••••• ••210" in page and "+49 151 2345678" in page, path
        page = (await kim.get(path)).text
        assert "+91 98765 43210" in page and "+49 151 2345678" in page, path
    again = await note(bob, said, "what it is he does not say", client_id="alices")
    assert again.status_code == 200 and "98765 43210" not in again.text and "••210" in again.text


async def test_bad_notes_are_refused_with_a_reason(world: World) -> None:
    alice, vera = await world.session("alice"), await world.session("vera")
    said = await talk(world)
    assert (await note(alice, said, "   ")).status_code == 422
    assert "10,000" in (await note(alice, said, "x" * 10_001)).text
    assert (await note(vera, said, "hello")).status_code == 403
    charlie = await world.session("charlie")
    assert (await note(charlie, said, "hello")).status_code in (403, 404)


async def test_an_agent_sees_no_notes_of_what_waits_in_the_queue(world: World) -> None:
    alice, bob = await world.session("alice"), await world.session("bob")
    said = await talk(world)
    await note(alice, said, "the customer is difficult")
    page = await bob.get(said.base)
    assert page.status_code == 200 and "difficult" not in page.text and 'id="note-box"' not in page.text
    assert "difficult" not in (await bob.get(f"{said.base}/state")).text
    assert (await note(bob, said, "hello")).status_code in (403, 404)


async def test_notes_go_with_the_person_they_are_about(world: World) -> None:
    """Two threads become one when two contacts turn out to be one: notes and pins go along."""
    alice = await world.session("alice")
    said = await talk(world)
    note_id = id_of(await note(alice, said, "remember me @Mo"))
    await alice.post(f"{said.base}/pin", headers=HTMX)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        channel = await tx.value("SELECT id FROM channel")
        await tx.execute("INSERT INTO contact (id, created_at, updated_at) VALUES ('kept', 0, 0)")
        await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                         "VALUES ('kept', ?, 'kept', 0, 0)", channel)
        await move_threads(tx, kept="kept", gone=said.contact_id)
    assert await rows(world, world.acme, "SELECT id, conversation_id FROM note") == [(note_id, "kept")]
    assert await rows(world, world.acme, "SELECT conversation_id FROM mention UNION ALL "
                      "SELECT conversation_id FROM conversation_pin") == [("kept",), ("kept",)]
