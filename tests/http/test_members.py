"""Members over HTTP: roles, limits, suspension, removal, ownership; what is taken is gone with the next request."""

from __future__ import annotations

import asyncio
import time

from chime import accounts, member_commands
from chime.accounts.authority import member_actor
from chime.accounts.trail_jobs import COPY, EVERYTHING
from chime.clock import MINUTE
from chime.security.permissions import Actor, Role
from tests.http.inbox_setup import listening, rows, talk
from tests.http.people_setup import browser, control, id_of, invited, membership, person
from tests.support.world import World

SETTINGS = "/w/acme/settings"


async def test_the_list_tells_each_what_they_may_know(world: World) -> None:
    alice, mo, vera = [await world.session(name) for name in ("alice", "mo", "vera")]
    full = (await alice.get(f"{SETTINGS}/members")).text
    assert "bob@example.com" in full and "no second factor" in full
    assert all(name in full for name in ("Alice", "Mo", "Bob", "Vera")) and "Charlie" not in full
    assert "mo@example.com" in (await mo.get(f"{SETTINGS}/members")).text, "who invites sees addresses"
    seen = (await vera.get(f"{SETTINGS}/members")).text
    assert "Vera" in seen and "vera@example.com" not in seen.partition('id="main"')[2]
    assert f"/members/{await id_of(world, 'alice')}" not in seen, "Vera is in no team, so she sees herself"
    assert (await vera.get(f"{SETTINGS}/members/{await id_of(world, 'alice')}")).status_code == 404


async def test_a_role_is_another_one_with_the_next_request(world: World) -> None:
    alice, bob, maya = await world.session("alice"), await world.session("bob"), await talk(world)
    there = f"{SETTINGS}/members/{await id_of(world, 'bob')}"
    assert (await bob.post(f"{maya.base}/closure")).status_code == 404, "not his"
    assert (await alice.post(f"{there}/role", data={"role": "manager"})).status_code == 303
    assert (await bob.get(f"{SETTINGS}/invitations/new")).status_code == 200
    assert (await alice.post(f"{there}/role", data={"role": "analyst"})).status_code == 303
    home = await bob.get("/", follow_redirects=True)
    assert home.status_code == 200 and str(home.url).endswith("/w/acme/home") and "You are Analyst here." in home.text
    assert (await bob.get("/w/acme/inbox")).status_code == 403
    for role, status in (("owner", 422), ("nonsense", 422), ("", 422)):
        assert (await alice.post(f"{there}/role", data={"role": role})).status_code == status, role
    audit = await control(world, "SELECT details_json FROM audit_event WHERE action = 'member.role_changed' "
                          "ORDER BY sequence")
    assert '"before":{"role":"agent"}' in audit[0][0] and '"after":{"role":"manager"}' in audit[0][0]


async def test_who_stands_above_is_not_touched(world: World) -> None:
    ada, adam = await person(world, "ada", Role.ADMIN), await person(world, "adam", Role.ADMIN)
    client, alice_id = await world.session("ada"), await id_of(world, "alice")
    for other in (alice_id, adam, ada):
        for verb, data in (("role", {"role": "viewer"}), ("suspension", {}), ("removal", {}), ("limits", {})):
            answer = await client.post(f"{SETTINGS}/members/{other}/{verb}", data=data)
            assert answer.status_code == 403, (verb, answer.text)
    for role in ("admin", "owner"):
        answer = await client.post(f"{SETTINGS}/members/{await id_of(world, 'mo')}/role", data={"role": role})
        assert answer.status_code in (403, 422), role
    assert (await client.post(f"{SETTINGS}/members/{await id_of(world, 'mo')}/role",
                              data={"role": "member"})).status_code == 303
    assert await membership(world, "adam") == ("admin", "active")


async def test_the_last_owner_stays(world: World) -> None:
    alice, alice_id = await world.session("alice"), await id_of(world, "alice")
    for verb, data in (("role", {"role": "admin"}), ("suspension", {}), ("removal", {})):
        answer = await alice.post(f"{SETTINGS}/members/{alice_id}/{verb}", data=data)
        assert answer.status_code == 409 and "the last owner" in answer.text, verb
    assert await membership(world, "alice") == ("owner", "active")


