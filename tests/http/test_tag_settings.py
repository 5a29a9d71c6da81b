"""The tags of contacts and of conversations as a whole: counted, renamed, merged, deleted, had back as they were."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.inbox_setup import leaving, rows, talk
from tests.support.world import World

HTMX = {"HX-Request": "true"}
SETTINGS = "/w/acme/settings/tags"
CARRIED = {"contact": "SELECT tag.name, contact_id FROM contact_tag JOIN tag ON tag.id = tag_id ORDER BY 1, 2",
           "conversation": "SELECT thread_tag.name, conversation_id FROM conversation_tag JOIN thread_tag "
                           "ON thread_tag.id = tag_id ORDER BY 1, 2"}
NAMES = {"contact": "SELECT name, id FROM tag", "conversation": "SELECT name, id FROM thread_tag"}


async def tagged(world: World, subject: str) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """`old` on the first, `new` on both; the ids by name, and what carries what."""
    alice = await world.session("alice")
    first, second = await talk(world), await talk(world, name="Noor", phone="14155550102")
    for one, names in ((first, ("old", "new")), (second, ("old",))):
        for name in names:
            address = f"/w/acme/contacts/{one.contact_id}/tags" if subject == "contact" else f"{one.base}/tags"
            assert (await alice.post(address, data={"name": name}, headers=HTMX)).status_code == 200
    return dict(await rows(world, world.acme, NAMES[subject])), await rows(world, world.acme, CARRIED[subject])


@pytest.mark.parametrize("subject", ["contact", "conversation"])
async def test_merged_and_parted_again(world: World, subject: str) -> None:
    known, before = await tagged(world, subject)
    alice = await world.session("alice")
    page = (await alice.get(SETTINGS)).text
    assert f"on 2 {subject}s" in page and f"on one {subject}" in page
    merged = await alice.post(f"{SETTINGS}/{subject}/{known['old']}/removal", data={"into_id": known["new"]})
    assert merged.status_code == 303
    carried = await rows(world, world.acme, CARRIED[subject])
    assert [name for name, _ in carried] == ["new", "new"]
    assert "merged by Alice" in (await alice.get(SETTINGS)).text
    (change_id,), = await rows(world, world.acme, "SELECT id FROM tag_change")
    async with leaving(world, alice) as left:
        assert (await alice.post(f"{SETTINGS}/undo/{change_id}")).status_code == 303
    kind = "tag" if subject == "contact" else "conversation_tag"
    assert left.audit == [(f"{kind}.restored", kind, known["old"])]
    assert await rows(world, world.acme, CARRIED[subject]) == before
    assert (await alice.post(f"{SETTINGS}/undo/{change_id}")).status_code == 404


@pytest.mark.parametrize("subject", ["contact", "conversation"])
async def test_deleted_and_had_back_unless_the_name_is_taken(world: World, subject: str) -> None:
    known, before = await tagged(world, subject)
    alice = await world.session("alice")
    assert (await alice.post(f"{SETTINGS}/{subject}/{known['old']}/removal", data={"into_id": ""})).status_code == 404
    assert (await alice.post(f"{SETTINGS}/{subject}/{known['old']}/removal")).status_code == 303
    assert [name for name, _ in await rows(world, world.acme, CARRIED[subject])] == ["new"]
    (change_id,), = await rows(world, world.acme, "SELECT id FROM tag_change")
    assert (await alice.post(f"{SETTINGS}/{subject}/{known['new']}", data={"name": "old"})).status_code == 303
    assert (await alice.post(f"{SETTINGS}/undo/{change_id}")).status_code == 409
    await alice.post(f"{SETTINGS}/{subject}/{known['new']}", data={"name": "new"})
    assert (await alice.post(f"{SETTINGS}/undo/{change_id}")).status_code == 303
    assert await rows(world, world.acme, CARRIED[subject]) == before


async def test_renamed_but_never_to_the_name_of_another(world: World) -> None:
    known, _ = await tagged(world, "contact")
    alice = await world.session("alice")
    refused = await alice.post(f"{SETTINGS}/contact/{known['old']}", data={"name": "NEW"})
    assert refused.status_code == 409 and "merge the two instead" in refused.text
    assert (await alice.post(f"{SETTINGS}/contact/{known['old']}", data={"name": " "})).status_code == 422
    assert (await (await world.session("vera")).get(SETTINGS)).status_code == 403


async def test_the_same_for_scripts(world: World) -> None:
    known, before = await tagged(world, "contact")
    async with world.client(await world.key(world.acme)) as script:
        renamed = await script.patch(f"/api/v1/tags/{known['new']}", json={"name": "newer"})
        assert renamed.json() == {"id": known["new"], "name": "newer", "count": 1}
        await script.patch(f"/api/v1/tags/{known['new']}", json={"name": "new"})
        made = (await script.post(f"/api/v1/tags/{known['old']}/merge", json={"into_id": known["new"]})).json()
        assert (made["name"], made["into_id"]) == ("old", known["new"])
        listed = (await script.get("/api/v1/tag-changes")).json()["items"]
        assert [one["id"] for one in listed] == [made["id"]]
        assert (await script.post(f"/api/v1/tag-changes/{made['id']}/undo")).status_code == 204
        assert await rows(world, world.acme, CARRIED["contact"]) == before
        assert (await script.delete(f"/api/v1/tags/{known['old']}")).status_code == 204
        same = await script.post(f"/api/v1/tags/{known['new']}/merge", json={"into_id": known["new"]})
        assert same.status_code == 422


@pytest.mark.parametrize("subject", ["contact", "conversation"])
async def test_saved_views_ask_for_the_tag_that_took_its_place(world: World, subject: str) -> None:
    known, _ = await tagged(world, subject)
    alice, field = await world.session("alice"), "contact_tag" if subject == "contact" else "tag"
    for name, value in (("one", known["old"]), ("both", f"{known['new']},{known['old']}"), ("other", known["new"])):
        assert (await alice.post("/w/acme/inbox/views", data={
            "name": name, "scope": "personal", field: value})).status_code == 303
    before = dict(await rows(world, world.acme, "SELECT name, filter FROM saved_view"))
    await alice.post(f"{SETTINGS}/{subject}/{known['old']}/removal", data={"into_id": known["new"]})
    after = dict(await rows(world, world.acme, "SELECT name, filter FROM saved_view"))
    assert set(after.values()) == {before["other"]}, "each asks for the one that is left, once"
    page = (await alice.get("/w/acme/inbox", params={"view": (await rows(
        world, world.acme, "SELECT id FROM saved_view WHERE name = 'one'"))[0][0]})).text
    assert "something that is gone" not in page and "Maya Chen" in page and "Noor" in page
    (change_id,), = await rows(world, world.acme, "SELECT id FROM tag_change")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE saved_view SET filter = 'v=mine' WHERE name = 'both'")
    await alice.post(f"{SETTINGS}/undo/{change_id}")
    again = dict(await rows(world, world.acme, "SELECT name, filter FROM saved_view"))
    assert again == before | {"both": "v=mine"}, "what was changed meanwhile stays as it is"
