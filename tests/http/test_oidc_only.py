"""The provider as the only way in, break-glass users, and second factors beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from chime.clock import MINUTE
from chime.config import load
from chime.errors import StartRefused
from chime.security.permissions import OPERATOR
from chime.security.second_factor import code_of, secret_bytes
from tests.http.inbox_setup import listening, until
from tests.http.oidc_setup import Yard, oidc_world, with_token
from tests.http.people_setup import id_of
from tests.support.world import PASSWORD


async def test_only_break_glass_users_get_in_with_a_password(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chime.accounts import identities, queries

    async with oidc_world(installation, tmp_path, monkeypatch, only=True) as yard:
        client = await yard.browser()
        page = (await client.get("/sign-in")).text
        assert "Sign in with Test Login" in page and "Sign in without it" in page
        answer = await client.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD})
        assert answer.status_code == 403 and "Test Login" in answer.text and not await yard.is_in(client)
        wrong = await client.post("/sign-in", data={"email": "kim@example.com", "password": "a wrong guess of one"})
        assert wrong.status_code == 422, "who does not know the password learns nothing"
        control = yard.world.services.control
        alice = await queries.user_by_email(control.db, "alice@example.com")
        assert alice is not None
        async with control.write(OPERATOR) as tx:
            await identities.set_break_glass(tx, alice.id, on=True)
        owner = await yard.known("alice")
        made = await owner.post("/w/acme/settings/invitations", data={"email": "dana@example.com", "role": "viewer"})
        token = made.text.split("/invitations/")[1].split('"')[0].split("<")[0].split("&")[0]
        assert 'name="password"' not in (await client.get(f"/invitations/{token}")).text
        forced = await client.post(f"/invitations/{token}", data={"name": "Dana", "password": PASSWORD})
        assert forced.status_code == 403 and not await yard.rows("SELECT 1 FROM user WHERE name = 'Dana'")
        await _connects(yard)
        async with control.write(OPERATOR) as tx:
            await identities.set_break_glass(tx, alice.id, on=False)
        assert (await client.post("/sign-in", data={"email": "alice@example.com",
                                                    "password": PASSWORD})).status_code == 403


async def _connects(yard: Yard) -> None:
    """Who had an account before proves it once, coming from the provider."""
    yard.becomes("kim-there", email="kim@example.com")
    client = await yard.browser()
    assert "Is this your account?" in (await yard.sign_in(client)).text
    assert (await client.post("/sign-in", data={"email": "mo@example.com", "password": PASSWORD})).status_code == 403
    assert (await client.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD})).status_code == 303
    assert (await (await with_token(client)).post("/me/provider/offer")).status_code == 303
    assert (await yard.sign_in(await yard.browser())).status_code == 303
    assert (await (await yard.browser()).post("/sign-in", data={
        "email": "kim@example.com", "password": PASSWORD})).status_code == 403


async def test_password_sessions_end_when_the_provider_is_the_only_way_in(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chime.accounts import identities, sign_in

    async with oidc_world(installation, tmp_path, monkeypatch, only=True) as yard:
        control, ids, now = yard.world.services.control, yard.world.services.ids, yard.world.clock.real_now()
        who = {name: await id_of(yard.world, name) for name in ("alice", "kim", "mo")}
        async with control.write(OPERATOR) as tx:
            for name in ("alice", "kim"):
                await identities.set_break_glass(tx, who[name], on=True)
            # As they stood when Chime was stopped to be told so.
            for factors in ("password", "password,totp", "passkey"):
                await sign_in(tx, ids, user_id=who["mo"], address="", agent="", now=now, factors=factors)
            await sign_in(tx, ids, user_id=who["mo"], address="", agent="", now=now, factors="password,oidc_mfa")
        await yard.rule("sales", "agent")
        yard.becomes("nora", groups=["sales"])
        nora = await yard.browser()
        await yard.sign_in(nora)
        alice, kim = await yard.known("alice"), await yard.known("kim")

        async def left(name: str) -> list[str]:
            return [row[0] for row in await yard.rows("SELECT factors FROM session WHERE user_id = ?", who[name])]

        await until(lambda: _is(left("mo"), ["password,oidc_mfa"]), 2)
        async with listening(kim, yard.world.acme) as stream:
            async with control.write(OPERATOR) as tx:
                await identities.set_break_glass(tx, who["kim"], on=False)
            await asyncio.wait_for(stream.ended.wait(), 2)
        assert not await yard.is_in(kim) and await left("kim") == []
        assert await yard.is_in(alice) and await yard.is_in(nora)
        ended = await yard.rows("SELECT count(*) FROM audit_event WHERE action = 'session.ended' "
                                "AND actor_kind = 'system'")
        assert ended == [(4,)]


async def test_who_comes_from_the_provider_may_accept_their_account_for_ten_minutes(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with oidc_world(installation, tmp_path, monkeypatch, only=True) as yard:
        waiting, connected = await yard.browser(), await yard.browser()
        for client, name in ((waiting, "kim"), (connected, "mo")):
            yard.becomes(f"{name}-there", email=f"{name}@example.com")
            assert "Is this your account?" in (await yard.sign_in(client)).text
            await client.post("/sign-in", data={"email": f"{name}@example.com", "password": PASSWORD})
        await with_token(connected)
        assert (await connected.post("/me/provider/offer")).status_code == 303
        await asyncio.sleep(1.5)
        assert await yard.is_in(waiting) and await yard.is_in(connected)
        yard.world.clock.pass_time(11 * MINUTE)
        await until(lambda: _is(yard.is_in(waiting), False), 2)
        assert await yard.is_in(connected)


async def _is(asked: Awaitable[Any], expected: Any) -> bool:
    found: bool = await asked == expected
    return found


@pytest.mark.parametrize("trusts", [False, True])
async def test_a_second_factor_there_counts_only_when_the_operator_says_so(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusts: bool) -> None:
    async with oidc_world(installation, tmp_path, monkeypatch, trusts_mfa=trusts) as yard:
        await yard.rule("sales", "agent")
        async with yard.world.services.control.ingest("test") as tx:
            await tx.execute("INSERT INTO workspace_policy (workspace_id, policy_json) VALUES (?, ?)",
                             yard.world.acme.workspace_id, '{"second_factor_roles":["agent"]}')
        for claims, enough in (({}, False), ({"amr": ["pwd"]}, False), ({"amr": ["pwd", "mfa"]}, trusts),
                               ({"amr": "mfa"}, trusts), ({"acr": "urn:example:mfa"}, trusts),
                               ({"acr": "nomfa"}, False), ({"amr": {"mfa": True}}, False)):
            yard.becomes("nora", groups=["sales"], **claims)
            client = await yard.browser()
            assert (await yard.sign_in(client)).status_code == 303
            answer = await client.get("/w/acme/inbox")
            assert answer.status_code == (200 if enough else 303), claims
            if not enough:
                assert answer.headers["location"] == "/me/second-factor"


async def test_who_has_a_factor_here_shows_it_also_after_the_provider(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chime.accounts import second_factor

    async with oidc_world(installation, tmp_path, monkeypatch, only=True) as yard:
        await yard.rule("sales", "agent")
        yard.becomes("nora", groups=["sales"])
        await yard.sign_in(await yard.browser())
        control, ids = yard.world.services.control, yard.world.services.ids
        [(user_id,)] = await yard.rows("SELECT id FROM user WHERE by_provider")
        now = yard.world.clock.real_now()
        async with control.write(OPERATOR) as tx:
            await second_factor.begin_app(tx, ids, control.vault, user_id)
            secret = secret_bytes(str(await second_factor.waiting_secret(tx, control.vault, user_id)))
            await second_factor.confirm_app(tx, control.vault, user_id, code_of(secret, now // 30_000 - 1), now)
        client = await yard.browser()
        answer = await yard.sign_in(client, next="/me/sessions")
        assert answer.headers["location"] == "/sign-in/second-step" and not await yard.is_in(client)
        shown = await client.post("/sign-in/second-step", data={"code": code_of(secret, now // 30_000)})
        assert shown.headers["location"] == "/me/sessions", shown.text
        assert await yard.rows("SELECT factors FROM session ORDER BY created_at DESC, id DESC LIMIT 1") == [
            ("oidc,totp",)]


async def test_the_doctor_says_what_is_wrong_with_the_provider(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chime.doctor import machinery
    from tests.http.doctor_setup import doctor

    async with oidc_world(installation, tmp_path, monkeypatch, only=True) as yard:
        ground = doctor(yard.world).ground
        found = await machinery.provider(ground)
        assert [(check.name, check.ok) for check in found] == [("sign-in provider", True), ("break-glass", False)]
        assert "chime user break-glass" in found[1].what_to_do
        yard.provider.document = {"issuer": f"{yard.provider.issuer}/"}
        yard.world.app.state.provider._document = None  # what it said before counts for an hour
        found = await machinery.provider(ground)
        assert not found[0].ok and "letter by letter" in found[0].what_to_do


GOOD = {"CHIME_OIDC_ISSUER": "https://login.example.com/realms/main", "CHIME_OIDC_CLIENT_ID": "chime",
        "CHIME_PUBLIC_URL": "https://chime.example.com"}


@pytest.mark.parametrize(("changed", "named"), [
    ({"CHIME_OIDC_ISSUER": "http://login.example.com"}, "OIDC_ISSUER"), ({"CHIME_OIDC_ISSUER": ""}, "OIDC_ISSUER"),
    ({"CHIME_OIDC_ISSUER": "https://a@b.example"}, "OIDC_ISSUER"), ({"CHIME_OIDC_CLIENT_ID": ""}, "CLIENT_ID"),
    ({"CHIME_OIDC_ISSUER": "https://b.example/?x"}, "OIDC_ISSUER"), ({"CHIME_PUBLIC_URL": ""}, "PUBLIC_URL"),
    ({"CHIME_OIDC_SCOPES": "email"}, "SCOPES"), ({"CHIME_OIDC_ONLY": "perhaps"}, "OIDC_ONLY"),
])
def test_half_a_configuration_stops_the_start(changed: dict[str, str], named: str) -> None:
    with pytest.raises(StartRefused, match=named):
        load(environment=GOOD | changed)


def test_the_secret_comes_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("a very secret secret\n")
    config = load(environment=GOOD | {"CHIME_OIDC_CLIENT_SECRET_FILE": str(path)})
    assert config.oidc is not None and config.oidc.client_secret == "a very secret secret"
    assert "very secret" not in f"{config!r} {config.oidc!r} {config.settings!r}"


def test_the_command_gives_and_takes(installation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    import base64
    import shutil

    from chime.cli import run
    from tests.support.world import MASTER_KEY

    shutil.copytree(installation, tmp_path / "data")
    monkeypatch.setenv("CHIME_MASTER_KEY", base64.b64encode(MASTER_KEY).decode())
    arguments: list[Any] = ["user", "break-glass", "--data", str(tmp_path / "data"), "--json", "--email"]
    assert run([*arguments, "alice@example.com"]) == 0 and '"break_glass":true' in capsys.readouterr().out
    monkeypatch.setenv("CHIME_MASTER_KEY", base64.b64encode(MASTER_KEY).decode())
    assert run([*arguments, "nobody@example.com"]) == 1
    monkeypatch.setenv("CHIME_MASTER_KEY", base64.b64encode(MASTER_KEY).decode())
    assert run([*arguments, "alice@example.com", "--off"]) == 0 and '"break_glass":false' in capsys.readouterr().out
