"""Who looks after a contact: chosen beside the conversation, for many at once, by script; found, kept, handed on."""

from __future__ import annotations

from typing import Any

from chime import contacts
from chime.security.permissions import SYSTEM
from tests.http.inbox_setup import Talk, leaving, rows, talk
from tests.http.people_setup import id_of
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def owner(world: World, one: Talk) -> str | None:
    found: str | None = (await rows(world, world.acme, "SELECT owner_id FROM contact WHERE id = ?",
                                    one.contact_id))[0][0]
    return found


async def own(world: World, one: Talk, name: str | None) -> None:
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await contacts.set_owner(tx, one.contact_id, await id_of(world, name) if name else None)


async def test_chosen_in_the_panel_told_in_the_timeline_and_taken_back(world: World) -> None:
    maya, alice, bob = await talk(world), await world.session("alice"), await id_of(world, "bob")
    address = f"/w/acme/contacts/{maya.contact_id}"
    async with leaving(world, alice) as left:
        answer = await alice.post(f"{address}/owner", data={"owner_id": bob}, headers=HTMX)
    assert answer.status_code == 200 and f'value="{bob}" selected' in answer.text
    assert '"owner_id": ""' in answer.headers["hx-trigger"], "and it can be undone"
    assert left.audit == [("contact.owner_changed", "contact", maya.contact_id)]
    assert "made Bob" in (await alice.get(f"{address}/timeline", headers=HTMX)).text
    await alice.post(f"{address}/owner", data={"owner_id": ""}, headers=HTMX)
    assert await owner(world, maya) is None
    assert "took the owner off" in (await alice.get(f"{address}/timeline", headers=HTMX)).text


async def test_a_stranger_owns_nothing_and_who_only_looks_changes_nothing(world: World) -> None:
    maya, alice = await talk(world), await world.session("alice")
    address = f"/w/acme/contacts/{maya.contact_id}/owner"
    refused = await alice.post(address, data={"owner_id": await id_of(world, "charlie")}, headers=HTMX)
    assert refused.status_code == 422 and "not a member" in refused.text
    vera = await world.session("vera")
    assert (await vera.post(address, data={"owner_id": await id_of(world, "vera")}, headers=HTMX)).status_code == 403
    bob = await world.session("bob")  # an agent reaches the contacts of what is assigned to him, and of the queue
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": await id_of(world, "mo")}, headers=HTMX)
    assert (await bob.post(address, data={"owner_id": ""}, headers=HTMX)).status_code == 404
    assert await owner(world, maya) is None


async def test_scripts_read_it_set_it_and_make_contacts_with_it(world: World) -> None:
    maya, bob = await talk(world), await id_of(world, "bob")
    async with world.client(await world.key(world.acme)) as script:
        there = f"/api/v1/contacts/{maya.contact_id}"
        assert (await script.get(there)).json()["owner_id"] is None
        assert (await script.patch(there, json={"owner_id": bob})).json()["owner_id"] == bob
        assert (await script.patch(there, json={"name": "Maya"})).json()["owner_id"] == bob, "only what is given"
        wrong = await script.patch(there, json={"owner_id": await id_of(world, "charlie")})
        assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "owner_id"
        assert (await script.patch(there, json={"owner_id": None})).json()["owner_id"] is None
        made = await script.post("/api/v1/contacts", json={"phone": "+14155550188", "owner_id": bob})
        assert made.status_code == 201 and made.json()["owner_id"] == bob


