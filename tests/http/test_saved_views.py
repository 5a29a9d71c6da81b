"""Saved views: whose they are, what they show to whom, their order, their counts."""

from __future__ import annotations

import httpx

from tests.http.inbox_setup import rows, talk
from tests.http.test_list_filters import change, listed, talks
from tests.support.world import World

PAGE = "/w/acme/inbox/views"


async def saved(client: httpx.AsyncClient, name: str, **fields: str) -> str:
    """Its id."""
    answer = await client.post(PAGE, data={"name": name, "scope": "personal", "v": "all"} | fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].split("view=")[1]


async def names(client: httpx.AsyncClient) -> list[str]:
    """The views of somebody's menu, in its order."""
    page = (await client.get("/w/acme/inbox")).text.split('id="saved-views"')[1].split("</div>")[0]
    return [part.split("<")[0] for part in page.split('class="grow cut" dir="auto">')[1:]]


async def test_kept_shown_changed_and_deleted(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    await change(world, "UPDATE conversation SET state = 'closed' WHERE id = ?", known["Otto"])
    view_id = await saved(alice, "Done ones", state="closed", sort="oldest")
    assert await listed(alice, f"view={view_id}", known) == ["Otto"]
    page = (await alice.get(f"/w/acme/inbox?view={view_id}")).text
    assert f'data-query="view={view_id}"' in page and "State: Resolved" in page
    assert '<span class="cut" dir="auto">Done ones</span>' in page, "the menu is called as the view"
    counts = await alice.get(f"{PAGE}/counts")
    assert counts.json() == {"counts": {view_id: 1}, "most": 1000}
    assert counts.headers["cache-control"] == "private, max-age=30"
    answer = await alice.post(f"{PAGE}/{view_id}", data={"name": "Open ones", "scope": "personal", "v": "all"})
    assert answer.status_code == 303
    assert await listed(alice, f"view={view_id}", known) == ["Pia", "Noor", "Maya"] and await names(alice) == [
        "Open ones"]
    await alice.post(f"{PAGE}/{view_id}/removal")
    gone = (await alice.get(f"/w/acme/inbox?view={view_id}")).text
    assert "not there any more" in gone and await names(alice) == []
    assert await rows(world, world.acme, "SELECT action FROM audit_event WHERE object_kind = 'saved_view' "
                      "ORDER BY sequence") == [("saved_view.created",), ("saved_view.edited",), ("saved_view.deleted",)]


async def test_private_is_for_everybody_and_shared_for_who_may_share(world: World) -> None:
    alice, mo, vera = [await world.session(name) for name in ("alice", "mo", "vera")]
    private = await saved(vera, "What I watch")
    assert await names(vera) == ["What I watch"] and await names(alice) == []
    assert (await alice.get(f"{PAGE}/{private}")).status_code == 404
    shared = await saved(mo, "For all", scope="everyone")
    assert await names(vera) == ["What I watch", "For all"] and await names(alice) == ["For all"]
    answer = await vera.post(PAGE, data={"name": "x", "scope": "everyone"})
    assert answer.status_code == 403 and "only views of your own" in answer.text and 'value="x"' in answer.text
    for verb in ("", "/removal", "/place"):
        answer = await vera.post(f"{PAGE}/{shared}{verb}", data={"name": "y", "scope": "everyone"})
        assert answer.status_code == 403, verb
    assert "only somebody higher can change it" in (await vera.get(f"{PAGE}/{shared}")).text
    assert (await alice.post(f"{PAGE}/{private}/removal")).status_code == 404
    assert await names(alice) == ["For all"]


async def test_a_teams_view_is_for_the_team(world: World) -> None:
    alice, mo, kim = [await world.session(name) for name in ("alice", "mo", "kim")]
    for answer in (await mo.post(PAGE, data={"name": "x", "scope": "team", "team_id": "nothing"}),
                   await mo.post(PAGE, data={"name": "x", "scope": "somebody"}),
                   await mo.post(PAGE, data={"name": " ", "scope": "personal"}),
                   await mo.post(PAGE, data={"name": "x", "scope": "personal", "state": "lost"})):
        assert answer.status_code == 422
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('night', ?, 'Night', 0)",
                         world.acme.workspace_id)
        await tx.execute("INSERT INTO team_member (team_id, user_id) SELECT 'night', id FROM user "
                         "WHERE email = 'kim@example.com'")
    await saved(alice, "Nights", scope="team", team_id="night", team="night")
    assert await names(alice) == ["Nights"] and await names(kim) == ["Nights"] and await names(mo) == []
    assert (await mo.post(PAGE, data={"name": "x", "scope": "team", "team_id": "night"})).status_code == 403


async def test_a_shared_view_shows_each_what_they_may_see(world: World) -> None:
    alice, bob, known = await world.session("alice"), await world.session("bob"), await talks(world)
    await change(world, "UPDATE conversation SET assignee_id = 'somebody' WHERE id = ?", known["Maya"])
    view_id = await saved(alice, "All open", scope="everyone")
    mine = await saved(bob, "Mine", v="all", assignee="me")
    assert len(await listed(alice, f"view={view_id}", known)) == 4
    assert await listed(bob, f"view={view_id}", known) == ["Pia", "Otto", "Noor"]
    assert (await bob.get(f"{PAGE}/counts")).json()["counts"] == {view_id: 3, mine: 0}


async def test_what_a_view_names_may_be_gone(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    view_id = await saved(alice, "Old tag", tag="gone", team="gone", channel="gone")
    assert await listed(alice, f"view={view_id}", known) == []
    page = (await alice.get(f"/w/acme/inbox?view={view_id}")).text
    assert page.count("something that is gone") >= 3 and "Nothing fits" in page
    assert (await alice.get(f"{PAGE}/{view_id}")).text.count("something that is gone") >= 3
    await change(world, "UPDATE saved_view SET filter = 'v=all&state=of-a-newer-chime'")
    assert len(await listed(alice, f"view={view_id}", known)) == 4


async def test_they_stand_in_the_order_one_gives_them(world: World) -> None:
    alice, kim = await world.session("alice"), await world.session("kim")
    ids = {name: await saved(alice, name, scope="everyone") for name in ("one", "two", "three")}
    own = await saved(kim, "own")
    await alice.post(f"{PAGE}/{ids['three']}/place", data={"before": ids["one"]})
    assert await names(alice) == ["three", "one", "two"] and await names(kim) == ["three", "one", "two", "own"]
    await alice.post(f"{PAGE}/{ids['three']}/place", data={"before": ""})
    assert await names(alice) == ["one", "two", "three"]
    assert (await kim.post(f"{PAGE}/{own}/place", data={"before": ids["one"]})).status_code == 303
    assert await names(alice) == ["one", "two", "three"], "nobody reorders what is others'"


async def test_the_page_works_without_a_script(world: World) -> None:
    alice, said = await world.session("alice"), await talk(world)
    await saved(alice, "Unread ones", unread="1")
    page = (await alice.get(PAGE)).text
    assert "Unread ones" in page and 'title="Conversations in it">1</span>' in page
    form = (await alice.get(f"{PAGE}/new?v=mine&unread=1")).text
    assert '<option value="mine" selected>' in form and 'name="unread" value="1" checked' in form
    assert (await alice.get(f"/w/acme/inbox/filters?selected={said.id}")).text.count(f'action="{said.base}"') == 1
