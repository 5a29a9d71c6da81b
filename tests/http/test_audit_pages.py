"""The audit log as its readers meet it: the page, its filters, the export behind a fresh proof, the API with its
proofs, refused attempts, readings of personal data, and the alarm when the file was changed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from chime import audit
from chime.audit import verifier
from chime.security import signed_note
from chime.security.merkle import is_consistent, root_by_inclusion
from tests.http.inbox_setup import rows, talk
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def audited(world: World, action: str, *, tenant: Any = None) -> list[tuple[Any, ...]]:
    return await rows(world, tenant or world.acme, "SELECT actor_name, object_kind, object_id, result, details_json, "
                      "address, session_id, agent_hash FROM audit_event WHERE action = ? ORDER BY sequence", action)


async def waiting_for(world: World, action: str, count: int) -> list[tuple[Any, ...]]:
    """Readings follow within half a second."""
    found: list[tuple[Any, ...]] = []
    async with asyncio.timeout(5):
        while len(found := await audited(world, action)) < count:
            await asyncio.sleep(0.05)
    return found


def place(world: World) -> str:
    return f"/w/{world.acme.slug}/settings/audit"


async def test_the_page_shows_who_did_what_from_where(world: World) -> None:
    maya = await talk(world)
    alice = await world.session("alice")
    await alice.post(f"/w/{world.acme.slug}/contacts/{maya.contact_id}/tags", data={"name": "vip"}, headers=HTMX)
    page = (await alice.get(place(world))).text
    assert "Tagged a contact" in page and "Alice" in page and maya.contact_id in page and "127.0.0.1" in page
    row = (await audited(world, "contact.tagged"))[0]
    assert row[5] == "127.0.0.1" and row[6] and len(row[7]) == 16
    only = (await alice.get(place(world), params={"action": "contact.tagged"})).text
    assert "Tagged a contact" in only and "Connected a number</b>" not in only
    nothing = (await alice.get(place(world), params={"result": "denied"})).text
    assert "Nothing like this is written down." in nothing
    kind = (await alice.get(place(world), params={"action": "contact."})).text
    newest = await rows(world, world.acme, "SELECT max(sequence) FROM audit_event WHERE action LIKE 'contact.%'")
    assert f"#{newest[0][0]}" in kind
    refused = await alice.get(place(world), params={"since": "yesterday"})
    assert refused.status_code == 422 and "Give a day like" in refused.text and 'value="yesterday"' in refused.text


async def test_pages_go_on_from_a_cursor(world: World) -> None:
    async with world.workspace(world.acme) as workspace:
        for _ in range(3):
            async with workspace.write(audit_actor()) as tx:
                for number in range(40):
                    await tx.audit("thing.happened", "thing", str(number))
    alice = await world.session("alice")
    seen: list[str] = []
    where: str | None = f"{place(world)}?action=thing.happened"
    while where:
        page = (await alice.get(where)).text
        seen += [part.split("<")[0] for part in page.split('<span class="num">#')[1:]]
        ways = [part.split('"')[0].replace("&amp;", "&") for part in page.split('class="btn btn-small" href="')[1:]]
        where = next((way for way in ways if "cursor=" in way), None)
    assert len(seen) == len(set(seen)) == 120 and sorted(seen, key=int, reverse=True) == seen


def audit_actor() -> Any:
    from chime.security.permissions import Actor

    return Actor(kind="user", id="01kafx2v9m3q8r5t7w1y4z6b0k", name="Zoë")


async def test_who_may_not_read_it_is_told_so_and_that_is_a_row(world: World) -> None:
    bob = await world.session("bob")
    for _ in range(105):
        assert (await bob.get(place(world))).status_code == 403
    found = await audited(world, "access.denied")
    assert len(found) == 100
    assert found[0][0] == "Bob" and found[0][2] == "list_events" and found[0][3] == "denied"
    assert json.loads(found[0][4]) == {"lacked": "audit:read"}
    world.clock.pass_time(61_000)
    await world.services.denials.flush()
    found = await audited(world, "access.denied")
    assert len(found) == 101 and json.loads(found[-1][4]) == {"further": 5}
    charlie = await world.session("charlie")
    assert (await charlie.get(place(world))).status_code == 404
    control = await world.services.control.db.rows("SELECT actor_name, object_id, details_json FROM audit_event "
                                                   "WHERE action = 'access.denied'")
    assert control == [("Charlie", "list_events", '{"lacked":"membership"}')]
    form = await bob.post(f"/w/{world.acme.slug}/inbox/x/typing", headers={"X-CSRF-Token": "no"})
    assert form.status_code in (403, 404)


async def test_the_export_proves_itself(world: World) -> None:
    await talk(world)
    alice = await world.session("alice")
    answer = await alice.post(f"{place(world)}/export", data={})
    assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"], answer.text
    told = verifier.check(answer.text.split("\n"))
    assert told["ok"] and told["proven"] == told["rows"] >= 3, told
    assert (await audited(world, "audit.exported"))[0][0] == "Alice"
    some = await alice.post(f"{place(world)}/export", data={"action": "audit."})
    told = verifier.check(some.text.split("\n"))
    assert told["ok"] and not told["whole"] and told["rows"] >= 3, told
    changed = some.text.replace('"actor_name":"Alice"', '"actor_name":"Mo"', 1)
    assert changed != some.text and not verifier.check(changed.split("\n"))["ok"]
    mo = await world.session("mo")
    assert (await mo.post(f"{place(world)}/export", data={})).status_code == 403
    exports = len(await audited(world, "audit.exported"))
    world.clock.pass_time(11 * 60_000)
    asked = await alice.post(f"{place(world)}/export", data={"action": "audit."})
    assert asked.status_code == 303 and asked.headers["location"].startswith("/me/confirm")
    assert len(await audited(world, "audit.exported")) == exports


async def test_owners_decide_how_long_it_is_kept(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    assert "Rows are kept for 1095 days." in (await alice.get(place(world))).text
    short = await alice.post(f"{place(world)}/retention", data={"days": "364"})
    assert short.status_code == 422 and 'value="364"' in short.text and "A number of days from 365" in short.text
    assert (await alice.post(f"{place(world)}/retention", data={"days": "400"})).status_code == 303
    assert "Rows are kept for 400 days." in (await alice.get(place(world))).text
    row = (await audited(world, "audit.retention_changed"))[0]
    assert json.loads(row[4]) == {"before": {"days": 1095}, "after": {"days": 400}}
    assert (await mo.post(f"{place(world)}/retention", data={"days": "400"})).status_code == 403


async def test_verify_now(world: World) -> None:
    alice = await world.session("alice")
    assert (await alice.post(f"{place(world)}/verifications")).status_code == 303
    await world.settle()
    page = (await alice.get(place(world))).text
    assert "Nothing was changed" in page
    assert len(await audited(world, "audit.verified")) == 1
    assert "Nothing was changed" in (await alice.get(f"{place(world)}/verdict", headers=HTMX)).text


async def test_a_changed_file_raises_the_alarm_and_nothing_is_signed_any_more(world: World) -> None:
    alice = await world.session("alice")
    async with world.workspace(world.acme) as workspace:
        trail = audit.trail_of(workspace, world.services.control)
        made = await audit.sign(trail)
        async with workspace.db.transaction() as tx:
            await tx.execute("DROP TRIGGER audit_event_is_never_changed")
            await tx.execute("UPDATE audit_event SET hash = zeroblob(32) WHERE sequence = 1")
        try:
            await audit.sign(trail)
            raise AssertionError("it was signed")
        except audit.TrailChanged:
            pass
        assert (await workspace.db.rows("SELECT max(size) FROM audit_checkpoint"))[0][0] == made.size
    page = (await alice.get(place(world))).text
    assert "This log was changed from outside." in page
    async with httpx.AsyncClient(base_url=world.base) as monitor:
        assert "chime_audit_trails_broken 1" in (await monitor.get("/metrics")).text
    await alice.post(f"{place(world)}/verifications")
    await world.settle()
    assert "First bad row: 1." in (await alice.get(place(world))).text
    export = await alice.post(f"{place(world)}/export", data={})
    assert export.status_code == 200 and not verifier.check(export.text.split("\n"))["ok"]


async def test_readings_are_rows(world: World) -> None:
    maya = await talk(world)
    alice = await world.session("alice")
    where = f"/w/{world.acme.slug}/inbox"
    for _ in range(3):
        assert (await alice.get(f"{where}/{maya.id}", headers=HTMX)).status_code == 200
    assert [row[2] for row in await waiting_for(world, "conversation.opened", 1)] == [maya.id]
    assert [row[2] for row in await waiting_for(world, "contact.opened", 1)] == [maya.contact_id]
    await alice.get(f"{where}/list", params={"q": "+1 555 0100"})
    found = await waiting_for(world, "contacts.searched_by_number", 1)
    assert "5550100" not in str(found) and "555 0100" not in str(found)
    await alice.get(f"{where}/list", params={"q": "order 12"})
    for _ in range(4):  # an hour, in which the session does not fall asleep
        world.clock.pass_time(15 * 60_000 + 1)
        assert (await alice.get(f"{where}/list", headers=HTMX)).status_code == 200
    await alice.get(f"{where}/{maya.id}", headers=HTMX)
    assert len(await waiting_for(world, "conversation.opened", 2)) == 2
    async with world.client(await world.key(world.acme)) as script:
        await script.get(f"/api/v1/contacts/{maya.contact_id}")
        await script.get("/api/v1/contacts")
        await script.get("/api/v1/contacts", params={"phone": "+15550100"})
    assert len(await waiting_for(world, "contact.opened", 3)) == 3
    listed = await audited(world, "contacts.listed")
    assert listed[0][0] == "test" and json.loads(listed[0][4])["found"] >= 1
    assert len(await waiting_for(world, "contacts.searched_by_number", 2)) == 2


async def test_a_file_is_written_down_before_it_leaves(world: World) -> None:
    await talk(world)
    alice = await world.session("alice")
    async with world.client(await world.key(world.acme)) as script:
        sent = await script.post("/api/v1/media", files={"file": ("a.txt", b"some text", "text/plain")})
        stored = sent.json()["id"]
        assert (await script.get(f"/api/v1/media/{stored}")).content == b"some text"
        assert [row[2] for row in await audited(world, "media.downloaded")] == [stored]
    answer = await alice.get(f"/w/{world.acme.slug}/media/{stored}", params={"download": ""})
    assert answer.content == b"some text"
    assert [row[0] for row in await audited(world, "media.downloaded")] == ["test", "Alice"]
    part = await alice.get(f"/w/{world.acme.slug}/media/{stored}", headers={"Range": "bytes=2-3"})
    assert part.status_code == 206 and len(await audited(world, "media.downloaded")) == 2


@pytest.fixture
def signed_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of the installation that all worlds are copies of may be minutes old, which is old enough to be signed
    at once. To be named before `world`."""
    monkeypatch.setattr("chime.audit.jobs.CHECKPOINT_AFTER", 10**12)


