"""Teams, roles of one's own, general settings and the security policy over HTTP."""

from __future__ import annotations

import pytest

from chime.security.permissions import Permission, Role
from tests.http.api_setup import problem
from tests.http.inbox_setup import rows, talk
from tests.http.people_setup import control, id_of, membership, person
from tests.support.world import World

SETTINGS = "/w/acme/settings"


async def test_teams_are_made_filled_and_deleted(world: World) -> None:
    alice, bob_id = await world.session("alice"), await id_of(world, "bob")
    await alice.post(f"{SETTINGS}/members/{bob_id}/role", data={"role": "member"})
    assert (await alice.post(f"{SETTINGS}/teams", data={"name": "North"})).status_code == 303
    again = await alice.post(f"{SETTINGS}/teams", data={"name": "north"})
    assert again.status_code == 422 and "There is a team of this name already." in again.text
    north = (await control(world, "SELECT id FROM team"))[0][0]
    maya, bob = await talk(world), await world.session("bob")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET team_id = ?", north)
    assert (await bob.get(maya.base)).status_code == 404, "not of his teams"
    saved = await alice.post(f"{SETTINGS}/teams/{north}", data={"name": "North", "member": [bob_id]})
    assert saved.status_code == 303 and (await bob.get(maya.base)).status_code == 200
    mo = await world.session("mo")
    assert (await mo.post(f"{SETTINGS}/teams/{north}", data={"name": "Mine"})).status_code == 403
    assert (await mo.post(f"{SETTINGS}/teams/{north}/removal")).status_code == 403
    assert (await mo.post(f"{SETTINGS}/members/{bob_id}/teams", data={})).status_code == 303
    assert (await bob.get(maya.base)).status_code == 200, "a team that is not his own he did not take away"
    await alice.post(f"{SETTINGS}/teams/{north}", data={"name": "North"})
    assert (await bob.get(maya.base)).status_code == 404
    assert (await alice.post(f"{SETTINGS}/teams/{north}/removal")).status_code == 303
    await world.settle()
    assert await rows(world, world.acme, "SELECT team_id FROM conversation") == [(None,)]
    assert (await bob.get(maya.base)).status_code == 200, "of no team: everybody's"


async def test_a_manager_runs_the_team_they_made(world: World) -> None:
    mo, bob_id = await world.session("mo"), await id_of(world, "bob")
    assert (await mo.post(f"{SETTINGS}/teams", data={"name": "Mo's"})).status_code == 303
    team = (await control(world, "SELECT id FROM team"))[0][0]
    assert await control(world, "SELECT user_id FROM team_member") == [(await id_of(world, "mo"),)]
    both = [await id_of(world, "mo"), bob_id]
    assert (await mo.post(f"{SETTINGS}/teams/{team}", data={"name": "Ours", "member": both})).status_code == 303
    charlie = {"name": "Ours", "member": [await id_of(world, "charlie")]}
    stranger = await mo.post(f"{SETTINGS}/teams/{team}", data=charlie)
    assert stranger.status_code == 422
    assert len(await control(world, "SELECT 1 FROM team_member")) == 2
    assert "Ours" in (await mo.get(f"{SETTINGS}/teams")).text


async def role_named(world: World, name: str) -> str:
    return str((await control(world, "SELECT id FROM custom_role WHERE name = ?", name))[0][0])


