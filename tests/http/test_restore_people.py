"""Single people come back out of a copy: as they were, without what they decided since being undone, and without a word
being sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chime import contacts
from chime.clock import HOUR
from chime.contacts import Consent
from chime.erasure.run import forget, start
from chime.restores import jobs as restore_jobs
from chime.restores import restorer as restorers
from chime.security.permissions import OPERATOR
from tests.http.data_setup import contact, decide, newest
from tests.http.inbox_setup import rows, talk
from tests.http.restore_setup import Then, sweep, then
from tests.http.test_backup_pages import make_admin
from tests.http.test_restore import later, posts, queued
from tests.support.world import NEVER, World

PAGE = "/w/acme/settings/backups/copies"


@pytest.fixture(autouse=True)
def the_appliance_leaves_restores_to_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time works on an installation; here it is a restorer of the test's own."""
    monkeypatch.setattr(restorers, "LOOK_EVERY", NEVER)


async def edit(world: World, contact_id: str, **changes: Any) -> None:
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await contacts.edit(tx, contact_id, **changes)


async def delete(world: World, contact_id: str) -> None:
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await contacts.delete(tx, contact_id)


async def known(world: World, contact_id: str) -> contacts.Contact | None:
    async with world.workspace(world.acme) as workspace:
        return await contacts.contact(workspace.db, contact_id)


async def bring(world: World, copy_id: str, *contact_ids: str, agrees: str = "mo") -> Any:
    """Alice asks, another agrees, and it is done. The request as it ended."""
    alice = await world.session("alice")
    asked = await alice.post(f"{PAGE}/{copy_id}/people", data={"contact": list(contact_ids), "reason": "a mistake"})
    assert asked.status_code == 303, asked.text
    row = await newest(world)
    assert row.kind == "contacts_from_copy" and row.needs == "person"
    assert (await decide(world, "alice", row)).status_code == 403
    assert (await decide(world, agrees, row)).status_code == 303
    await world.settle()
    return await newest(world)


async def test_who_was_deleted_and_who_was_changed_come_back(world: World, tmp_path: Path) -> None:
    await make_admin(world, "mo")
    gone = await contact(world, "+14155550171", "Gone Girl")
    changed = await contact(world, "+14155550172", "Old Name")
    same = await contact(world, "+14155550173", "Same Person")
    await edit(world, gone, fields={"city": "Lyon"}, tag_names=["vip"])
    await edit(world, changed, fields={"city": "Rome", "size": "L"}, tag_names=["gold", "slow"])
    moment: Then = await then(world, tmp_path / "then")
    await delete(world, gone)
    await edit(world, changed, name="Wrong", fields={"city": None, "size": "M", "since": "new"},
               tag_names=["slow", "x"])
    copy = await moment.copy()
    seen = posts(world)
    alice = await world.session("alice")
    assert f"/copies/{copy.id}/people" in (await alice.get(f"{PAGE}/{copy.id}")).text
    page = await alice.get(f"{PAGE}/{copy.id}/people")
    assert page.status_code == 200 and "Gone Girl" in page.text and "Old Name" in page.text
    assert "Same Person" not in page.text and same not in page.text
    found = await alice.get(f"{PAGE}/{copy.id}/people", params={"q": "gone"})
    assert "Gone Girl" in found.text and "Old Name" not in found.text
    row = await bring(world, copy.id, gone, changed)
    assert row.state == "done" and row.done == 2
    back = await known(world, gone)
    assert back is not None and (back.name, back.fields) == ("Gone Girl", {"city": "Lyon"})
    assert [tag.name for tag in back.tags] == ["vip"]
    whole = await known(world, changed)
    assert whole is not None and whole.name == "Old Name"
    assert whole.fields == {"city": "Rome", "size": "L", "since": "new"}
    assert sorted(tag.name for tag in whole.tags) == ["gold", "slow", "x"]
    told = await rows(world, world.acme, "SELECT object_id, details_json FROM audit_event "
                                         "WHERE action = 'contact.restored' ORDER BY sequence")
    assert sorted(one[0] for one in told) == sorted([gone, changed]) and all(copy.id in one[1] for one in told)
    await sweep(world)
    assert posts(world) == seen
    assert "Nobody is missing here" in (await alice.get(f"{PAGE}/{copy.id}/people")).text
    await delete(world, gone)
    assert await known(world, gone) is None, "and it is undone by deleting again"