async def test_the_api_lists_and_proves(signed_by_hand: None, world: World) -> None:
    async with world.client(await world.key(world.acme)) as script:
        assert (await script.get("/api/v1/audit-checkpoint")).status_code == 404
        async with world.workspace(world.acme) as workspace:
            trail = audit.trail_of(workspace, world.services.control)
            first = await audit.sign(trail)
            async with workspace.write(audit_actor()) as tx:
                for number in range(30):
                    await tx.audit("thing.happened", "thing", str(number), before={"a": 1}, after={"a": 2})
            await audit.sign(trail)
        told = (await script.get("/api/v1/audit-events", params={"action": "thing.happened", "limit": "7"})).json()
        assert [item["object"]["id"] for item in told["items"]] == [str(number) for number in range(29, 22, -1)]
        more = (await script.get("/api/v1/audit-events", params={
            "action": "thing.happened", "limit": "7", "cursor": told["next_cursor"]})).json()
        assert more["items"][0]["object"]["id"] == "22"
        item = told["items"][3]
        proof = (await script.get(f"/api/v1/audit-events/{item['sequence']}/proof")).json()
        said = signed_note.read(proof["note"])
        assert said is not None and item["hash"] == proof["leaf"]
        path = [bytes.fromhex(beside) for beside in proof["proof"]]
        assert root_by_inclusion(item["sequence"] - 1, said.size, bytes.fromhex(proof["leaf"]), path) == said.root
        now = (await script.get("/api/v1/audit-checkpoint", params={"since": str(first.size)})).json()
        old = signed_note.read(first.note)
        assert old is not None and verifier.is_signed(verifier.note_of(now["note"]), verifier.key_of(now["key"]))
        between = [bytes.fromhex(one) for one in now["consistency"]]
        assert is_consistent(old.size, said.size, old.root, said.root, between)
        for odd, status in (("audit-events/0/proof", 404), ("audit-events/x/proof", 404),
                            ("audit-events?object=x", 422), ("audit-events?since=x", 422),
                            ("audit-checkpoint?since=0", 422), ("audit-events?who=x", 422)):
            assert (await script.get(f"/api/v1/{odd}")).status_code == status, odd
    async with world.client(await world.key(world.globex)) as stranger:
        strange = (await stranger.get("/api/v1/audit-events", params={"action": "thing.happened"})).json()
        assert strange["items"] == []


async def test_the_installation_has_a_log_for_its_operators(world: World) -> None:
    alice, bob = await world.session("alice"), await world.session("bob")
    page = await alice.get("/installation/audit")
    assert page.status_code == 200 and "Made an account" in page.text, page.text[:500]
    assert (await alice.post("/installation/audit/verifications")).status_code == 303
    assert "Nothing was changed" in (await alice.get("/installation/audit")).text
    assert (await bob.get("/installation/audit")).status_code == 403