async def test_a_role_of_ones_own_holds_from_the_next_request(world: World) -> None:
    alice, bob_id = await world.session("alice"), await id_of(world, "bob")
    made = await alice.post(f"{SETTINGS}/roles", data={"name": "Front desk", "may-inbox:read": "all",
                                                       "may-contacts:read": "all", "masked": "yes"})
    assert made.status_code == 303, made.text
    desk = await role_named(world, "Front desk")
    assert "Front desk" in (await alice.get(f"{SETTINGS}/roles")).text
    await alice.post(f"{SETTINGS}/members/{bob_id}/role", data={"role": desk})
    bob, maya = await world.session("bob"), await talk(world)
    page = await bob.get(maya.base)
    assert page.status_code == 200 and "+1 415-555-0101" not in page.text
    assert (await bob.post(f"{maya.base}/closure")).status_code == 403
    edited = await alice.post(f"{SETTINGS}/roles/{desk}", data={"name": "Front desk", "may-inbox:read": "all",
                                                                "may-inbox:reply": "all"})
    assert edited.status_code == 303
    assert "+1 415-555-0101" in (await bob.get(maya.base)).text
    assert (await bob.post(f"{maya.base}/closure")).status_code == 303
    held = await alice.post(f"{SETTINGS}/roles/{desk}/removal")
    assert held.status_code == 409 and "Somebody has this role" in held.text
    await alice.post(f"{SETTINGS}/members/{bob_id}/role", data={"role": "agent"})
    assert (await alice.post(f"{SETTINGS}/roles/{desk}/removal")).status_code == 303


async def test_nobody_makes_a_role_of_more_than_they_hold(world: World) -> None:
    await person(world, "ada", Role.ADMIN)
    alice, ada, bob_id = await world.session("alice"), await world.session("ada"), await id_of(world, "bob")
    for grants in ({"may-workspace:erase": "all"}, {"may-members:invite": "all"}, {"may-inbox:read": "galaxy"},
                   {"may-session": "all"}, {}):
        answer = await ada.post(f"{SETTINGS}/roles", data={"name": "Grand", **grants})
        assert answer.status_code == 422 and 'value="Grand"' in answer.text, grants
    assert (await alice.post(f"{SETTINGS}/roles", data={
        "name": "People", "may-members:read": "all", "may-members:invite": "all", "may-members:edit": "all",
        "may-roles:edit": "all"})).status_code == 303
    people = await role_named(world, "People")
    for path, data in ((f"/roles/{people}", {"name": "Less", "may-members:read": "all"}),
                       (f"/roles/{people}/removal", {}), (f"/members/{bob_id}/role", {"role": people})):
        answer = await ada.post(SETTINGS + path, data=data)
        assert answer.status_code == 403, (path, answer.text)
    await alice.post(f"{SETTINGS}/members/{bob_id}/role", data={"role": people})
    bob = await world.session("bob")
    for path, data in ((f"/members/{await id_of(world, 'mo')}/removal", {}),
                       (f"/members/{await id_of(world, 'vera')}/role", {"role": "manager"}),
                       (f"/members/{bob_id}/role", {"role": "admin"})):
        assert (await bob.post(SETTINGS + path, data=data)).status_code == 403, path
    wider = await bob.post(f"{SETTINGS}/roles/{people}", data={"name": "People", "may-members:read": "all",
                                                               "may-inbox:read": "all"})
    assert wider.status_code == 422
    assert await membership(world, "mo") == ("manager", "active")


async def test_the_set_of_roles_is_chosen_and_nobody_changes(world: World) -> None:
    alice = await world.session("alice")
    assert (await alice.post(f"{SETTINGS}/role-preset", data={"preset": "four"})).status_code == 303
    form = (await alice.get(f"{SETTINGS}/invitations/new")).text
    assert 'value="analyst"' in form and 'value="manager"' not in form
    assert await membership(world, "mo") == ("manager", "active")
    assert 'value="manager" required checked' in (await alice.get(
        f"{SETTINGS}/members/{await id_of(world, 'mo')}")).text
    assert (await alice.post(f"{SETTINGS}/role-preset", data={"preset": "nine"})).status_code == 422


async def test_name_and_time_zone(world: World) -> None:
    alice = await world.session("alice")
    answer = await alice.post(f"{SETTINGS}/general", data={"name": "Acme & Sons", "time_zone": "Asia/Kolkata"})
    assert answer.status_code == 303
    assert await control(world, "SELECT name, time_zone FROM workspace WHERE slug = 'acme'") == [
        ("Acme & Sons", "Asia/Kolkata")]
    wrong = await alice.post(f"{SETTINGS}/general", data={"name": "globex", "time_zone": "Mars/Base"})
    assert wrong.status_code == 422
    assert "There is a workspace of this name already." in wrong.text and "Choose a time zone" in wrong.text
    assert (await (await world.session("mo")).get(f"{SETTINGS}/general")).status_code == 403


