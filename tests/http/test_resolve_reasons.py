"""Why a conversation was resolved: asked by hand, many at once and by scripts; found by it; and what becomes of one
whose customer writes again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chime.clock import DAY
from tests.http.inbox_setup import Talk, leaving, rows, talk, text
from tests.http.people_setup import id_of
from tests.http.test_bulk import bulk
from tests.support.world import World

HTMX = {"HX-Request": "true"}
SETTINGS = "/w/acme/settings/conversations"


async def reasons(world: World, asks: str, *names: str) -> dict[str, str]:
    """Ids by name."""
    alice = await world.session("alice")
    for name in names:
        assert (await alice.post(f"{SETTINGS}/reasons", data={"name": name})).status_code == 303
    assert (await alice.post(SETTINGS, data={"asks": asks})).status_code == 303
    return {name: reason_id for reason_id, name in await rows(world, world.acme, "SELECT id, name FROM resolve_reason")}


async def resolved(world: World, said: Talk) -> tuple[Any, ...]:
    return (await rows(world, world.acme, "SELECT state, reason_id FROM conversation WHERE id = ?", said.id))[0]


async def lines(world: World, said: Talk) -> list[tuple[str, dict[str, Any]]]:
    found = await rows(world, world.acme, "SELECT kind, details_json FROM conversation_event WHERE conversation_id = ? "
                       "ORDER BY rowid", said.id)
    return [(kind, json.loads(details)) for kind, details in found]


async def test_resolved_for_a_reason_which_the_thread_and_the_trail_tell(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    known = await reasons(world, "optional", "Solved", "Spam")
    page = (await alice.get(said.base)).text
    assert "resolve-menu" in page and "Solved" in page and "Without a reason" in page
    async with leaving(world, alice) as left:
        answer = await alice.post(f"{said.base}/closure", data={"reason_id": known["Spam"]}, headers=HTMX)
    assert answer.status_code == 200 and "resolved this conversation: Spam" in answer.text
    assert left.audit == [("conversation.closed", "conversation", said.id)]
    assert await resolved(world, said) == ("closed", known["Spam"])
    await alice.delete(f"{said.base}/closure", headers=HTMX)
    assert await resolved(world, said) == ("open", None)


async def test_required_means_nobody_resolves_without_one(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    known = await reasons(world, "required", "Solved")
    assert "Without a reason" not in (await alice.get(said.base)).text
    assert (await alice.post(f"{said.base}/closure", headers=HTMX)).status_code == 422
    refused = await alice.post("/w/acme/inbox/bulk", data={"act": "resolve", "id": [said.id]}, headers=HTMX)
    assert refused.status_code == 422
    async with world.client(await world.key(world.acme)) as script:
        one = f"/api/v1/conversations/{said.id}"
        many = {"act": "resolve", "conversation_ids": [said.id]}
        for answer in (await script.patch(one, json={"state": "closed"}), await script.post(f"{one}/closure", json={}),
                       await script.post(f"{one}/closure", json={"reason": "No such"}),
                       await script.post("/api/v1/bulk-changes", json=many)):
            assert answer.status_code == 422, answer.text
        assert await resolved(world, said) == ("open", None)
        told = await script.post(f"{one}/closure", json={"reason": "solved"})
        assert told.json()["reason"] == {"id": known["Solved"], "name": "Solved"}
        assert (await script.delete(f"{one}/closure")).status_code == 204
    assert await resolved(world, said) == ("open", None)


async def test_many_at_once_for_a_reason_and_the_list_narrowed_to_it(world: World) -> None:
    first, second = await talk(world), await talk(world, name="Noor", phone="14155550102")
    alice = await world.session("alice")
    known = await reasons(world, "optional", "Solved", "Spam")
    assert "bulk-resolve" in (await alice.get("/w/acme/inbox/bulk")).text
    told = await bulk(alice, "resolve", [first.id], to=known["Spam"])
    await bulk(alice, "resolve", [second.id], to=known["Solved"])
    assert await resolved(world, first) == ("closed", known["Spam"])
    found = (await alice.get(f"/w/acme/inbox?reason={known['Spam']}")).text
    assert f'id="c-{first.id}"' in found and f'id="c-{second.id}"' not in found
    async with world.client(await world.key(world.acme)) as script:
        both = await script.get("/api/v1/conversations", params={"reason": ",".join(known.values())})
        assert {one["id"] for one in both.json()["items"]} == {first.id, second.id}
    reopened = await bulk(alice, "reopen", [second.id])
    await alice.post(reopened["undo"]["url"], headers=HTMX)
    assert await resolved(world, second) == ("closed", known["Solved"]), "with the reason it had"
    await alice.post(told["undo"]["url"], headers=HTMX)
    assert await resolved(world, first) == ("open", None)


async def test_reasons_on_their_page(world: World) -> None:
    alice = await world.session("alice")
    known = await reasons(world, "optional", "Solved", "Spam")
    assert (await alice.post(f"{SETTINGS}/reasons", data={"name": " solved "})).status_code == 422
    for form in ("reasons", f"reasons/{known['Spam']}", f"reopening/{world.acme.channel_id}"):
        assert (await alice.post(f"{SETTINGS}/{form}")).status_code == 422, f"{form}: a form without its fields"
    await alice.post(f"{SETTINGS}/reasons/{known['Spam']}/place", data={"by": "up"})
    page = (await alice.get(SETTINGS)).text
    assert page.index('<b dir="auto">Spam') < page.index('<b dir="auto">Solved')
    said = await talk(world)
    await alice.post(f"{said.base}/closure", data={"reason_id": known["Spam"]}, headers=HTMX)
    await alice.post(f"{SETTINGS}/reasons/{known['Solved']}", data={"name": "Done"})
    async with leaving(world, alice) as left:
        await alice.post(f"{SETTINGS}/reasons/{known['Spam']}/removal")
    assert left.audit == [("resolve_reason.deleted", "resolve_reason", known["Spam"])]
    async with world.client(await world.key(world.acme)) as script:
        listed = (await script.get("/api/v1/resolve-reasons")).json()["items"]
        assert [(one["name"], one["is_on"]) for one in listed] == [("Done", False)]
        told = (await script.get(f"/api/v1/conversations/{said.id}")).json()
        assert told["reason"]["name"] == "Spam", "it was resolved for it all the same"
    await alice.delete(f"{said.base}/closure", headers=HTMX)
    assert (await alice.post(f"{said.base}/closure", headers=HTMX)).status_code == 200, "nothing is left to ask"
    assert (await (await world.session("bob")).get(SETTINGS)).status_code == 403


async def reopened(world: World, policy: dict[str, Any], *, after: int = 0, away: bool = False) -> tuple[Talk, Any]:
    """A conversation of Bob's that was resolved, and whose customer wrote again; who has it then."""
    said, alice = await talk(world), await world.session("alice")
    bob = await id_of(world, "bob")
    async with world.client(await world.key(world.acme)) as script:
        saved = await script.put(f"/api/v1/channels/{world.acme.channel_id}/reopen-policy", json=policy)
        assert saved.status_code == 200, saved.text
    await alice.post(f"{said.base}/assignment", data={"assignee_id": bob}, headers=HTMX)
    await alice.post(f"{said.base}/closure", headers=HTMX)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET closed_at = closed_at - ? WHERE id = ?", after, said.id)
        await tx.execute("INSERT INTO availability (user_id, status, status_at) VALUES (?, ?, 0)", bob,
                         "away" if away else "busy")
    await said.says(text("It is broken again"))
    (assignee, state), = await rows(world, world.acme, "SELECT assignee_id, state FROM conversation WHERE id = ?",
                                    said.id)
    assert state == "open"
    return said, (assignee == bob, assignee)


