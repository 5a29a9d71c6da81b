"""Signing in with a provider, over real HTTPS to one of our own: who gets in, as what, and who does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chime.clock import MINUTE
from tests.http.oidc_setup import Yard, oidc_world, with_token
from tests.support.oidc_provider import new_key, token_of
from tests.support.world import PASSWORD


@pytest.fixture
async def yard(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Yard]:
    async with oidc_world(installation, tmp_path, monkeypatch) as found:
        yield found


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_somebody_new_gets_an_account_by_a_group(yard: Yard, algorithm: str) -> None:
    yard.provider.key = new_key("of today", algorithm)
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales", "chess"])
    client = await yard.browser()
    assert "Sign in with Test Login" in (await client.get("/sign-in")).text
    answer = await yard.sign_in(client, next="/me/sessions")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me/sessions"), answer.text
    assert await yard.is_in(client) and await yard.role("nora@example.com") == "agent"
    assert (await client.get("/w/acme/inbox")).status_code == 200
    assert (await client.get("/w/globex/inbox")).status_code == 404
    # The second time it is the same account, by subject, whatever the address is called by now.
    yard.becomes("nora", email="nora.miller@example.com", groups=["sales"])
    assert (await yard.sign_in(await yard.browser())).status_code == 303
    assert await yard.rows("SELECT email FROM user WHERE by_provider") == [("nora@example.com",)]
    assert yard.provider.count("/token") == 2


async def test_the_question_is_complete_and_the_cookie_is_http_only(yard: Yard) -> None:
    client = await yard.browser()
    page = await client.post("/sign-in/provider", data={"next": "/me"})
    cookie = page.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "max-age=600" in cookie
    await yard.sent_back(client, await yard.leave(client))
    asked = yard.provider.asked[-1][1]
    assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
    assert len(asked["state"]) == len(asked["nonce"]) == 43 and asked["state"] != asked["nonce"]


async def test_without_a_group_or_a_proven_address_nobody_gets_an_account(yard: Yard) -> None:
    await yard.rule("sales", "agent")
    await yard.rule("boss", "admin", agreed=False)
    for groups, verified, words in ((["chess"], True, "none of your groups"), (["boss"], True, "none of your groups"),
                                    (["sales"], False, "is yours"), (["sales"], None, "is yours"),
                                    (["sales"], "false", "is yours")):
        yard.becomes("nora", groups=groups, verified=verified)
        client = await yard.browser()
        answer = await yard.sign_in(client)
        assert answer.status_code == 422 and words in answer.text and "Reference" in answer.text
        assert not await yard.is_in(client)
    assert not await yard.rows("SELECT 1 FROM user WHERE by_provider")


async def test_roles_follow_groups_at_every_sign_in(yard: Yard) -> None:
    await yard.rule("sales", "agent")
    await yard.rule("leads", "manager")
    await yard.rule("world", "viewer", workspace=yard.world.globex.workspace_id)
    for groups, acme, globex in ((["sales"], "agent", ""), (["sales", "leads"], "manager", ""),
                                 (["sales", "world"], "agent", "viewer"), (["world"], "", "viewer"),
                                 ([], "", ""), (["leads"], "manager", "")):
        yard.becomes("nora", groups=groups)
        client = await yard.browser()
        answer = await yard.sign_in(client)
        if answer.status_code == 422:  # only who has no account yet is turned away
            raise AssertionError(answer.text)
        assert (await yard.role("nora@example.com"), await yard.role("nora@example.com", "globex")) == (acme, globex)
        assert (await client.get("/w/acme/inbox")).status_code == (200 if acme else 404)
    told = await yard.rows("SELECT DISTINCT actor_name FROM audit_event WHERE action IN ('member.added', "
                           "'member.role_changed', 'member.removed') AND actor_name LIKE 'groups%'")
    assert told == [("groups at Test Login",)]


async def test_the_last_owner_stays_and_hand_made_owners_are_never_lowered(yard: Yard) -> None:
    await yard.rule("sales", "agent")
    await yard.rule("owners", "owner", workspace=yard.world.globex.workspace_id)
    alice = await yard.known("alice")
    yard.becomes("alice-at-work", groups=["sales"])
    back = await yard.sent_back(alice, await yard.leave(alice, "/me/provider"))
    assert (await alice.get(back)).headers["location"] == "/me/provider?said=connected"
    assert await yard.role("alice@example.com") == "owner"
    # An owner by a group, who becomes the last one, and whose groups then say nothing any more.
    yard.becomes("olga", groups=["owners"])
    await yard.sign_in(await yard.browser())
    async with yard.world.services.control.ingest("test") as tx:
        await tx.execute("DELETE FROM membership WHERE workspace_id = ? AND by_group = 0",
                         yard.world.globex.workspace_id)
    yard.becomes("olga", groups=[])
    assert (await yard.sign_in(await yard.browser())).status_code == 303
    assert await yard.role("olga@example.com", "globex") == "owner"


async def test_who_came_by_a_group_and_was_made_an_owner_by_an_owner_stays_one(yard: Yard) -> None:
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales"])
    nora = await yard.browser()
    assert (await yard.sign_in(nora)).status_code == 303
    nora = await with_token(nora)
    nora_id = (await yard.rows("SELECT id FROM user WHERE email = 'nora@example.com'"))[0][0]
    alice = await yard.known("alice")
    offered = await alice.post(f"/w/acme/settings/members/{nora_id}/ownership-offer", data={"keeps": "yes"})
    assert offered.status_code == 303, offered.text
    assert (await nora.post("/w/acme/settings/ownership/acceptance")).status_code == 303
    for groups in (["sales"], []):
        yard.becomes("nora", groups=groups)
        assert (await yard.sign_in(await yard.browser())).status_code == 303
        assert await yard.role("nora@example.com") == "owner", groups


async def test_who_is_suspended_by_hand_stays_so(yard: Yard) -> None:
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales"])
    await yard.sign_in(await yard.browser())
    async with yard.world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET state = 'suspended' WHERE by_group = 1")
    for groups in ([], ["sales"]):
        yard.becomes("nora", groups=groups)
        client = await yard.browser()
        await yard.sign_in(client)
        assert (await client.get("/w/acme/inbox")).status_code == 404


async def test_an_account_is_not_opened_by_its_address(yard: Yard) -> None:
    """P16, T34: whoever holds the address at the provider gets nothing of the account but a question."""
    await yard.rule("sales", "admin")
    yard.becomes("kim-of-elsewhere", email="KIM@example.com", groups=["sales"])
    thief = await yard.browser()
    answer = await yard.sign_in(thief)
    assert answer.status_code == 200 and "Is this your account?" in answer.text
    assert not await yard.is_in(thief) and await yard.role("kim@example.com") == "member"
    assert not await yard.rows("SELECT 1 FROM user_identity")
    # Somebody else's account, proved in the thief's browser, is not what the offer is for.
    mo = await thief.post("/sign-in", data={"email": "mo@example.com", "password": PASSWORD})
    assert mo.status_code == 303
    await with_token(thief)
    assert (await thief.post("/me/provider/offer")).status_code == 404
    # Kim's own factor makes it Kim's, once.
    await thief.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD})
    await with_token(thief)
    assert "Connect it with this account" in (await thief.get("/me/provider")).text
    assert (await thief.post("/me/provider/offer")).status_code == 303
    assert await yard.role("kim@example.com") == "admin"
    assert (await yard.sign_in(await yard.browser())).status_code == 303
    assert (await thief.post("/me/provider/offer")).status_code == 404


async def test_an_offer_ends_after_ten_minutes(yard: Yard) -> None:
    yard.becomes("kim-there", email="kim@example.com")
    client = await yard.browser()
    await yard.sign_in(client)
    yard.world.clock.pass_time(11 * MINUTE)
    await client.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD})
    assert (await (await with_token(client)).post("/me/provider/offer")).status_code == 404


async def test_connecting_wants_a_fresh_proof_and_an_identity_nobody_has(yard: Yard) -> None:
    kim, mo = await yard.known("kim"), await yard.known("mo")
    yard.world.clock.pass_time(11 * MINUTE)
    stale = await kim.post("/me/provider")
    assert stale.status_code in (303, 403) and "url=https" not in stale.text
    kim = await yard.known("kim")
    yard.becomes("k-17", email="somebody@else.example", verified=False)
    url = await yard.leave(kim, "/me/provider")
    assert (await mo.get(await yard.sent_back(mo, url))).status_code == 422, "another browser's question"
    assert (await kim.get(await yard.sent_back(kim, url))).status_code == 303
    mo = await yard.known("mo")
    taken = await mo.get(await yard.sent_back(mo, await yard.leave(mo, "/me/provider")))
    assert taken.status_code == 409 and "belongs to an account" in taken.text
    assert (await kim.post("/me/provider/disconnection")).status_code == 303
    assert not await yard.rows("SELECT 1 FROM user_identity")


async def test_who_has_no_password_cannot_lose_the_only_way_in_and_confirms_there(yard: Yard) -> None:
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales"])
    client = await yard.browser()
    await yard.sign_in(client)
    await with_token(client)
    assert (await client.post("/me/provider/disconnection")).status_code == 409
    yard.world.clock.pass_time(11 * MINUTE)
    assert (await client.post("/me/provider/disconnection")).status_code in (303, 403)
    url = await yard.leave(client, "/me/confirm/provider", next="/me/security")
    assert "prompt=login" in url and "max_age=0" in url
    answer = await client.get(await yard.sent_back(client, url))
    assert (answer.status_code, answer.headers.get("location")) == (303, "/me/security"), answer.text
    assert (await client.post("/me/provider/disconnection")).status_code == 409, "proved, and still the only way in"


@pytest.mark.parametrize("wrong", ["old", "missing", "other"])
async def test_a_stale_or_strange_confirmation_proves_nothing(yard: Yard, wrong: str) -> None:
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales"])
    client = await yard.browser()
    await yard.sign_in(client)
    await with_token(client)
    proved = await yard.rows("SELECT max(proved_at) FROM session")
    if wrong == "other":
        yard.becomes("somebody", groups=["sales"])
    else:
        yard.provider.mend = lambda claims: {
            name: value - 4_000 if name == "auth_time" else value for name, value in claims.items()
            if name != "auth_time" or wrong == "old"}
    url = await yard.leave(client, "/me/confirm/provider", next="/me")
    answer = await client.get(await yard.sent_back(client, url))
    assert answer.status_code == 422 and await yard.rows("SELECT max(proved_at) FROM session") == proved


async def test_an_invitation_makes_the_account(yard: Yard) -> None:
    alice = await yard.known("alice")
    made = await alice.post("/w/acme/settings/invitations", data={"email": "Dana@example.com", "role": "viewer"})
    token = made.text.split("/invitations/")[1].split('"')[0].split("<")[0].split("&")[0]
    yard.becomes("erin")
    other = await yard.browser()
    assert (await yard.sign_in(other, next=f"/invitations/{token}")).status_code == 422, "somebody else's invitation"
    yard.becomes("dana")
    client = await yard.browser()
    assert "Join with Test Login" in (await client.get(f"/invitations/{token}")).text
    answer = await yard.sign_in(client, next=f"/invitations/{token}")
    assert answer.headers["location"] == "/w/acme", answer.text
    assert await yard.role("dana@example.com") == "viewer"
    # A membership by invitation is not the groups' to end.
    await yard.sign_in(await yard.browser())
    assert await yard.role("dana@example.com") == "viewer"


async def test_a_disabled_person_stays_out(yard: Yard) -> None:
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales"])
    await yard.sign_in(await yard.browser())
    async with yard.world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE user SET disabled_at = 1 WHERE by_provider")
    client = await yard.browser()
    assert (await yard.sign_in(client)).status_code == 422 and not await yard.is_in(client)


async def test_groups_that_were_left_out_are_not_none(yard: Yard) -> None:
    """Entra names a place to ask instead when there are many."""
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales"])
    await yard.sign_in(await yard.browser())
    yard.becomes("nora", _claim_names={"groups": "src1"})
    assert (await yard.sign_in(await yard.browser())).status_code == 422
    assert await yard.role("nora@example.com") == "agent"


async def test_a_new_key_is_looked_for_once(yard: Yard) -> None:
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales"])
    await yard.sign_in(await yard.browser())
    yard.world.clock.pass_time(MINUTE)
    yard.provider.key = new_key("of tomorrow")
    assert (await yard.sign_in(await yard.browser())).status_code == 303
    assert yard.provider.count("/keys") == 2
    published = yard.provider.key
    yard.provider.keys = [published]
    yard.provider.write = lambda claims: token_of(claims, new_key("of nobody"))
    for _ in range(3):
        assert (await yard.sign_in(await yard.browser())).status_code == 422
    assert yard.provider.count("/keys") == 2, "a moment ago is new enough"


async def _room_for(yard: Yard, members: int) -> None:
    async with yard.world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO workspace_quota (workspace_id, members, changed_at) VALUES (?1, ?2, 0) "
                         "ON CONFLICT (workspace_id) DO UPDATE SET members = ?2", yard.world.acme.workspace_id, members)


async def _told(yard: Yard, kind: str) -> list[tuple[str, str]]:
    return [tuple(row) for row in await yard.rows(
        "SELECT user.email, details_json FROM notice JOIN user ON user.id = user_id WHERE kind = ? ORDER BY 1", kind)]


async def test_groups_let_nobody_into_a_full_workspace(yard: Yard) -> None:
    """The operator's limit of members: whoever is kept out reads why, the admins hear of it once a day."""
    [(members,)] = await yard.rows("SELECT count(*) FROM membership WHERE workspace_id = ?",
                                   yard.world.acme.workspace_id)
    await _room_for(yard, members)
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["sales"])
    for _ in range(2):
        client = await yard.browser()
        refused = await yard.sign_in(client)
        assert refused.status_code == 422 and "as many members as it may have" in refused.text
        assert not await yard.is_in(client)
    assert not await yard.rows("SELECT 1 FROM user WHERE email = 'nora@example.com'"), "no account for nothing"
    told = await _told(yard, "workspace_full")
    assert told == [("alice@example.com", '{"workspace":"Acme","person":"Nora"}')]
    page = (await (await yard.known("alice")).get("/me/security")).text
    assert "would let somebody into a workspace" in page
    assert await yard.rows("SELECT count(*) FROM audit_event WHERE action = 'member.refused'") == [(2,)]
    await _room_for(yard, members + 1)
    assert (await yard.sign_in(await yard.browser())).status_code == 303
    assert await yard.role("nora@example.com") == "agent"


async def test_who_has_another_workspace_comes_in_and_hears_of_the_full_one(yard: Yard) -> None:
    await _room_for(yard, 1)
    await yard.rule("friends", "agent", workspace=yard.world.globex.workspace_id)
    await yard.rule("sales", "agent")
    yard.becomes("nora", groups=["friends", "sales"])
    client = await yard.browser()
    assert (await yard.sign_in(client)).status_code == 303 and await yard.is_in(client)
    assert await yard.role("nora@example.com", "globex") == "agent" and not await yard.role("nora@example.com")
    assert await _told(yard, "no_place_for_you") == [("nora@example.com", '{"workspace":"Acme"}')]
    assert len(await _told(yard, "workspace_full")) == 1
    # Who is in stays in, and is what the groups say, however full it is.
    yard.becomes("nora", groups=["friends"])
    assert (await yard.sign_in(await yard.browser())).status_code == 303
    # Without any place there is nothing to sign in to, although the account is there.
    yard.becomes("nora", groups=["sales"])
    refused = await yard.sign_in(await yard.browser())
    assert refused.status_code == 422 and "as many members as it may have" in refused.text
    assert not await yard.role("nora@example.com", "globex")