POLICY = {"exports_need_approval": "yes", "support_allowed": "yes"}


async def test_the_policy_holds_for_pages_and_scripts(world: World) -> None:
    alice, bob, key = await world.session("alice"), await world.session("bob"), await world.key(world.acme)
    out = await alice.post(f"{SETTINGS}/security", data=POLICY | {"addresses": "203.0.113.0/24"})
    assert out.status_code == 422 and "you would lock yourself out" in out.text and "203.0.113.0/24" in out.text
    wrong = await alice.post(f"{SETTINGS}/security", data=POLICY | {"addresses": "somewhere", "idle_minutes": "3"})
    assert wrong.status_code == 422 and "One address or network to a line" in wrong.text
    assert "From 5 to 480 minutes" in wrong.text
    mine = await alice.post(f"{SETTINGS}/security", data=POLICY | {"addresses": "127.0.0.0/8\n198.51.100.7"})
    assert mine.status_code == 303 and (await bob.get("/w/acme/inbox")).status_code == 200
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE workspace_policy SET policy_json = json_set(policy_json, '$.addresses', "
                         "json('[\"203.0.113.0/24\"]'))")
    page = await bob.get("/w/acme/inbox")
    assert page.status_code == 403 and "only from certain addresses" in page.text
    async with world.client(key) as script:
        problem(await script.get("/api/v1/contacts"), 403)
    charlie = await world.session("charlie")
    assert (await charlie.get("/w/globex/inbox")).status_code == 200, "another workspace's policy is its own"


async def test_an_admin_tightens_and_an_owner_loosens(world: World) -> None:
    await person(world, "ada", Role.ADMIN)
    alice, ada = await world.session("alice"), await world.session("ada")
    strict = {"exports_need_approval": "yes", "idle_minutes": "60", "members_masked": "yes",
              "second_factor_role": "viewer"}
    assert (await alice.post(f"{SETTINGS}/security", data=strict)).status_code == 303
    for weaker in ({"idle_minutes": "90"}, {"idle_minutes": ""}, {"members_masked": ""},
                   {"exports_need_approval": ""}, {"second_factor_role": "agent"}, {"support_allowed": "yes"}):
        answer = await ada.post(f"{SETTINGS}/security", data=strict | weaker)
        assert answer.status_code == 422 and "An owner decided this" in answer.text, weaker
    stricter = strict | {"idle_minutes": "15", "mask_in_text": "yes"}
    assert (await ada.post(f"{SETTINGS}/security", data=stricter)).status_code == 303
    assert (await ada.post(f"{SETTINGS}/security", data=strict)).status_code == 303, "back to what the owner decided"
    assert (await alice.post(f"{SETTINGS}/security", data=POLICY)).status_code == 303
    audit = await control(world, "SELECT count(*) FROM audit_event WHERE action = 'security_policy.saved'")
    assert audit == [(4,)]


@pytest.mark.parametrize("role", list(Role))
async def test_everybody_has_a_first_page(world: World, role: Role) -> None:
    await person(world, "dana", role)
    dana = await world.session("dana")
    for path in ("/", "/w/acme"):
        page = await dana.get(path, follow_redirects=True)
        assert page.status_code == 200, (role, path)
        assert page.url.path == ("/w/acme/home" if role is Role.ANALYST else "/w/acme/inbox")
    shown = (await dana.get(SETTINGS)).text.partition('id="main"')[2]
    for link in set(shown.split('href="')[1:]):
        address = link.split('"')[0]
        if address.startswith("/w/acme/"):
            assert (await dana.get(address, follow_redirects=True)).status_code == 200, (role, address)


async def test_who_has_no_inbox_is_led_home_and_can_sign_out(world: World) -> None:
    await person(world, "dana", Role.ANALYST)
    page = (await (await world.session("dana")).get("/w/acme/home")).text
    assert "See templates" in page and "/w/acme/inbox\"" not in page.partition("<main")[0].partition("account-menu")[0]
    assert Permission.INBOX_READ.value not in page