async def test_what_people_decided_since_stays(world: World, tmp_path: Path) -> None:
    await make_admin(world, "mo")
    refuser = await contact(world, "+14155550174", "Refuser")
    doomed = await contact(world, "+14155550175", "Doomed")
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await contacts.record_consent(tx, refuser, Consent.OPTED_IN, source="shop", evidence="")
    moment = await then(world, tmp_path / "then")
    copy = await moment.copy()
    async with world.workspace(world.acme) as workspace:
        async with workspace.write(OPERATOR) as tx:
            await contacts.record_consent(tx, refuser, Consent.OPTED_OUT, source="phone", evidence="")
        await start(workspace, world.services.control, "erasure-1", doomed, actor=OPERATOR)

        async def beat(count: int) -> None:
            return None

        await forget(workspace, "erasure-1", beat)
    await delete(world, refuser)
    alice = await world.session("alice")
    page = await alice.get(f"{PAGE}/{copy.id}/people")
    assert "Refuser" in page.text and "Doomed" not in page.text, "not even before the copy forgot them too"
    asked = await alice.post(f"{PAGE}/{copy.id}/people", data={"contact": [refuser, doomed]})
    assert asked.status_code == 409
    row = await bring(world, copy.id, refuser)
    assert row.done == 1
    assert await rows(world, world.acme, "SELECT id, marketing_consent, deleted_at FROM contact WHERE id IN (?, ?)",
                      refuser, doomed) == [(refuser, "opted_out", None)]


async def test_one_forgotten_after_the_request_does_not_come_back(world: World, tmp_path: Path) -> None:
    await make_admin(world, "mo")
    doomed = await contact(world, "+14155550175", "Doomed")
    copy = await (await then(world, tmp_path / "then")).copy()
    await delete(world, doomed)
    alice = await world.session("alice")
    assert (await alice.post(f"{PAGE}/{copy.id}/people", data={"contact": doomed})).status_code == 303
    row = await newest(world)
    async with world.workspace(world.acme) as workspace:
        await start(workspace, world.services.control, "erasure-1", doomed, actor=OPERATOR)

        async def beat(count: int) -> None:
            return None

        await forget(workspace, "erasure-1", beat)
    await decide(world, "mo", row)
    assert await rows(world, world.acme, "SELECT count(*) FROM contact WHERE id = ?", doomed) == [(0,)]
    assert await rows(world, world.acme, "SELECT count(*) FROM audit_event "
                                         "WHERE action = 'contact.restored'") == [(0,)]


async def test_what_waited_for_them_waits_for_a_person(world: World, tmp_path: Path) -> None:
    await make_admin(world, "mo")
    maya = await talk(world)
    copy = await (await then(world, tmp_path / "then")).copy()
    waits, planned = await queued(maya, "waits"), await later(maya, "for later", after=HOUR)
    await delete(world, maya.contact_id)
    seen = posts(world)
    row = await bring(world, copy.id, maya.contact_id)
    assert row.done == 1 and await known(world, maya.contact_id) is not None
    alice = await world.session("alice")
    assert (await alice.get(f"/w/acme/inbox/{maya.id}")).status_code == 200, "the conversation is there again"
    world.clock.pass_time(2 * HOUR)
    await sweep(world)
    assert posts(world) == seen, "something was sent without a person's word"
    assert await rows(world, world.acme, "SELECT message_id FROM held_message") == [(waits,)]
    assert await rows(world, world.acme, "SELECT id, state FROM scheduled_message") == [(planned, "held")]