async def test_limits_take_away_and_never_add(world: World) -> None:
    alice, bob_id = await world.session("alice"), await id_of(world, "bob")
    await alice.post(f"{SETTINGS}/members/{bob_id}/role", data={"role": "member"})
    bob, maya = await world.session("bob"), await talk(world)
    there = f"{SETTINGS}/members/{bob_id}/limits"
    every = ["inbox", "contacts", "channels", "templates", "members", "api_keys", "audit", "data", "delivery"]
    assert (await bob.get(maya.base)).status_code == 200
    assert "+1 415-555-0101" in (await bob.get(maya.base)).text
    await alice.post(there, data={"module": every, "numbers": "all", "masked": "yes"})
    assert "+1 415-555-0101" not in (await bob.get(maya.base)).text
    await alice.post(there, data={"module": every, "numbers": "some"})
    assert (await bob.get(maya.base)).status_code == 404, "no number is left to them"
    await alice.post(there, data={"module": every, "numbers": "some", "channel": world.acme.channel_id})
    assert (await bob.get(maya.base)).status_code == 200
    await alice.post(there, data={"module": [name for name in every if name != "inbox"], "numbers": "all"})
    assert (await bob.get(maya.base)).status_code == 403
    strange = await alice.post(there, data={"module": every, "numbers": "some", "channel": world.globex.channel_id})
    assert strange.status_code == 422
    owner = await alice.post(f"{SETTINGS}/members/{await id_of(world, 'alice')}/limits", data={"numbers": "all"})
    assert owner.status_code == 422 and "An owner has no limits" in owner.text


async def key_of(world: World, name: str) -> str:
    """A key that somebody made."""
    async with world.services.control.write(await _actor(world, name)) as tx:
        made = await accounts.create_api_key(tx, world.services.ids, workspace_id=world.acme.workspace_id,
                                             name="theirs", scope_text="all")
        await tx.execute("UPDATE api_key SET made_by = ? WHERE id = ?", await id_of(world, name), made.id)
    return made.key


async def _actor(world: World, name: str) -> Actor:
    found = await member_actor(world.services.control.db, world.acme.workspace_id, await id_of(world, name))
    assert found
    return found


async def test_whoever_is_removed_is_out_of_everything(world: World) -> None:
    """REVOKE: pages, stream, key, files, invitations, conversations; and coming back brings none of it back."""
    ada_id = await person(world, "ada", Role.ADMIN)
    ada, alice, maya = await world.session("ada"), await world.session("alice"), await talk(world)
    key, token = await key_of(world, "ada"), await invited(world, "dana", by="ada")
    assert (await ada.post(f"{maya.base}/assignment", data={"assignee_id": ada_id})).status_code == 303
    async with world.client(key) as script, listening(ada, world.acme) as stream:
        assert (await script.get("/api/v1/conversations")).status_code == 200
        started = time.monotonic()
        assert (await alice.post(f"{SETTINGS}/members/{ada_id}/removal")).status_code == 303
        for path in ("/w/acme", "/w/acme/inbox", maya.base, f"{SETTINGS}/members", "/w/acme/events"):
            assert (await ada.get(path)).status_code == 404, path
        assert (await script.get("/api/v1/conversations")).status_code == 401
        await asyncio.wait_for(stream.ended.wait(), 2 - (time.monotonic() - started))
    assert (await (await browser(world)).get(f"/invitations/{token}")).status_code == 404
    await world.settle()
    assert await rows(world, world.acme, "SELECT assignee_id, state FROM conversation") == [(None, "open")]
    charlie = await world.session("charlie")
    assert (await charlie.get(f"{SETTINGS}/members/{ada_id}")).status_code == 404
    async with world.services.control.write(await _actor(world, "alice")) as tx:
        await accounts.add_member(tx, workspace_id=world.acme.workspace_id, user_id=ada_id, role=Role.ADMIN)
    assert (await ada.get("/w/acme/inbox")).status_code == 200
    async with world.client(key) as script:
        assert (await script.get("/api/v1/conversations")).status_code == 401, "a key does not come back"


async def test_a_removal_at_the_shell_ends_the_stream_too(world: World) -> None:
    bob = await world.session("bob")
    async with listening(bob, world.acme) as stream:
        await member_commands.remove(world.services.config, "Acme", "bob@example.com")
        await asyncio.wait_for(stream.ended.wait(), 2)
    assert (await bob.get("/w/acme/inbox")).status_code == 404


async def test_suspended_is_out_until_let_in_again(world: World) -> None:
    mo_id = await id_of(world, "mo")
    mo, alice, maya, key = (await world.session("mo"), await world.session("alice"), await talk(world),
                            await key_of(world, "mo"))
    await mo.post(f"{maya.base}/assignment", data={"assignee_id": mo_id})
    there = f"{SETTINGS}/members/{mo_id}"
    async with world.client(key) as script, listening(mo, world.acme) as stream:
        assert (await alice.post(f"{there}/suspension")).status_code == 303
        assert (await mo.get("/w/acme/inbox")).status_code == 404
        assert (await script.get("/api/v1/conversations")).status_code == 401
        await asyncio.wait_for(stream.ended.wait(), 2)
        await world.settle()
        assert await rows(world, world.acme, "SELECT assignee_id FROM conversation") == [(None,)]
        assert "suspended" in (await alice.get(f"{SETTINGS}/members")).text
        assert (await alice.post(f"{there}/resumption")).status_code == 303
        assert (await mo.get("/w/acme/inbox")).status_code == 200
        assert (await script.get("/api/v1/conversations")).status_code == 200


