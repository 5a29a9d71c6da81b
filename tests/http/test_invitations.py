"""Invitations over HTTP: bound to an address, a workspace, a role and teams; good once, for three days, and only while
who invited still may."""

from __future__ import annotations

import re

import httpx
import pytest

from chime.clock import HOUR
from chime.security.permissions import Role
from tests.http.people_setup import browser, control, id_of, invited, membership, person, signed_up, token_in
from tests.support.files import contents
from tests.support.world import PASSWORD, World

OVER = "This invitation is not valid any more."
SETTINGS = "/w/acme/settings"


async def csrf(client: httpx.AsyncClient, path: str) -> str:
    """The token of the forms on a page."""
    return str((await client.get(path)).text.split('name="csrf_token" value="')[1].split('"')[0])


async def test_somebody_new_makes_an_account_in_one_step(world: World) -> None:
    token = await invited(world, "Dana", "agent")
    page = await (await browser(world)).get(f"/invitations/{token}")
    assert "Alice invites you as Agent." in page.text and "Dana@example.com" in page.text
    assert page.headers["cache-control"] == "no-store"
    dana = await signed_up(world, token)
    assert (await dana.get("/w/acme/inbox")).status_code == 200
    assert (await dana.get("/w/globex/inbox")).status_code == 404
    assert await membership(world, "dana") == ("agent", "active")


async def test_a_bad_name_and_a_bad_password_are_told_at_once(world: World) -> None:
    token = await invited(world, "dana")
    answer = await (await browser(world)).post(f"/invitations/{token}", data={"name": "  ", "password": "short"})
    assert answer.status_code == 422
    assert "Give a name" in answer.text and "at least 15 characters" in answer.text
    assert await control(world, "SELECT 1 FROM user WHERE email = 'dana@example.com'") == []
    assert await signed_up(world, token)


async def test_a_link_is_good_once(world: World) -> None:
    token = await invited(world, "dana")
    await signed_up(world, token)
    stranger = await browser(world)
    for answer in (await stranger.get(f"/invitations/{token}"),
                   await stranger.post(f"/invitations/{token}", data={"name": "Eve", "password": PASSWORD})):
        assert answer.status_code == 404 and OVER in answer.text


async def test_what_is_wrong_with_a_link_is_not_told(world: World) -> None:
    stranger, alice = await browser(world), await world.session("alice")
    used, revoked, expired, replaced = [await invited(world, f"p{number}") for number in range(4)]
    await signed_up(world, used)
    ids = {email: found for found, email in await control(world, "SELECT id, email FROM invitation")}
    await alice.post(f"{SETTINGS}/invitations/{ids['p1@example.com']}/revocation")
    newer = token_in((await alice.post(f"{SETTINGS}/invitations/{ids['p3@example.com']}/resend")).text)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE invitation SET expires_at = ? WHERE id = ?", world.clock.now() - 1,
                         ids["p2@example.com"])
    told = {re.sub(r"reference \w+", "", (await stranger.get(f"/invitations/{token}")).text)
            for token in (used, revoked, expired, replaced, "a" * 43)}
    assert len(told) == 1 and OVER in told.pop()
    assert (await stranger.get(f"/invitations/{newer}")).status_code == 200


async def test_it_ends_after_three_days(world: World) -> None:
    token = await invited(world, "dana")
    at = (await control(world, "SELECT created_at, expires_at FROM invitation"))[0]
    assert at[1] - at[0] == 72 * HOUR
    world.clock.pass_time(72 * HOUR + 1)
    assert (await (await browser(world)).get(f"/invitations/{token}")).status_code == 404


async def test_only_a_hash_of_the_token_is_stored(world: World) -> None:
    token = await invited(world, "dana")
    assert not [path for path, content in contents(world.data_dir).items() if token.encode() in content]
    stored = (await control(world, "SELECT token_hash FROM invitation"))[0][0]
    assert len(stored) == 32 and len(token) == 43


async def test_who_has_an_account_accepts_with_it(world: World) -> None:
    token = await invited(world, "charlie", "viewer")
    stranger = await browser(world)
    page = await stranger.get(f"/invitations/{token}")
    assert "There is an account for charlie@example.com already." in page.text
    refused = await stranger.post(f"/invitations/{token}", data={"name": "Charlie", "password": PASSWORD})
    assert refused.status_code == 303 and refused.headers["location"] == f"/invitations/{token}"
    assert await membership(world, "charlie") is None
    charlie = await world.session("charlie")
    assert "Join the workspace" in (await charlie.get(f"/invitations/{token}")).text
    answer = await charlie.post(f"/invitations/{token}/acceptance")
    assert answer.status_code == 303 and answer.headers["location"] == "/w/acme"
    assert await membership(world, "charlie") == ("viewer", "active")


async def test_somebody_else_is_told_so_and_gets_nothing(world: World) -> None:
    token = await invited(world, "dana")
    charlie = await world.session("charlie")
    page = await charlie.get(f"/invitations/{token}")
    assert "You are signed in as charlie@example.com, and this invitation is for dana@example.com." in page.text
    answer = await charlie.post(f"/invitations/{token}/acceptance")
    assert answer.status_code == 403 and await membership(world, "charlie") is None
    assert (await (await browser(world)).get(f"/invitations/{token}")).status_code == 200, "it is still good"