async def test_who_is_only_in_the_replaced_state_comes_back_from_it(world: World, tmp_path: Path) -> None:
    """A take-over loses whom the team wrote down since; the copy that is kept aside has them."""
    await make_admin(world, "mo")
    moment = await then(world, tmp_path / "then")
    new = await contact(world, "+14155550176", "Written Down Since")
    await edit(world, new, fields={"city": "Oslo"}, tag_names=["fair"])
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await contacts.record_consent(tx, new, Consent.OPTED_OUT, source="fair", evidence="")
    copy = await moment.copy()
    await moment.take_over(copy)
    assert await known(world, new) is None
    row = await bring(world, copy.id, new)
    assert row.done == 1
    found = await rows(world, world.acme, "SELECT name, fields_json, marketing_consent FROM contact "
                                          "WHERE phone = '14155550176'")
    assert found == [("Written Down Since", '{"city":"Oslo"}', "opted_out")]


async def test_a_number_that_is_somebody_elses_by_now_is_left_alone(world: World, tmp_path: Path) -> None:
    await make_admin(world, "mo")
    one, other = await contact(world, "+14155550177", "One"), await contact(world, "+14155550178", "Other")
    copy = await (await then(world, tmp_path / "then")).copy()
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await contacts.merge(tx, kept=other, gone=one, choice=contacts.Choice())
    page = await (await world.session("alice")).get(f"{PAGE}/{copy.id}/people")
    assert page.status_code == 200 and one not in page.text and other not in page.text


async def test_it_is_for_owners_and_for_what_is_there(world: World, tmp_path: Path) -> None:
    gone = await contact(world, "+14155550171", "Gone Girl")
    copy = await (await then(world, tmp_path / "then")).copy()
    await delete(world, gone)
    for name, status in (("mo", 403), ("bob", 403), ("vera", 403), ("charlie", 404)):
        client = await world.session(name)
        assert (await client.get(f"{PAGE}/{copy.id}/people")).status_code == status
        assert (await client.post(f"{PAGE}/{copy.id}/people", data={"contact": gone})).status_code == status
    alice, charlie = await world.session("alice"), await world.session("charlie")
    assert (await alice.get(f"{PAGE}/nothing/people")).status_code == 404
    assert (await charlie.get(f"/w/globex/settings/backups/copies/{copy.id}/people")).status_code == 404
    empty = await alice.post(f"{PAGE}/{copy.id}/people", data={"reason": "kept as typed"})
    assert empty.status_code == 422 and "kept as typed" in empty.text
    assert (await alice.post(f"{PAGE}/{copy.id}/people", data={"contact": [gone, "nobody"]})).status_code == 409
    assert (await alice.post(f"{PAGE}/{copy.id}/people", data={"contact": gone})).status_code == 303


async def test_ran_twice_it_is_done_once(world: World, tmp_path: Path) -> None:
    await make_admin(world, "mo")
    gone = await contact(world, "+14155550171", "Gone Girl")
    copy = await (await then(world, tmp_path / "then")).copy()
    await delete(world, gone)
    row = await bring(world, copy.id, gone)
    world.services.runner.start(world.acme.workspace_id, restore_jobs.BRING_BACK, row.id)
    await world.settle()
    assert await rows(world, world.acme, "SELECT count(*) FROM audit_event "
                                         "WHERE action = 'contact.restored'") == [(1,)]


async def test_a_copy_that_was_thrown_away_gives_nothing_back(world: World, tmp_path: Path) -> None:
    await make_admin(world, "mo")
    gone = await contact(world, "+14155550171", "Gone Girl")
    copy = await (await then(world, tmp_path / "then")).copy()
    await delete(world, gone)
    alice = await world.session("alice")
    assert (await alice.post(f"{PAGE}/{copy.id}/people", data={"contact": gone})).status_code == 303
    row = await newest(world)
    assert (await alice.post(f"{PAGE}/{copy.id}/removal")).status_code == 303
    await decide(world, "mo", row)
    ended = await newest(world)
    assert ended.state == "failed" and await known(world, gone) is None