async def test_ownership_is_handed_over_by_two_people(world: World) -> None:
    alice, mo, mo_id, alice_id = (await world.session("alice"), await world.session("mo"), await id_of(world, "mo"),
                                  await id_of(world, "alice"))
    assert (await mo.post(f"{SETTINGS}/members/{mo_id}/ownership-offer")).status_code == 403
    assert (await mo.get(f"{SETTINGS}/ownership")).status_code == 404
    offered = await alice.post(f"{SETTINGS}/members/{mo_id}/ownership-offer", data={"keeps": "no"})
    assert offered.status_code == 303 and await membership(world, "mo") == ("manager", "active")
    bob = await world.session("bob")
    assert (await bob.post(f"{SETTINGS}/ownership/acceptance")).status_code == 404, "not his to accept"
    assert "asks you to own" in (await mo.get(f"{SETTINGS}/members")).text
    told = (await mo.get("/me/security")).text
    assert "The ownership of a workspace is offered to you." in told and "Acme · Alice" in told
    assert "ownership of a workspace" not in (await bob.get("/me/security")).text
    assert (await mo.get(f"{SETTINGS}/ownership")).status_code == 200
    assert (await mo.post(f"{SETTINGS}/ownership/acceptance")).status_code == 303
    assert await membership(world, "mo") == ("owner", "active")
    assert await membership(world, "alice") == ("admin", "active")
    assert (await alice.post(f"{SETTINGS}/members/{mo_id}/removal")).status_code == 403
    for verb in ("withdrawal", "refusal"):
        await mo.post(f"{SETTINGS}/members/{alice_id}/ownership-offer")
        client = mo if verb == "withdrawal" else alice
        assert (await client.post(f"{SETTINGS}/ownership/{verb}")).status_code == 303
        assert (await alice.post(f"{SETTINGS}/ownership/acceptance")).status_code == 404
    assert await membership(world, "alice") == ("admin", "active")


async def test_what_changes_people_asks_for_a_fresh_proof(world: World) -> None:
    alice, mo_id = await world.session("alice"), await id_of(world, "mo")
    world.clock.pass_time(11 * MINUTE)
    for path, data in ((f"/members/{mo_id}/role", {"role": "viewer"}), (f"/members/{mo_id}/removal", {}),
                       (f"/members/{mo_id}/ownership-offer", {}), ("/invitations", {"email": "x@y.z", "role": "agent"}),
                       ("/roles", {"name": "x"}), ("/security", {})):
        answer = await alice.post(SETTINGS + path, data=data)
        assert answer.status_code != 303 or "/me/confirm" in answer.headers["location"], path
        assert answer.status_code in (200, 303, 403), (path, answer.status_code)
    assert await membership(world, "mo") == ("manager", "active")
    assert await control(world, "SELECT 1 FROM invitation") == []


async def test_the_workspaces_own_trail_tells_of_it(world: World) -> None:
    """Each row of control's trail about this workspace once: from the page at once, from the shell with the sweep."""
    alice, bob_id = await world.session("alice"), await id_of(world, "bob")
    await alice.post(f"{SETTINGS}/members/{bob_id}/role", data={"role": "viewer"})
    await alice.post(f"{SETTINGS}/teams", data={"name": "North"})
    await member_commands.invite(world.services.config, "Acme", email="nia@example.com", role="viewer", teams=())
    for _ in range(3):
        world.services.runner.start(world.acme.workspace_id, COPY, EVERYTHING)
        await world.settle()
    copied = await rows(world, world.acme, "SELECT action, actor_kind, object_id, details_json ->> 'control_sequence' "
                        "FROM audit_event WHERE details_json ->> 'control_sequence' IS NOT NULL "
                        "AND action <> 'member.added' AND action NOT LIKE 'api_key.%' ORDER BY sequence")
    assert [(row[0], row[1]) for row in copied] == [("member.role_changed", "user"), ("team.created", "user"),
                                                    ("invitation.created", "operator")]
    assert copied[0][2] == bob_id and len({row[3] for row in copied}) == 3
    assert "Changed a member" in (await alice.get(f"{SETTINGS}/audit")).text
    assert await rows(world, world.globex, "SELECT 1 FROM audit_event WHERE action LIKE 'team.%'") == []
