"""Signing in with a provider when somebody lies: the browser, another browser, the provider, the network between.

Each lie must end without a session, without an account, with words and a reference, and with nothing of it in a log.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from chime.clock import MINUTE, SECOND
from tests.http.oidc_setup import Yard, oidc_world, with_token
from tests.support.oidc_provider import CLIENT_SECRET, new_key, signed_with_secret, text, token_of
from tests.support.world import PASSWORD


@pytest.fixture
async def yard(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Yard]:
    async with oidc_world(installation, tmp_path, monkeypatch) as found:
        await found.rule("sales", "agent")
        found.becomes("nora", groups=["sales"])
        yield found


async def refused(yard: Yard, client: httpx.AsyncClient, answer: httpx.Response, status: int = 422) -> None:
    assert answer.status_code == status and "Reference" in answer.text, (answer.status_code, answer.text)
    assert not await yard.is_in(client)
    assert not await yard.rows("SELECT 1 FROM user WHERE by_provider")


async def test_a_state_is_of_one_browser_one_answer_and_ten_minutes(yard: Yard) -> None:
    """META-6: replayed, expired, foreign, made up, missing, twice."""
    ana, eve = await yard.browser(), await yard.browser()
    back = await yard.sent_back(ana, await yard.leave(ana))
    query = parse_qs(urlsplit(back).query)
    code, state = query["code"][0], query["state"][0]
    await yard.leave(eve)
    path = "/sign-in/provider/answer"
    await refused(yard, eve, await eve.get(back))  # a link with the victim's answer, or the attacker's to a victim
    await yard.leave(eve)
    for sent in ({"code": code}, {"code": code, "state": ""}, {"code": code, "state": state[:-1]},
                 {"code": code, "state": state + "A"}, {"code": code, "state": "x" * 10_000},
                 {"code": code, "state": "\u00e9"}, {"state": state}, {}):
        await refused(yard, eve, await eve.get(f"{path}?{urlencode(sent)}"))
    await refused(yard, eve, await (await yard.browser()).get(back))
    twice = f"{path}?{urlencode({'code': code, 'state': state})}&{urlencode({'state': state})}"
    assert yard.provider.count("/token") == 0, "no code went anywhere"
    stored = ana.cookies["chime-provider"]
    assert (await ana.get(twice)).status_code == 422
    ana.cookies.set("chime-provider", stored, domain="127.0.0.1")
    assert (await ana.get(back)).status_code == 303, "what others, or wrong answers, tried ended nothing"
    for client in (ana, await yard.browser()):
        client.cookies.clear()
        client.cookies.set("chime-provider", stored, domain="127.0.0.1")
        assert (await client.get(back)).status_code == 422, "used up"
        assert not await yard.is_in(client)
    assert yard.provider.count("/token") == 1
    late = await yard.browser()
    back = await yard.sent_back(late, await yard.leave(late))
    yard.world.clock.pass_time(10 * MINUTE + SECOND)
    assert (await late.get(back)).status_code == 422 and not await yard.is_in(late)


async def test_of_many_answers_at_the_same_moment_one_counts(yard: Yard) -> None:
    client = await yard.browser()
    back = await yard.sent_back(client, await yard.leave(client))
    browsers = [await yard.browser() for _ in range(12)]
    for browser in browsers:
        browser.cookies.update(client.cookies)
    answers = await asyncio.gather(*(browser.get(back) for browser in browsers))
    assert sorted(answer.status_code for answer in answers) == [303] + [422] * 11
    assert yard.provider.count("/token") == 1


async def test_a_code_of_another_sign_in_is_worth_nothing(yard: Yard) -> None:
    """Injected: right state of the attacker's browser, code that was made for the victim. PKCE stands in the way."""
    victim, eve = await yard.browser(), await yard.browser()
    stolen = parse_qs(urlsplit(await yard.sent_back(victim, await yard.leave(victim))).query)["code"][0]
    own = parse_qs(urlsplit(await yard.sent_back(eve, await yard.leave(eve))).query)["state"][0]
    answer = await eve.get(f"/sign-in/provider/answer?{urlencode({'code': stolen, 'state': own})}")
    await refused(yard, eve, answer)