@pytest.mark.parametrize(("assignee", "away", "kept"), [
    ("keep", True, True), ("free_when_away", True, False), ("free_when_away", False, True), ("free", False, False)])
async def test_whose_it_is_when_the_customer_writes_again(world: World, assignee: str, away: bool, kept: bool) -> None:
    said, (is_bobs, who) = await reopened(world, {"assignee": assignee}, away=away)
    assert is_bobs is kept and (kept or who is None)
    freed = [details["because"] for kind, details in await lines(world, said) if kind == "freed"]
    assert freed == ([] if kept else ["away" if assignee == "free_when_away" else "rule"])


async def test_after_so_many_days_it_is_a_new_matter(world: World) -> None:
    said, (_, who) = await reopened(world, {"assignee": "keep", "new_after_days": 7}, after=9 * DAY)
    assert who is None
    assert ("reopened", {"new_after": 9}) in await lines(world, said)
    page = (await (await world.session("alice")).get(said.base)).text
    assert "wrote after 9 days: this counts as new" in page and "it counts as new" in page
    assert [kind for kind, _ in await lines(world, said)].count("reopened") == 1


async def test_before_that_it_is_the_old_one(world: World) -> None:
    said, (is_bobs, _) = await reopened(world, {"assignee": "keep", "new_after_days": 7}, after=6 * DAY)
    assert is_bobs and ("reopened", {}) in await lines(world, said)