async def test_many_at_once_and_undone(world: World) -> None:
    maya, tom = await talk(world), await talk(world, name="Tom", phone="14155550102")
    alice, bob = await world.session("alice"), await id_of(world, "bob")
    await own(world, tom, "mo")
    async with leaving(world, alice) as left:
        answer = await alice.post("/w/acme/inbox/bulk", headers=HTMX,
                                  data={"act": "owner", "to": bob, "id": [maya.id, tom.id]})
    assert answer.status_code == 200 and [row[0] for row in left.audit] == ["conversations.changed"]
    assert [await owner(world, one) for one in (maya, tom)] == [bob, bob]
    assert "made Bob" in (await alice.get(maya.base)).text
    await own(world, maya, "kim")
    bulk_id = (await rows(world, world.acme, "SELECT id FROM bulk_change"))[0][0]
    await alice.post(f"/w/acme/inbox/bulk/{bulk_id}/undo", headers=HTMX)
    assert await owner(world, tom) == await id_of(world, "mo")
    assert await owner(world, maya) == await id_of(world, "kim"), "changed again since"
    assert 'data-act="owner"' in (await alice.get("/w/acme/inbox/bulk", headers=HTMX)).text
    vera = await world.session("vera")
    assert (await vera.post("/w/acme/inbox/bulk", data={"act": "owner", "to": bob, "id": [maya.id]},
                            headers=HTMX)).status_code == 403


async def test_the_list_is_narrowed_by_it(world: World) -> None:
    maya, tom = await talk(world), await talk(world, name="Tom", phone="14155550102")
    await talk(world, name="Noor", phone="14155550103")
    await own(world, maya, "alice")
    await own(world, tom, "bob")
    alice = await world.session("alice")

    async def found(query: str) -> set[str]:
        page = (await alice.get(f"/w/acme/inbox/list?v=all&{query}", headers=HTMX)).text
        return {name for name in ("Maya", "Tom", "Noor") if name in page}

    assert await found("owner=me") == {"Maya"}
    assert await found("owner=none") == {"Noor"}
    assert await found(f"owner={await id_of(world, 'bob')}&owner=none") == {"Tom", "Noor"}
    assert "Customer’s owner" in (await alice.get("/w/acme/inbox/filters?v=all&owner=me", headers=HTMX)).text
    async with world.client(await world.key(world.acme)) as script:
        told = (await script.get("/api/v1/conversations", params={"owner": "none"})).json()
        assert [row["contact"]["name"] or row["contact"]["profile_name"] for row in told["items"]] == ["Noor"]


async def test_one_who_is_merged_keeps_an_owner_and_parts_with_their_own(world: World) -> None:
    maya, again = await talk(world), await talk(world, name="Maya C.", phone="14155550199")
    alice, bob, mo = await world.session("alice"), await id_of(world, "bob"), await id_of(world, "mo")

    async def merge() -> None:
        await alice.post(f"/w/acme/contacts/{maya.contact_id}/merge", headers=HTMX,
                         data={"other_id": again.contact_id})

    await own(world, again, "bob")
    await merge()
    assert await owner(world, maya) == bob, "the other's, having none"
    await alice.delete(f"/w/acme/contacts/{maya.contact_id}/merge", headers=HTMX)
    assert (await owner(world, maya), await owner(world, again)) == (None, bob)
    await own(world, maya, "mo")
    await merge()
    assert await owner(world, maya) == mo, "its own"


async def test_who_is_removed_owns_nothing_and_who_is_suspended_does(world: World) -> None:
    maya, tom = await talk(world), await talk(world, name="Tom", phone="14155550102")
    await own(world, maya, "bob")
    await own(world, tom, "kim")
    alice, bob, kim = await world.session("alice"), await id_of(world, "bob"), await id_of(world, "kim")
    assert (await alice.post(f"/w/acme/settings/members/{kim}/suspension")).status_code == 303
    assert (await alice.post(f"/w/acme/settings/members/{bob}/removal")).status_code == 303
    await world.settle()
    assert (await owner(world, maya), await owner(world, tom)) == (None, kim)
    told: list[Any] = await rows(world, world.acme, "SELECT object_id, json_extract(details_json, '$.contacts') "
                                 "FROM audit_event WHERE action = 'contacts.owner_left'")
    assert told == [(bob, 1)]