async def test_every_lie_in_a_token_is_refused_and_nothing_of_it_logged(
        yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider, other = yard.provider, new_key("first")
    none = lambda claims: ".".join((  # noqa: E731
        text(b'{"alg":"none"}'), text(json.dumps(claims).encode()), ""))
    public = json.dumps(provider.key.jwk).encode()
    lies: list[tuple[str, Any]] = [
        ("nonce", lambda claims: token_of(claims | {"nonce": "another"}, provider.key)),
        ("audience", lambda claims: token_of(claims | {"aud": "another client"}, provider.key)),
        ("party", lambda claims: token_of(claims | {"aud": [claims["aud"], "x"], "azp": "x"}, provider.key)),
        ("issuer", lambda claims: token_of(claims | {"iss": "https://issuer.example"}, provider.key)),
        ("algorithm", none),
        ("algorithm", lambda claims: signed_with_secret(claims, provider.key, public)),
        ("algorithm", lambda claims: signed_with_secret(claims, provider.key, CLIENT_SECRET.encode())),
        ("expired", lambda claims: token_of(claims | {"exp": claims["iat"] - 100}, provider.key)),
        ("issued_at", lambda claims: token_of(claims | {"iat": claims["iat"] - 700}, provider.key)),
        ("signature", lambda claims: token_of(claims, other)),
        ("unknown_key", lambda claims: token_of(claims, other, kid="another")),
        ("unreadable", lambda claims: "no token at all"),
        ("access_token", lambda claims: token_of(claims | {"at_hash": "AAAA"}, provider.key)),
        ("email_unproven", lambda claims: token_of(claims | {"email_verified": False}, provider.key)),
    ]
    for _, lie in lies:
        provider.write = lie
        client = await yard.browser()
        await refused(yard, client, await yard.sign_in(client))
    told = await yard.rows("SELECT json_extract(details_json, '$.reason') FROM audit_event "
                           "WHERE action = 'session.refused' ORDER BY sequence")
    assert [row[0] for row in told] == [reason for reason, _ in lies]
    logged = "\n".join(f"{record.getMessage()} {getattr(record, 'fields', '')}" for record in caplog.records
                       if record.name.startswith("chime"))
    assert "oidc.refused" in logged
    for secret in ("nora", CLIENT_SECRET, "an access token", "eyJ", *provider.codes):
        assert secret not in logged


async def test_the_way_back_is_the_public_address_whatever_a_request_calls_us(yard: Yard) -> None:
    """Host poisoning: SSRF-4."""
    client = await yard.browser()
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"},
                    {"X-Forwarded-Proto": "https", "X-Original-URL": "https://evil.example/"},
                    {"Host": "evil.example", "Origin": "http://evil.example"}):
        page = await client.post("/sign-in/provider", data={"redirect_uri": "https://evil.example/",
                                                            "next": "https://evil.example/"}, headers=headers)
        assert "evil.example" not in page.text
        if page.status_code == 200:
            assert urlencode({"redirect_uri": f"{yard.world.base}/sign-in/provider/answer"}) in page.text
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert (await client.post("/sign-in/provider", headers=headers)).status_code == 403, "nobody else begins it"
    # `next` is a path of ours or nothing.
    answer = await yard.sign_in(client, next="//evil.example/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize("document", [
    {"issuer": "https://other.example"}, {"token_endpoint": "https://evil.example/token"},
    {"jwks_uri": "https://evil.example/keys"}, {"authorization_endpoint": "https://evil.example/authorize"},
    {"token_endpoint": "http://localhost/token"}, {"token_endpoint": "https://localhost:1/token"},
    {"token_endpoint": "https://127.0.0.1/token"}, {"jwks_uri": "https://169.254.169.254/keys"},
    {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": 5},
], ids=lambda document: next(iter(document.items()))[1])
async def test_codes_and_keys_go_only_where_the_issuer_is(yard: Yard, document: dict[str, Any]) -> None:
    yard.provider.document = document
    client = await yard.browser()
    answer = await client.post("/sign-in/provider")
    await refused(yard, client, answer, 503)
    assert "evil" not in answer.text and "javascript:" not in answer.text
    assert (await client.get("/sign-in")).status_code == 200, "passwords go on working"
    assert (await client.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD})).status_code == 303


