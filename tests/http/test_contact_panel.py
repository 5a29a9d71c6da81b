"""The contact panel: changes that can be taken back, files, timeline, blocking here and at Meta, deleting."""

from __future__ import annotations

import json

import httpx

from chime.simulator import write
from tests.http.inbox_setup import Talk, leaving, rows, talk, text
from tests.http.people_setup import id_of
from tests.support.world import World

HTMX = {"HX-Request": "true"}


def contact(said: Talk) -> str:
    return f"/w/acme/contacts/{said.contact_id}"


def undo_of(answer: httpx.Response) -> dict[str, object]:
    found: dict[str, object] = json.loads(answer.headers["HX-Trigger"])["toast"]["undo"]
    return found


async def states(world: World) -> list[tuple[object, ...]]:
    return await rows(world, world.acme, "SELECT wanted, state, trouble FROM contact_block")


async def test_a_name_and_a_tag_can_be_taken_back(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    await alice.post(contact(said), data={"name": "Maya C."}, headers=HTMX)
    renamed = await alice.post(contact(said), data={"name": "Maya Chen"}, headers=HTMX)
    assert undo_of(renamed) == {"url": contact(said), "method": "POST", "values": {"name": "Maya C."}}
    await alice.post(f"{contact(said)}/tags", data={"name": "vip"}, headers=HTMX)
    (tag_id,), = await rows(world, world.acme, "SELECT id FROM tag WHERE name = 'vip'")
    removed = await alice.post(f"{contact(said)}/tags/{tag_id}/remove", headers=HTMX)
    assert undo_of(removed)["values"] == {"name": "vip"}


async def test_the_way_back_of_a_field_tells_nobody_a_number_that_is_masked(world: World) -> None:
    said, alice, bob = await talk(world), await world.session("alice"), await world.session("bob")
    await alice.post(f"{said.base}/assignment", data={"assignee_id": await id_of(world, "bob")})
    for subject, address in (("contact", f"{contact(said)}/fields"), ("conversation", f"{said.base}/fields")):
        async with world.client(await world.key(world.acme)) as script:
            for label, kind in (("Second number", "phone"), ("City", "text")):
                made = await script.post("/api/v1/fields", json={"subject": subject, "label": label, "kind": kind})
                assert made.status_code == 201, made.text
        for key, before, after in (("second_number", "+14155550177", "+14155550188"), ("city", "Pune", "Goa")):
            whole = {"key": key, "value": before}
            await alice.post(address, data=whole, headers=HTMX)
            changed = await alice.post(address, data={"key": key, "value": after}, headers=HTMX)
            assert undo_of(changed)["values"] == whole, "who sees it whole can take it back"
            await alice.post(address, data=whole, headers=HTMX)
            answer = await bob.post(address, data={"key": key, "value": ""}, headers=HTMX)
            assert answer.status_code == 200 and "4155550177" not in answer.text + str(answer.headers)
            toast = json.loads(answer.headers["HX-Trigger"])["toast"]
            assert toast["text"] == "Saved" and ("undo" in toast) == (key == "city")


async def test_nor_a_number_inside_a_text_where_texts_are_masked(world: World) -> None:
    said, alice, bob = await talk(world), await world.session("alice"), await world.session("bob")
    await alice.post(f"{said.base}/assignment", data={"assignee_id": await id_of(world, "bob")})
    async with world.client(await world.key(world.acme)) as script:
        await script.post("/api/v1/fields", json={"subject": "contact", "label": "Remark", "kind": "text"})
    await alice.post("/w/acme/settings/security", data={"mask_in_text": "yes"})
    typed = {"key": "remark", "value": "ask her on 415 555 0177"}
    await alice.post(f"{contact(said)}/fields", data=typed, headers=HTMX)
    answer = await bob.post(f"{contact(said)}/fields", data={"key": "remark", "value": ""}, headers=HTMX)
    assert answer.status_code == 200 and "undo" not in json.loads(answer.headers["HX-Trigger"])["toast"]


async def test_a_blocked_person_is_silent_here_and_at_meta_and_comes_back(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    async with leaving(world, alice) as left:
        answer = await alice.post(f"{contact(said)}/block", headers=HTMX)
        assert answer.status_code == 200 and "Blocked" in answer.text
    assert left.audit == [("contact.blocked", "contact", said.contact_id)]
    assert await states(world) == [(1, "done", "")]
    assert (await said.conversation()).unread_count == 0
    refused = await alice.post(f"{said.base}/messages", data={"type": "text", "text": "hello"}, headers=HTMX)
    assert refused.status_code == 422 and "This contact is blocked" in refused.text
    write(world.simulator, said.customer, text("let me in"), number=world.acme.number)
    await world.settle()
    assert len(await said.messages()) == 1, "Meta passes on nothing"
    assert (await alice.post(f"{contact(said)}/block", data={"_method": "delete"}, headers=HTMX)).status_code == 200
    await world.settle()
    assert await states(world) == []
    await said.says("thank you")
    assert (await said.conversation()).unread_count == 1


async def test_who_wrote_long_ago_is_blocked_at_meta_when_they_write_again(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    world.clock.advance(25 * 3_600_000)
    await alice.post(f"{said.base}/closure", headers=HTMX)
    await alice.post(f"{contact(said)}/block", headers=HTMX)
    await world.settle()
    assert await states(world) == [(1, "refused", "not_recent")]
    assert "WhatsApp blocks only who wrote within 24 hours" in (await alice.get(said.base)).text
    heard = await said.says("are you there?")
    assert heard.text == "are you there?", "it is kept"
    assert await states(world) == [(1, "done", "")]
    conversation = await said.conversation()
    assert (conversation.unread_count, conversation.state.value, conversation.waiting_since) == (0, "closed", None)


async def test_scripts_block_and_see_it(world: World) -> None:
    said = await talk(world)
    async with world.client(await world.key(world.acme)) as script:
        address = f"/api/v1/contacts/{said.contact_id}"
        assert (await script.get(address)).json()["blocked_at"] is None
        assert (await script.post(f"{address}/block")).status_code == 204
        assert (await script.get(address)).json()["blocked_at"] is not None
        refused = await script.post("/api/v1/messages", json={
            "to": "+14155550101", "type": "text", "text": {"body": "hello"}})
        assert refused.status_code == 422 and refused.json()["code"] == "contact_blocked", refused.text
        assert (await script.delete(f"{address}/block")).status_code == 204


async def test_files_and_links_of_a_contact_by_kind(world: World) -> None:
    said, alice, vera = await talk(world, "see https://example.com/menu."), await world.session("alice"), \
        await world.session("vera")
    await said.says({"type": "image", "image": {"caption": "the cake"}})
    await said.says({"type": "document", "document": {"filename": "menu.pdf"}})
    pictures = (await alice.get(f"{contact(said)}/files", headers=HTMX)).text
    assert pictures.count("data-gallery=") == 1 and "menu.pdf" not in pictures
    assert "menu.pdf" in (await alice.get(f"{contact(said)}/files?tab=documents", headers=HTMX)).text
    assert 'href="https://example.com/menu"' in (await alice.get(f"{contact(said)}/files?tab=links")).text
    assert (await vera.get(f"{contact(said)}/files")).status_code == 403
    media = pictures.split('data-gallery="')[1].split('"')[0]
    viewer = await alice.get(media, headers=HTMX)
    assert viewer.text.count("data-viewer-file=") == 1 and "the cake" in viewer.text
    other = await talk(world, name="Ravi", phone="14155550102")
    assert (await alice.get(f"{other.base}/gallery/{media.rpartition('/')[2]}", headers=HTMX)).status_code == 404


async def test_the_timeline_tells_what_the_reader_may_see(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    await alice.post(contact(said), data={"name": "Maya C."}, headers=HTMX)
    await alice.post(f"{said.base}/notes", data={"text": "pays by card"}, headers=HTMX)
    await alice.post(f"{said.base}/closure", headers=HTMX)
    told = (await alice.get(f"{contact(said)}/timeline", headers=HTMX)).text
    assert "resolved this conversation" in told
    assert told.index("pays by card") < told.index("changed the details"), "the newest first"
    assert (await (await world.session("bob")).get(f"{contact(said)}/timeline")).status_code in (200, 404)
    assert "pays by card" not in (await (await world.session("bob")).get(f"{contact(said)}/timeline")).text


async def test_a_deleted_contact_leaves_the_panel_and_comes_back_with_a_message(world: World) -> None:
    said, alice, mo = await talk(world), await world.session("alice"), await world.session("mo")
    assert (await mo.post(f"{contact(said)}/removal")).status_code == 403
    gone = await alice.post(f"{contact(said)}/removal", headers=HTMX)
    assert gone.headers["HX-Redirect"] == "/w/acme/inbox"
    assert "Block this person" not in (await alice.get(said.base)).text
    await said.says("hello again")
    assert "Block this person" in (await alice.get(said.base)).text