async def test_acceptance_comes_from_our_own_page(world: World) -> None:
    token = await invited(world, "charlie")
    charlie = await world.session("charlie")
    answer = await charlie.post(f"/invitations/{token}/acceptance", headers={"X-CSRF-Token": "made up"})
    assert answer.status_code == 403 and await membership(world, "charlie") is None
    answer = await charlie.post(f"/invitations/{token}/acceptance", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403 and await membership(world, "charlie") is None


async def test_nobody_invites_above_themselves(world: World) -> None:
    await person(world, "ada", Role.ADMIN)
    for by, role in (("mo", "owner"), ("mo", "admin"), ("mo", "manager"), ("ada", "owner"), ("ada", "admin"),
                     ("alice", "no-such-role"), ("alice", "")):
        client = await world.session(by)
        answer = await client.post(f"{SETTINGS}/invitations", data={"email": "dana@example.com", "role": role})
        assert answer.status_code in (403, 422), (by, role, answer.text)
        assert "dana@example.com" in answer.text, "what was typed is kept"
    assert await control(world, "SELECT 1 FROM invitation") == []


async def test_a_manager_invites_into_their_own_teams_only(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    await alice.post(f"{SETTINGS}/teams", data={"name": "North"})
    await alice.post(f"{SETTINGS}/teams", data={"name": "South"})
    teams = dict(await control(world, "SELECT name, id FROM team"))
    await alice.post(f"{SETTINGS}/members/{await id_of(world, 'mo')}/teams", data={"team": teams["North"]})
    form = (await mo.get(f"{SETTINGS}/invitations/new")).text
    assert "North" in form and "South" not in form
    refused = await mo.post(f"{SETTINGS}/invitations", data={"email": "dana@example.com", "role": "agent",
                                                             "team": teams["South"]})
    assert refused.status_code == 422 and "only to teams of your own" in refused.text
    none = await mo.post(f"{SETTINGS}/invitations", data={"email": "dana@example.com", "role": "agent"})
    assert none.status_code == 422 and "Choose one of your teams" in none.text
    await signed_up(world, await invited(world, "dana", "agent", by="mo", team=teams["North"]))
    assert await control(world, "SELECT team_id FROM team_member WHERE user_id = ?",
                         await id_of(world, "dana")) == [(teams["North"],)]


async def test_one_live_invitation_for_an_address(world: World) -> None:
    await invited(world, "dana")
    alice = await world.session("alice")
    for email, words in (("DANA@example.com", "There is an open invitation"), ("bob@example.com", "There is a member")):
        again = await alice.post(f"{SETTINGS}/invitations", data={"email": email, "role": "viewer"})
        assert again.status_code == 409 and words in again.text
    world.clock.pass_time(73 * HOUR)
    world.sessions_are_over()
    await invited(world, "dana", "viewer")
    live = "SELECT role FROM invitation WHERE accepted_at IS NULL AND revoked_at IS NULL"
    assert await control(world, live) == [("viewer",)]


async def test_an_invitation_ends_with_the_right_to_make_it(world: World) -> None:
    alice, stranger = await world.session("alice"), await browser(world)
    fates: dict[str, dict[str, str]] = {"removal": {}, "suspension": {}, "role": {"role": "manager"}}
    for number, (verb, data) in enumerate(fates.items()):
        ada = await person(world, f"ada{number}", Role.ADMIN)
        token = await invited(world, f"dana{number}", "manager", by=f"ada{number}")
        assert (await stranger.get(f"/invitations/{token}")).status_code == 200
        assert (await alice.post(f"{SETTINGS}/members/{ada}/{verb}", data=data)).status_code == 303
        answer = await stranger.post(f"/invitations/{token}", data={"name": "Dana", "password": PASSWORD})
        assert answer.status_code == 404 and await control(world, "SELECT 1 FROM user WHERE name = 'Dana'") == [], verb


async def test_an_owner_in_waiting_is_nobody_until_an_owner_confirms(world: World) -> None:
    dana = await signed_up(world, await invited(world, "dana", "owner"))
    assert await membership(world, "dana") == ("owner", "unconfirmed")
    assert (await dana.get("/waiting")).status_code == 200
    for path in ("/w/acme", "/w/acme/inbox", SETTINGS, f"{SETTINGS}/members"):
        assert (await dana.get(path)).status_code == 404, path
    mo, alice, dana_id = await world.session("mo"), await world.session("alice"), await id_of(world, "dana")
    assert "Dana" not in (await mo.get(f"{SETTINGS}/members")).text
    assert (await mo.get(f"{SETTINGS}/members/{dana_id}")).status_code == 404
    assert "waits for an owner" in (await alice.get(f"{SETTINGS}/members")).text
    last = await alice.post(f"{SETTINGS}/members/{await id_of(world, 'alice')}/removal")
    assert last.status_code == 409, "somebody unconfirmed is no owner"
    await person(world, "ada", Role.ADMIN)
    ada = await world.session("ada")
    assert (await ada.post(f"{SETTINGS}/members/{dana_id}/confirmation")).status_code == 403
    assert (await ada.post(f"{SETTINGS}/members/{dana_id}/removal")).status_code == 404
    assert (await alice.post(f"{SETTINGS}/members/{dana_id}/confirmation")).status_code == 303
    assert await membership(world, "dana") == ("owner", "active")
    assert (await dana.get("/w/acme/inbox")).status_code == 200


async def test_the_shell_invites_and_removes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    from chime import member_commands

    config = world.services.config
    made = await member_commands.invite(config, "Acme", email="dana@example.com", role="Manager", teams=())
    assert made.link.startswith(f"{config.public_url}/invitations/") and not made.mailed
    dana = await signed_up(world, made.link.rpartition("/")[2])
    assert (await dana.get("/w/acme/inbox")).status_code == 200
    assert await member_commands.remove(config, "Acme", "dana@example.com") == await id_of(world, "dana")
    assert (await dana.get("/w/acme/inbox")).status_code == 404