async def test_a_provider_that_is_huge_or_broken_or_says_no(yard: Yard) -> None:
    provider = yard.provider
    provider.huge = {"/token"}
    client = await yard.browser()
    await refused(yard, client, await yard.sign_in(client), 503)
    provider.huge = {"/keys"}
    client = await yard.browser()
    await refused(yard, client, await yard.sign_in(client), 503)
    provider.huge = set()
    client = await yard.browser()
    state = parse_qs(urlsplit(await yard.leave(client)).query)["state"][0]
    said = {"error": "access_denied", "error_description": "<script>alert(1)</script> call 555 now", "state": state}
    answer = await client.get(f"/sign-in/provider/answer?{urlencode(said)}")
    await refused(yard, client, answer)
    assert "script>alert" not in answer.text and "555" not in answer.text
    client = await yard.browser()
    back = await yard.sent_back(client, await yard.leave(client))
    await refused(yard, client, await client.get(f"{back}&iss=https%3A%2F%2Fother.example"))
    client = await yard.browser()
    back = await yard.sent_back(client, await yard.leave(client))
    assert (await client.get(f"{back}&iss={provider.issuer}")).status_code == 303


async def test_a_slow_provider_holds_up_nobody_else(yard: Yard) -> None:
    yard.world.services.egress._total = 1.0
    yard.provider.delay = {"/.well-known/openid-configuration": 30}
    client, kim = await yard.browser(), await yard.browser()
    waiting = asyncio.create_task(client.post("/sign-in/provider"))
    answer = await kim.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD})
    assert answer.status_code == 303 and not waiting.done()
    await refused(yard, client, await waiting, 503)
    # What failed a moment ago is not waited for again; half a minute later it is.
    again = await asyncio.wait_for(client.post("/sign-in/provider"), 0.8)
    assert again.status_code == 503 and yard.provider.count("/.well-known/openid-configuration") == 1
    yard.provider.delay = {}
    yard.world.clock.pass_time(31 * SECOND)
    assert (await yard.sign_in(client)).status_code == 303


async def test_an_operator_lets_nobody_into_a_workspace_alone(yard: Yard) -> None:
    """The rule of somebody who is no member waits; an admin cannot agree to an admin; an owner can, and can end it."""
    async with yard.world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE user SET is_operator = email = 'charlie@example.com'")
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = (SELECT id FROM user "
                         "WHERE email = 'kim@example.com')")
    charlie, kim, alice = await yard.known("charlie"), await yard.known("kim"), await yard.known("alice")
    new = {"group": "ops", "workspace_id": yard.world.acme.workspace_id, "role": "admin"}
    assert (await alice.post("/installation/sign-in/rules", data=new)).status_code == 403
    assert (await charlie.post("/installation/sign-in/rules", data=new)).headers["location"].endswith("waits")
    assert "Waits for the workspace" in (await charlie.get("/installation/sign-in")).text
    yard.becomes("charlie-there", groups=["ops"])
    client = await yard.browser()
    await refused(yard, client, await yard.sign_in(client))
    [(rule_id,)] = await yard.rows("SELECT id FROM group_role WHERE group_name = 'ops'")
    one = f"/w/acme/settings/sign-in/{rule_id}"
    assert (await charlie.post(f"{one}/agreement")).status_code == 404
    assert (await (await yard.known("mo")).post(f"{one}/agreement")).status_code == 403
    assert (await kim.post(f"{one}/agreement")).status_code == 403, "no more than one holds, and only below"
    assert (await charlie.post(f"/w/globex/settings/sign-in/{rule_id}/agreement")).status_code == 404
    assert "Waits for you" in (await alice.get("/w/acme/settings/sign-in")).text
    assert (await alice.post(f"{one}/agreement")).status_code == 303
    assert (await yard.sign_in(client)).status_code == 303
    assert await yard.role("charlie-there@example.com") == "admin"
    assert (await alice.post(f"{one}/refusal")).status_code == 303
    await yard.sign_in(client)
    assert await yard.role("charlie-there@example.com") == ""
    # In a workspace of their own an operator has agreed by writing the rule.
    own = new | {"workspace_id": yard.world.globex.workspace_id, "role": "owner"}
    assert (await charlie.post("/installation/sign-in/rules", data=own)).headers["location"].endswith("holds")
    for wrong in ({"role": "god"}, {"group": " "}, {"group": "x" * 201}, {"workspace_id": "none"}):
        assert (await charlie.post("/installation/sign-in/rules", data=own | wrong)).status_code == 422
    assert (await charlie.post("/installation/sign-in/rules", data=own)).status_code == 409
    await with_token(charlie)
