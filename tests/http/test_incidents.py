"""What went wrong in products like this one, done again to ours: thirty known incidents, each the attack itself and the
harm that must not come of it. Here are those about who may do what; the others are in `test_incidents_of_machinery`.

`INCIDENTS` names them all, in the order of the threat model, and the last test counts.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import importlib
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from chime.security.signatures import signature
from tests.http.account_setup import with_token
from tests.http.all_routes import NOTHING, addresses
from tests.http.data_setup import ask, decide
from tests.http.inbox_setup import PHONE, indexed, rows, talk
from tests.http.oidc_setup import oidc_world
from tests.http.people_setup import browser, control, id_of, invited, membership, signed_up
from tests.http.test_limits import hold
from tests.http.test_permissions import stored
from tests.support.webhook_bodies import DANA, body, inbound, text
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, APP_SECRET, PASSWORD, VERIFY_TOKEN, World

INCIDENTS: dict[str, str] = {
    "P1": "A WhatsApp webhook whose signature nobody checked; ids in its address were the only secret",
    "P2": "A query parameter replaced the workspace that the guard had checked",
    "P3": "A switch that hides credentials hid two of three",
    "P4": "A list of API keys also held rows that belong to no key, of all workspaces",
    "P5": "A public default secret signed the sessions, and signing out ended none",
    "P6": "An owner who was invited and never confirmed could purge the organisation",
    "P7": "The sibling of a checked endpoint skipped its check",
    "P8": "The same token by another carrier was good for everything",
    "P9": "A whole family of routes forgot to ask for the token’s scope",
    "P10": "Headers that name a signed-in person were believed from anybody",
    "P11": "A rate limit counted by an address that the caller writes",
    "P12": "An invitation to one organisation opened another one on the same server",
    "P13": "One invitation made several accounts, with an edited cookie",
    "P14": "A support bundle of any organisation could be fetched by its id",
    "P15": "Sites that nobody listed were allowed to read with credentials",
    "P16": "An outside identity was joined to an account by an address nobody had proven",
    "P17": "Filtering by a hidden field told it letter by letter",
    "P18": "A panic in a background worker took the process down",
    "P19": "A JSON body posed as an uploaded file and named one of the server’s",
    "P20": "The way back from a sign-in took the host from a parameter and a state that never ended",
    "P21": "An address that people type led to the machine’s metadata, and its answer came back",
    "P22": "Headers that people choose made a request go inside",
    "P23": "A password reset took a list of addresses and mailed the link to all",
    "P24": "The first-run wizard belonged to whoever came first; tokens stood in addresses",
    "P25": "Templates that customers write ran on the server",
    "P26": "A form of endlessly many parts kept the server busy",
    "P27": "Escape sequences reached the log, and line breaks a header",
    "P28": "A message was sent or handled twice after a lost reply",
    "P29": "Encrypted values could be swapped between rows",
    "P30": "SQLite’s write-ahead log was reset under another connection, and the file was malformed",
}


async def count(world: World, table: str) -> int:
    return int((await rows(world, world.acme, f"SELECT count(*) FROM {table}"))[0][0])


async def test_p01_an_unsigned_webhook_brings_nothing(world: World) -> None:
    raw = json.dumps(body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.P1", 1, "from Mallory")))).encode()
    sha1 = "sha1=" + hmac.new(APP_SECRET.encode(), raw, hashlib.sha1).hexdigest()
    everything_but_the_secret: tuple[dict[str, str], ...] = (
        {}, {"X-Hub-Signature-256": ""}, {"X-Hub-Signature-256": "sha256="}, {"X-Hub-Signature": sha1},
        {"X-Hub-Signature-256": signature(world.acme.workspace_id.encode(), raw)},
        {"X-Hub-Signature-256": signature(world.acme.channel_id.encode(), raw)},
        {"X-Hub-Signature-256": signature(VERIFY_TOKEN.encode(), raw)})
    mallory = await browser(world)
    query = {"workspace_id": world.acme.workspace_id, "channel_id": world.acme.channel_id}
    for headers in everything_but_the_secret:
        answer = await mallory.post(world.acme.webhook_path, content=raw, params=query, headers=headers)
        assert answer.status_code == 401, headers
    await world.settle()
    assert await count(world, "message") == 0
    assert (await world.webhook(raw)).status_code == 200
    await world.settle()
    assert await count(world, "message") == 1, "what the app signed is taken"


async def test_p02_a_query_parameter_does_not_replace_the_workspace(world: World) -> None:
    maya, theirs = await talk(world, "for Acme"), await talk(world, "for Globex", tenant=world.globex, name="Grace",
                                                             phone="14155550199")
    other = {name: value for name in ("workspace", "slug", "instance", "tenant", "id")
             for value in (world.globex.slug, world.globex.workspace_id)} | {"workspace_id": world.globex.workspace_id}
    alice = await world.session("alice")
    for path in (f"{maya.workspace_base}/inbox", f"{maya.workspace_base}/inbox/list", maya.base):
        page = (await alice.get(path, params=other)).text
        assert "Maya Chen" in page and "Grace" not in page, path
    assert (await alice.get(f"{maya.workspace_base}/inbox/{theirs.id}", params=other)).status_code == 404
    await alice.post(f"{maya.base}/messages", params=other, data={"type": "text", "text": "hello", **other})
    async with world.client(await world.key(world.acme)) as script:
        for path in ("/api/v1/contacts", "/api/v1/conversations"):
            assert "Grace" not in (await script.get(path, params=other)).text
            assert "Grace" not in (await script.get(path, headers={"X-Workspace": world.globex.slug})).text
        refused = await script.post("/api/v1/tags", json={"name": "stolen", "workspace_id": world.globex.workspace_id})
        assert refused.status_code == 422 and "workspace_id" in refused.text
    await world.settle()
    assert [message.text for message in await maya.sent()] == ["hello"]
    assert await theirs.sent() == [] and await rows(world, world.globex, "SELECT * FROM tag") == []


async def test_p03_no_credential_is_shown_not_even_the_third(world: World) -> None:
    alice = await world.session("alice")
    page = "/w/acme/settings/channels"
    async with world.client(await world.key(world.acme)) as script:
        answers = [await alice.get(page), await alice.get(f"{page}/{world.acme.channel_id}"),
                   await alice.get(f"{page}/new"), await alice.post(f"{page}/{world.acme.channel_id}/checks"),
                   await script.get("/api/v1/channels"), await script.get("/api/v1/audit-events")]
    assert all(answer.status_code < 400 for answer in answers), answers
    assert ACCESS_TOKEN[-4:] in answers[1].text, "its last four characters tell which one it is"
    for secret in (ACCESS_TOKEN, APP_SECRET, VERIFY_TOKEN):
        for answer in answers:
            assert secret not in answer.text and base64.b64encode(secret.encode()).decode() not in answer.text


async def test_p04_a_list_of_keys_holds_this_workspaces_keys_and_nothing_else(world: World) -> None:
    for tenant in (world.acme, world.globex):
        await world.key(tenant)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE api_key SET made_by = NULL, public_id = NULL")  # rows without an owner or a key
    ours, theirs = [{row[0] for row in await control(world, "SELECT id FROM api_key WHERE workspace_id = ?",
                                                     tenant.workspace_id)} for tenant in (world.acme, world.globex)]
    async with world.client(await world.key(world.acme)) as script:
        listed = {item["id"] for item in (await script.get("/api/v1/api-keys", params={"limit": 200})).json()["items"]}
        assert listed > ours and not listed & theirs, "ours and the one that asks"
        for key_id in theirs:
            assert (await script.delete(f"/api/v1/api-keys/{key_id}")).status_code == 404
    page = (await (await world.session("alice")).get("/w/acme/settings/api-keys")).text
    assert all(key_id in page for key_id in ours) and not any(key_id in page for key_id in theirs)
    nobody = await browser(world)
    for token in ("Bearer", "Bearer null", "Bearer undefined", "Bearer None", "Bearer chime_", "null"):
        answer = await nobody.get("/api/v1/api-keys", headers={"Authorization": token})
        assert answer.status_code == 401, token


def _jwt(claims: dict[str, Any], secret: str | None) -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "none" if secret is None else "HS256", "typ": "JWT"}).encode())
    signed = f"{head}.{part(json.dumps(claims).encode())}"
    mac = b"" if secret is None else hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{part(mac)}"


async def test_p05_no_known_secret_makes_a_session_and_signing_out_ends_them(world: World) -> None:
    claims = {"id": await id_of(world, "alice"), "sub": "alice@example.com", "role": "owner", "tokenVersion": 0,
              "companyId": world.acme.workspace_id}
    for secret in (None, "", "mysecret", "mysuperkey", "secret", "changeme", "chime", world.acme.workspace_id):
        forged = _jwt(claims, secret)
        async with httpx.AsyncClient(base_url=world.base, cookies={"chime": forged}) as eve:
            assert (await eve.get("/w/acme/inbox")).status_code == 303, secret
            bearer = {"Authorization": f"Bearer {forged}"}
            assert (await eve.get("/api/v1/contacts", headers=bearer)).status_code == 401, secret
    kim = await world.session("kim")
    async with (httpx.AsyncClient(base_url=world.base, cookies=kim.cookies) as copied,
                httpx.AsyncClient(base_url=world.base) as elsewhere):
        await elsewhere.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD})
        assert [(await one.get("/me")).status_code for one in (copied, elsewhere)] == [200, 200]
        new = "a brand new sentence of kim"
        await kim.post("/me/password", data={"current": PASSWORD, "password": new, "again": new})
        assert [(await one.get("/me")).status_code for one in (copied, elsewhere)] == [303, 303]
        copied.cookies = httpx.Cookies(kim.cookies)
        assert (await copied.get("/me")).status_code == 200
        await with_token(kim)
        assert (await kim.post("/sign-out")).status_code == 303
        assert (await copied.get("/me")).status_code == 303


async def test_p06_an_unconfirmed_owner_purges_nothing(world: World) -> None:
    dana = await signed_up(world, await invited(world, "dana", "owner"))
    assert await membership(world, "dana") == ("owner", "unconfirmed")
    maya = await talk(world)
    for path, fields in (("settings/erasure", {"name": "Acme"}), (f"contacts/{maya.contact_id}/erasure", {}),
                         ("settings/exports/contacts", {"format": "csv"}), ("settings/general", {"name": "Dana’s"}),
                         (f"settings/members/{await id_of(world, 'alice')}/removal", {}),
                         (f"settings/members/{await id_of(world, 'dana')}/confirmation", {})):
        assert (await dana.post(f"/w/acme/{path}", data=fields)).status_code in (403, 404), path
    assert await control(world, "SELECT * FROM workspace_erasure") == []
    assert await control(world, "SELECT name FROM workspace WHERE slug = 'acme'") == [("Acme",)]
    assert await membership(world, "alice") == ("owner", "active") and await count(world, "contact") == 1
    alice = await world.session("alice")
    assert (await alice.post("/w/acme/settings/erasure", data={"name": "Acme"})).status_code == 303, "an owner may"


async def test_p07_every_sibling_of_an_endpoint_asks_the_same(world: World) -> None:
    """Whatever can be done to a contact or a conversation, a stranger does by no path and no verb."""
    maya = await talk(world)
    before = await stored(world)
    places = {f"/{kind}/{NOTHING}": f"/{kind}/{known}" for kind, known in (
        ("contacts", maya.contact_id), ("inbox", maya.id), ("conversations", maya.id))}
    charlie, asked = await world.session("charlie"), set()
    wish = {"name": "stolen", "type": "text", "text": "stolen", "marketing": "opted_out", "state": "closed"}
    async with world.client(await world.key(world.globex)) as script:
        for slug in ("acme", "globex"):
            for address in addresses(slug):
                ours = next((place for place in places if place in address.path), None)
                if ours is None or (address.api and slug == "acme"):
                    continue
                path = address.path.replace(ours, places[ours])
                client = script if address.api else charlie
                payload: dict[str, Any] = {"json" if address.api else "data": wish} if address.changes else {}
                answer = await client.request(address.method, path, **payload)
                nothing = await client.request(address.method, address.path, **payload)
                assert answer.status_code == nothing.status_code, (address.method, path, answer.status_code)
                assert slug == "globex" or answer.status_code == 404, (address.method, path)
                assert "Maya" not in answer.text and answer.status_code < 500, (address.method, path)
                asked.add((address.method, address.path))
    assert len(asked) > 40 and {method for method, _ in asked} == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    after = await stored(world)
    ours = r"acme\.(?!audit|search|message_day|(un)?indexed|\w+_words|meta|proof)"
    kept = [name for name in after if re.match(ours, name)]
    assert len(kept) > 20 and not [name for name in kept if after[name] != before[name]]


async def test_p08_a_key_is_no_more_by_another_carrier(world: World) -> None:
    narrow = await world.key(world.acme, "contacts:read")
    basic = [base64.b64encode(pair.encode()).decode() for pair in (f"{narrow}:", f":{narrow}", f"alice:{narrow}",
                                                                   f"{narrow}:x-oauth-basic")]
    carriers: list[dict[str, Any]] = [
        *({"headers": {"Authorization": f"Basic {text}"}} for text in basic),
        *({"headers": {"Authorization": f"{word} {narrow}"}} for word in ("Token", "token", "Key", "Digest")),
        *({"headers": {name: narrow}} for name in ("X-API-Key", "X-Auth-Token", "Private-Token", "Api-Key")),
        *({"params": {name: narrow}} for name in ("access_token", "token", "key", "api_key", "apikey")),
        {"cookies": {"chime": narrow}}, {"cookies": {"__Host-chime": narrow}}]
    for carrier in carriers:
        async with httpx.AsyncClient(base_url=world.base, **carrier) as script:
            for path, status in (("/api/v1/contacts", 401), ("/api/v1/conversations", 401), ("/w/acme/inbox", 303)):
                assert (await script.get(path)).status_code == status, (carrier, path)
    async with world.client(narrow) as script:
        assert (await script.get("/api/v1/contacts")).status_code == 200
        assert (await script.get("/api/v1/conversations")).status_code == 403
        async with world.services.control.ingest("test") as tx:
            await tx.execute("UPDATE api_key SET scopes = ''")
        assert (await script.get("/api/v1/contacts")).status_code == 403, "no scope is no permission"
        async with world.services.control.ingest("test") as tx:
            await tx.execute("UPDATE api_key SET scopes = 'contacts:read,of:the_future'")
        assert (await script.get("/api/v1/contacts")).status_code == 200, "after a way back to an older version"
        assert (await script.get("/api/v1/conversations")).status_code == 403


async def test_p09_every_family_of_routes_asks_for_the_scope(world: World) -> None:
    calls = [address for address in addresses("acme") if address.api]
    families = {address.path.split("/")[3] for address in calls}
    assert len(families) >= 12 and "api-keys" in families and "audit-events" in families
    async with world.client(await world.key(world.acme, "tags:edit")) as script:
        for address in calls:
            answer = await script.request(address.method, address.path, **({"json": {}} if address.changes else {}))
            reached = (404, 422) if address.changes else (200,)  # what is not there, or an empty body
            wanted = reached if address.opt["permission"] == "tags:edit" else (403,)
            assert answer.status_code in wanted, (address.method, address.path, answer.status_code)


async def test_p10_a_header_signs_nobody_in(world: World) -> None:
    names = ("X-WEBAUTH-USER", "X-WEBAUTH-EMAIL", "Remote-User", "X-Remote-User", "X-Forwarded-User",
             "X-Forwarded-Email", "X-Auth-Request-Email", "X-Authenticated-User", "X-Goog-Authenticated-User-Email",
             "Cf-Access-Authenticated-User-Email", "X-User", "X-User-Id", "X-Chime-User", "X-MS-CLIENT-PRINCIPAL-NAME")
    for value in ("alice", "alice@example.com", await id_of(world, "alice")):
        headers = dict.fromkeys(names, value) | {"X-Forwarded-For": "127.0.0.1"}
        async with httpx.AsyncClient(base_url=world.base, headers=headers) as eve:
            assert (await eve.get("/w/acme/inbox")).status_code == 303, value
            assert (await eve.get("/me")).headers["location"].startswith("/sign-in")
            assert (await eve.get("/api/v1/contacts")).status_code == 401
            assert (await eve.post("/w/acme/settings/general", data={"name": "Eve’s"})).status_code in (303, 403)
    assert world.services.config.trusted_proxies == (), "and nobody is a proxy until the operator names one"


async def test_p11_a_limit_counts_who_calls_and_not_who_is_named(limited_world: World) -> None:
    world = limited_world
    eve, lies = await browser(world), ("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP",
                                       "True-Client-IP", "X-Client-IP")
    hold(world)
    answers = [await eve.get("/sign-in", headers=dict.fromkeys(lies, f"198.51.100.{number}")) for number in range(14)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 4
    assert answers[-1].headers["retry-after"]


async def test_p12_an_invitation_opens_its_own_workspace_with_its_own_role(world: World) -> None:
    token = await invited(world, "dana", "agent")
    eve = await browser(world)
    globex = world.globex.workspace_id
    wish = {"workspace": "globex", "workspace_id": globex, "slug": "globex", "realm": "globex", "role": "owner"}
    answer = await eve.post(f"/invitations/{token}", params=wish, headers={"X-Workspace": "globex"},
                            data={"name": "Dana", "password": PASSWORD, "email": "charlie@example.com", **wish})
    assert answer.status_code == 303, answer.text
    assert await membership(world, "dana") == ("agent", "active")
    assert await membership(world, "dana", world.globex) is None
    assert (await eve.get("/w/globex/inbox")).status_code == 404
    await invited(world, "erin")
    charlie = await world.session("charlie")
    for (invitation,) in await control(world, "SELECT id FROM invitation"):
        for verb in ("resend", "revocation"):
            path = f"/w/globex/settings/invitations/{invitation}/{verb}"
            assert (await charlie.post(path)).status_code == 404
    assert len(await control(world, "SELECT 1 FROM invitation WHERE revoked_at IS NULL")) == 2


async def test_p13_one_invitation_makes_one_account(world: World) -> None:
    token = await invited(world, "dana")
    browsers = [await browser(world) for _ in range(8)]
    for number, client in enumerate(browsers):
        client.cookies.update({"invite": token, "invitation": token, "member": f"{number}", "chime": f"{number}" * 43})
    answers = await asyncio.gather(*(client.post(f"/invitations/{token}", data={
        "name": f"Dana {number}", "password": PASSWORD, "email": f"eve{number}@example.com"})
        for number, client in enumerate(browsers)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 303 and set(statuses[1:]) <= {404, 409}, "gone, or the address has an account by now"
    assert await control(world, "SELECT email FROM user WHERE name LIKE 'Dana%' OR email LIKE 'eve%'") == [
        ("dana@example.com",)]
    again = await browsers[0].post(f"/invitations/{token}", data={"name": "Eve", "password": PASSWORD})
    assert again.status_code == 404


async def test_p14_an_export_is_fetched_by_who_asked_and_by_no_id(world: World) -> None:
    await talk(world)
    export = await ask(world, "mo")
    assert (await decide(world, "alice", export)).status_code == 303
    charlie, alice, mo = [await world.session(name) for name in ("charlie", "alice", "mo")]
    for slug in ("acme", "globex"):
        for path, fields in ((f"exports/{export.id}/file", {}), (f"approvals/{export.id}/decision", {
                "decision": "approve", "fingerprint": export.fingerprint})):
            assert (await charlie.post(f"/w/{slug}/settings/{path}", data=fields)).status_code == 404, path
    async with world.client(await world.key(world.globex)) as script:
        assert (await script.get(f"/api/v1/exports/{export.id}")).status_code == 404
        assert (await script.post(f"/api/v1/exports/{export.id}/file")).status_code == 404
    assert (await alice.post(f"/w/acme/settings/exports/{export.id}/file")).status_code == 409
    fetched = await mo.post(f"/w/acme/settings/exports/{export.id}/file")
    assert fetched.status_code == 200 and "Maya Chen" in fetched.text, "what others tried used nothing up"


async def test_p15_no_other_site_may_read(world: World) -> None:
    alice, key = await world.session("alice"), await world.key(world.acme)
    host = world.base.removeprefix("http://")
    for origin in ("https://evil.example", "null", f"http://{host}.evil.example", f"http://evil{host}",
                   f"https://{host}", "http://127.0.0.1", "file://", world.base):
        for path in ("/w/acme/inbox", "/api/v1/contacts", "/sign-in", "/me", "/nowhere"):
            headers = {"Origin": origin, "Authorization": f"Bearer {key}"}
            asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
            for answer in (await alice.get(path, headers=headers),
                           await alice.request("OPTIONS", path, headers=headers | asked)):
                assert not [name for name in answer.headers if name.startswith("access-control-")], (origin, path)


async def test_p16_an_outside_identity_opens_no_account_by_its_address(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with oidc_world(installation, tmp_path, monkeypatch) as yard:
        await yard.rule("sales", "agent")
        for verified in (False, "true", None, True):
            yard.becomes("mallory", email="kim@example.com", groups=["sales"], verified=verified)
            eve = await yard.browser()
            await yard.sign_in(eve)
            assert not await yard.is_in(eve), verified
        yard.becomes("eve", email="new@example.com", groups=["sales"], verified=False)
        eve = await yard.browser()
        assert (await yard.sign_in(eve)).status_code == 422 and not await yard.is_in(eve)
        assert not await yard.rows("SELECT 1 FROM user_identity") and await yard.role("new@example.com") == ""
        kim = await yard.known("kim")
        assert await yard.is_in(kim), "and who owns the address was not locked out"


async def test_p17_a_hidden_number_is_not_told_digit_by_digit(world: World) -> None:
    maya = await talk(world, phone=PHONE)
    await indexed(world)
    vera, kim = await world.session("vera"), await world.session("kim")
    search = f"{maya.workspace_base}/inbox/list"
    for known in range(6, len(PHONE)):
        told = {}
        for digit in "0123456789":
            guess = {"q": PHONE[:known] + digit}
            told[digit] = (maya.id in (await vera.get(search, params=guess)).text,
                           maya.id in (await kim.get(search, params=guess)).text)
        assert {seen for seen, _ in told.values()} == {False}, "whoever may not see it gets one answer to all"
        assert [digit for digit, (_, seen) in told.items() if seen] == [PHONE[known]]
    key = await world.key(world.acme, "contacts:read")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE api_key SET made_by = ? WHERE scopes = 'contacts:read'", await id_of(world, "vera"))
    async with world.client(key) as script:
        answers = [await script.get("/api/v1/contacts", params={"phone": f"+{PHONE[:-1]}{digit}"})
                   for digit in range(10)]
    assert len({answer.text.replace(answer.headers["x-request-id"], "") for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {403}

def test_all_thirty_are_here() -> None:
    names = [name for module in ("test_incidents", "test_incidents_of_machinery")
             for name in vars(importlib.import_module(f"tests.http.{module}"))]
    found = sorted(int(match[1]) for name in names if (match := re.match(r"test_p(\d\d)_\w", name)))
    assert found == list(range(1, 31))
    assert list(INCIDENTS) == [f"P{number}" for number in found] and all(INCIDENTS.values())
