"""Members, teams and invitations through the API: what a key reaches, and what it can give."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chime import accounts
from chime.config import MailServer
from chime.security.permissions import OPERATOR, Role
from tests.http.api_setup import STRANGE_ID, Scripting, fields, problem, scripting
from tests.http.inbox_setup import listening, until
from tests.http.people_setup import browser, control, id_of, membership, person, signed_up
from tests.support.world import World, running_world

__all__ = ["scripting"]


async def test_members_are_listed_in_pages(scripting: Scripting) -> None:
    script = await scripting.script("members:read")
    every = (await script.get("/api/v1/members")).json()["items"]
    assert {one["name"] for one in every} >= {"Alice", "Mo", "Bob", "Vera"} and "Charlie" not in str(every)
    assert next(one for one in every if one["name"] == "Mo")["role"] == "manager"
    seen, cursor = [], ""
    while True:
        page = (await script.get(f"/api/v1/members?limit=2{cursor}")).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == every
    problem(await script.delete(f"/api/v1/members/{every[0]['id']}"), 403)


async def test_a_member_is_removed_and_their_stream_ends(scripting: Scripting) -> None:
    world = scripting.world
    script, bob = await scripting.script(), await world.session("bob")
    async with listening(bob, world.acme) as stream:
        assert (await script.delete(f"/api/v1/members/{await id_of(world, 'bob')}")).status_code == 204
        await until(stream.ended.is_set, 2)
    assert (await bob.get("/w/acme/inbox")).status_code == 404
    problem(await script.delete(f"/api/v1/members/{await id_of(world, 'bob')}"), 404)
    problem(await script.delete(f"/api/v1/members/{await id_of(world, 'charlie')}"), 404)
    for name in ("alice",):
        told = problem(await script.delete(f"/api/v1/members/{await id_of(world, name)}"), 403)
        assert "stands above" in told["detail"], "a key holds less than an owner"


async def test_teams(scripting: Scripting) -> None:
    world = scripting.world
    script, mo = await scripting.script(), await id_of(world, "mo")
    made = await script.post("/api/v1/teams", json={"name": "North", "members": [mo]})
    assert made.status_code == 201 and made.json()["members"] == [mo]
    team = made.json()["id"]
    assert fields(await script.post("/api/v1/teams", json={"name": "north"}))["name"]
    assert "members" in fields(await script.patch(f"/api/v1/teams/{team}",
                                                  json={"members": [await id_of(world, "charlie")]}))
    changed = await script.patch(f"/api/v1/teams/{team}", json={"name": "South", "members": []})
    assert changed.json() == {**made.json(), "name": "South", "members": []}
    for name in ("a", "b", "c"):
        await script.post("/api/v1/teams", json={"name": name})
    first = (await script.get("/api/v1/teams?limit=2")).json()
    rest = (await script.get(f"/api/v1/teams?cursor={first['next_cursor']}")).json()
    assert [one["name"] for one in first["items"] + rest["items"]] == ["South", "a", "b", "c"]
    assert (await script.delete(f"/api/v1/teams/{team}")).status_code == 204
    problem(await script.delete(f"/api/v1/teams/{team}"), 404)
    problem(await (await scripting.script("members:read")).post("/api/v1/teams", json={"name": "x"}), 403)


@pytest.fixture
async def mailing(installation: Path, tmp_path: Path) -> AsyncIterator[World]:
    """A world with a mail server that does not answer: mails wait."""
    server = MailServer(host="127.0.0.1", port=9, security="plain", user="", password="")
    async with running_world(installation, tmp_path / "mailing", mail_server=server) as world:
        yield world


async def mailed(world: World) -> str:
    """The newest mail, opened."""
    mail_id, sealed = (await control(world, "SELECT id, message_sealed FROM outgoing_mail ORDER BY id DESC"))[0]
    return world.services.control.vault.open(sealed, table="outgoing_mail", row=mail_id, column="message").reveal()


async def test_invitations_are_mailed_and_their_links_told_to_nobody_else(mailing: World) -> None:
    async with mailing.client(await mailing.key(mailing.acme)) as script:
        body = {"email": "dana@example.com", "role": "agent"}
        made = await script.post("/api/v1/invitations", json=body, headers={"Idempotency-Key": "once"})
        assert made.status_code == 201, made.text
        again = await script.post("/api/v1/invitations", json=body, headers={"Idempotency-Key": "once"})
        assert again.json() == made.json()
        token = re.search(r"/invitations/([\w-]{43})", await mailed(mailing))
        assert token and token[1] not in made.text
        assert len(await control(mailing, "SELECT 1 FROM outgoing_mail")) == 1
        listed = (await script.get("/api/v1/invitations")).json()
        assert listed["items"] == [made.json()] and token[1] not in str(listed)
        problem(await script.post("/api/v1/invitations", json=body), 409)
        for role, status in (("owner", 403), ("admin", 403), ("captain", 422)):
            problem(await script.post("/api/v1/invitations", json={"email": "x@example.com", "role": role}), status)
        assert (await script.delete(f"/api/v1/invitations/{made.json()['id']}")).status_code == 204
        assert (await (await browser(mailing)).get(f"/invitations/{token[1]}")).status_code == 404
        problem(await script.delete(f"/api/v1/invitations/{made.json()['id']}"), 404)
        problem(await script.delete(f"/api/v1/invitations/{STRANGE_ID}"), 404)
        await script.post("/api/v1/invitations", json={"email": "nia@example.com", "role": "viewer"})
    found = re.search(r"/invitations/([\w-]{43})", await mailed(mailing))
    assert found
    await signed_up(mailing, found[1], "Nia")
    assert await membership(mailing, "nia") == ("viewer", "active")


async def test_the_settings_mail_as_well(mailing: World) -> None:
    alice = await mailing.session("alice")
    answer = await alice.post("/w/acme/settings/invitations", data={"email": "dana@example.com", "role": "agent"})
    assert answer.status_code == 303 and "said=invited" in answer.headers["location"]
    words = await mailed(mailing)
    assert f"{mailing.services.config.public_url}/invitations/" in words and "dana@example.com" in words
    assert "Alice invites you" in words


async def test_a_key_gives_no_more_than_it_was_scoped_to(scripting: Scripting, mailing: World) -> None:
    scopes = "members:invite,templates:read,service:read,workspace:read"
    async with mailing.client(await mailing.key(mailing.acme, scopes)) as key:
        problem(await key.post("/api/v1/invitations", json={"email": "x@example.com", "role": "viewer"}), 403)
        made = await key.post("/api/v1/invitations", json={"email": "x@example.com", "role": "analyst"})
        assert made.status_code == 201
    script = await scripting.script()
    told = problem(await script.post("/api/v1/invitations", json={"email": "x@example.com", "role": "viewer"}), 422)
    assert told["code"] == "no_mail"


async def test_an_admins_key_touches_nobody_above(scripting: Scripting) -> None:
    world, ada = scripting.world, await person(scripting.world, "ada", Role.ADMIN)
    async with world.services.control.write(OPERATOR) as tx:
        made = await accounts.create_api_key(tx, world.services.ids, workspace_id=world.acme.workspace_id,
                                             name="ada's", scope_text="all")
        await tx.execute("UPDATE api_key SET made_by = ? WHERE id = ?", ada, made.id)
    async with world.client(made.key) as script:
        for name in ("alice", "ada"):
            problem(await script.delete(f"/api/v1/members/{await id_of(world, name)}"), 403)
        assert (await script.delete(f"/api/v1/members/{await id_of(world, 'mo')}")).status_code == 204
        alice = await world.session("alice")
        await alice.post(f"/w/acme/settings/members/{ada}/role", data={"role": "viewer"})
        problem(await script.delete(f"/api/v1/members/{await id_of(world, 'bob')}"), 403)
