"""What scripts are told around a conversation: under the id it had before it was joined into another one, what a merge
would do, what was shared, and what happened."""

from __future__ import annotations

import httpx
import pytest

from chime.inbox import gallery
from tests.http.inbox_setup import Talk, talk
from tests.http.people_setup import id_of
from tests.http.test_members import key_of
from tests.support.world import World

OTHER_PHONE = "14155550199"


async def twice(world: World) -> tuple[Talk, Talk]:
    return await talk(world, name="Maya Chen"), await talk(world, "Where is it?", name="Maya C.", phone=OTHER_PHONE)


async def pages(script: httpx.AsyncClient, address: str, limit: int, **asked: str) -> list[dict[str, str]]:
    """A whole list, page by page."""
    found: list[dict[str, str]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await script.get(address, params={"limit": limit, **asked, **cursor})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


async def test_the_old_id_of_a_joined_conversation_means_the_one_it_became(world: World) -> None:
    maya, again = await twice(world)
    async with world.client(await world.key(world.acme)) as script:
        await script.post(f"/api/v1/contacts/{maya.contact_id}/merge", json={"other_id": again.contact_id})
        old = f"/api/v1/conversations/{again.id}"
        assert (await script.get(old)).json()["id"] == maya.id
        assert len((await script.get(f"{old}/messages")).json()["items"]) == 2
        note = await script.post(f"{old}/notes", json={"text": "asked twice"})
        assert note.status_code == 201 and note.json()["conversation_id"] == maya.id
        assert (await script.patch(old, json={"state": "closed"})).json()["id"] == maya.id
        sent = await script.post("/api/v1/messages", json={
            "conversation_id": again.id, "type": "text", "text": {"body": "On Sunday, yes"}})
        assert sent.status_code == 202 and sent.json()["conversation_id"] == maya.id
        found = await script.get("/api/v1/messages", params={"search": "where", "conversation_id": again.id})
        assert found.status_code == 200
        many = await script.post("/api/v1/bulk-changes", json={"act": "reopen",
                                                               "conversation_ids": [again.id, maya.id]})
        assert many.status_code == 202 and many.json()["total"] == 1, many.text
        assert (await script.get(f"/api/v1/conversations/{'z' * 26}")).status_code == 404


async def test_an_old_id_is_no_way_around_the_scope(world: World) -> None:
    maya, again = await twice(world)
    alice = await world.session("alice")
    async with world.client(await world.key(world.acme)) as script:
        await script.post(f"/api/v1/contacts/{maya.contact_id}/merge", json={"other_id": again.contact_id})
    async with world.client(await key_of(world, "bob")) as bobs:
        assert (await bobs.get(f"/api/v1/conversations/{again.id}")).json()["id"] == maya.id, "it waits in the queue"
        await alice.post(f"{maya.base}/assignment", data={"assignee_id": await id_of(world, "alice")},
                         headers={"HX-Request": "true"})
        assert (await bobs.get(f"/api/v1/conversations/{again.id}")).status_code == 404
    async with world.client(await world.key(world.globex)) as stranger:
        assert (await stranger.get(f"/api/v1/conversations/{again.id}")).status_code == 404


async def test_what_a_merge_would_do_is_told_and_nothing_is_done(world: World) -> None:
    maya, again = await twice(world)
    async with world.client(await world.key(world.acme)) as script:
        for one, city in ((maya, "Pune"), (again, "Goa")):
            await script.patch(f"/api/v1/contacts/{one.contact_id}", json={
                "fields": {"city": city}, "tags": [f"of {city}"],
                "marketing_consent": "opted_in" if one is maya else "opted_out"})
        address = f"/api/v1/contacts/{maya.contact_id}/merge"
        told = (await script.get(address, params={"other_id": again.contact_id})).json()
        assert told["conversations"] == [{"id": again.id, "into_id": maya.id, "messages": 1}]
        assert {(one["of"], one["key"], one["own"], one["other"]) for one in told["conflicts"]} == {
            ("name", None, "Maya Chen", "Maya C."), ("number", None, "+14155550101", f"+{OTHER_PHONE}"),
            ("field", "city", "Pune", "Goa")}
        assert {tag["name"] for tag in told["tags"]} == {"of Pune", "of Goa"}
        assert told["marketing_consent"] == "opted_out"
        assert (await script.get(address)).status_code == 404
        assert (await script.get(address, params={"other_id": maya.contact_id})).status_code == 422
        assert (await script.get(f"/api/v1/conversations/{again.id}")).json()["id"] == again.id


async def test_files_and_links_by_kind_page_by_page(world: World) -> None:
    maya = await talk(world, "see https://example.com/one and https://example.com/two")
    pictures = [(await maya.says({"type": "image", "image": {"caption": f"cake {n}"}})).id for n in range(3)]
    menu = await maya.says({"type": "document", "document": {"filename": "menu.pdf"}})
    await maya.says("and http://example.com/three.")
    async with world.client(await world.key(world.acme)) as script:
        for place in (f"conversations/{maya.id}", f"contacts/{maya.contact_id}"):
            address = f"/api/v1/{place}/files"
            shared = await pages(script, address, 2, kind="image")
            assert [one["message_id"] for one in shared] == pictures[::-1]
            assert (await script.get(f"/api/v1/media/{shared[0]['media_id']}")).status_code == 200
            assert [one["filename"] for one in await pages(script, address, 2, kind="document")] == ["menu.pdf"]
            assert [one["message_id"] for one in await pages(script, address, 3)] == [menu.id, *pictures[::-1]]
            links = [one["url"] for one in await pages(script, address, 1, kind="link")]
            assert links == ["http://example.com/three", "https://example.com/one", "https://example.com/two"]
            assert (await script.get(address, params={"kind": "song"})).status_code == 422
        assert (await script.get(f"/api/v1/contacts/{'z' * 26}/files")).status_code == 404


async def test_links_are_found_beyond_what_is_looked_through_at_once(world: World, monkeypatch: pytest.MonkeyPatch
                                                                       ) -> None:
    maya = await talk(world, "see https://example.com/one")
    for n in range(5):
        await maya.says(f"line {n}")
    monkeypatch.setattr(gallery, "MOST_LOOKED_THROUGH", 2)
    async with world.client(await world.key(world.acme)) as script:
        address = f"/api/v1/conversations/{maya.id}/files"
        assert [one["url"] for one in await pages(script, address, 5, kind="link")] == ["https://example.com/one"]


async def test_the_timeline_of_a_contact_page_by_page(world: World) -> None:
    maya = await talk(world)
    async with world.client(await world.key(world.acme)) as script:
        await script.patch(f"/api/v1/contacts/{maya.contact_id}", json={"name": "Maya C."})
        for text in ("first", "second"):
            await script.post(f"/api/v1/conversations/{maya.id}/notes", json={"text": text})
        await script.post(f"/api/v1/contacts/{maya.contact_id}/block")
        await script.delete(f"/api/v1/contacts/{maya.contact_id}/block")
        address = f"/api/v1/contacts/{maya.contact_id}/timeline"
        whole = await pages(script, address, 200)
        told = [(one["kind"], one["text"] or one["action"]) for one in whole]
        assert [text for kind, text in told if kind == "note"] == ["second", "first"]
        assert [action for kind, action in told if kind == "record"] == [
            "contact.unblocked", "contact.blocked", "contact.edited"], told
        assert [one["at"] for one in whole] == sorted((one["at"] for one in whole), reverse=True)
        assert await pages(script, address, 1) == whole, "nothing twice and nothing left out"
        assert (await script.get(f"/api/v1/contacts/{'z' * 26}/timeline")).status_code == 404
