"""Signing in and out over HTTP: who gets in, how fast one may guess, what the cookie is good for and how long, and that
no other site can make a signed-in person's browser do something.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from ipaddress import ip_network
from pathlib import Path
from statistics import median

import httpx
import pytest

from chime.clock import DAY, HOUR, MINUTE, SECOND
from tests.http.inbox_setup import listening, rows, talk
from tests.support.world import PASSWORD, World, running_world

LOOPBACK = (ip_network("127.0.0.0/8"),)
WRONG = "The email address or the password is not right."


@pytest.fixture
async def browser(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A browser nobody is signed in with."""
    async with httpx.AsyncClient(base_url=world.base, timeout=20) as client:
        yield client


async def sign_in(browser: httpx.AsyncClient, email: str = "kim@example.com", password: str = PASSWORD,
                  **fields: str) -> httpx.Response:
    return await browser.post("/sign-in", data={"email": email, "password": password, **fields})


def cookie_of(answer: httpx.Response) -> Morsel[str]:
    """The session's cookie as an answer sets it, with its attributes."""
    morsels = [morsel for header in answer.headers.get_list("set-cookie") for morsel in SimpleCookie(header).values()]
    (found,) = [morsel for morsel in morsels if morsel.key in ("chime", "__Host-chime")]
    return found


async def test_the_right_password_leads_to_the_inbox(world: World, browser: httpx.AsyncClient) -> None:
    form = await browser.get("/sign-in")
    assert 'name="password"' in form.text and 'type="password"' in form.text
    answer = await sign_in(browser, "  KIM@example.com ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    home = await browser.get("/", follow_redirects=True)
    assert home.url.path == f"/w/{world.acme.slug}/inbox" and "Kim" in home.text
    assert (await browser.get("/sign-in")).headers["location"] == "/", "who is signed in need not do it again"


async def test_a_wrong_password_and_an_unknown_address_cannot_be_told_apart(browser: httpx.AsyncClient) -> None:
    took: dict[str, list[float]] = {"kim@example.com": [], "nobody@example.com": []}
    said: dict[str, set[str]] = {email: set() for email in took}
    for _ in range(4):
        for email in took:
            started = time.perf_counter()
            answer = await sign_in(browser, email, "not the password of anybody")
            took[email].append(time.perf_counter() - started)
            assert answer.status_code == 422 and WRONG in answer.text and f'value="{email}"' in answer.text
            assert "set-cookie" not in answer.headers and "not the password" not in answer.text
            said[email].add(answer.text.replace(email, "…"))
    assert said["kim@example.com"] == said["nobody@example.com"], "the pages differ"
    known, unknown = median(took["kim@example.com"]), median(took["nobody@example.com"])
    assert known / 2.5 < unknown < known * 2.5, (known, unknown)


async def test_what_is_missing_is_named_and_what_was_typed_is_kept(browser: httpx.AsyncClient) -> None:
    answer = await sign_in(browser, "kim@example.com", "", next="/w/acme/inbox?v=mine")
    assert answer.status_code == 422 and "Enter your password." in answer.text
    assert 'value="kim@example.com"' in answer.text and 'value="/w/acme/inbox?v=mine"' in answer.text
    answer = await sign_in(browser, "", "")
    assert "Enter your email address." in answer.text and "Enter your password." in answer.text
    assert (await sign_in(browser, "kim@example.com", "x" * 20_001)).status_code == 422
    assert (await sign_in(browser, "kim@example.com", "x" * 19_000)).status_code == 422
    broken = await browser.post("/sign-in", content=b"--", headers={"Content-Type": "multipart/form-data"})
    assert broken.status_code == 400


async def test_guessing_is_slowed_down_and_only_for_that_account(limited_world: World) -> None:
    async with httpx.AsyncClient(base_url=limited_world.base) as browser:
        await _guess(limited_world, browser)


async def _guess(world: World, browser: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await sign_in(browser, "kim@example.com", "a wrong guess of somebody")).status_code == 422
    for wait in (1, 2, 4, 8):
        refused = await sign_in(browser, "Kim@Example.com")
        assert refused.status_code == 429 and "set-cookie" not in refused.headers, "even the right password waits"
        assert int(re.search(r"Try again in (\d+) seconds", refused.text)[1]) <= wait + 1  # type: ignore[index]
        world.clock.pass_time(wait * SECOND)
        assert (await sign_in(browser, "kim@example.com", "a wrong guess of somebody")).status_code == 422
    assert (await sign_in(browser, "mo@example.com")).status_code == 303
    world.clock.pass_time(16 * SECOND)
    assert (await sign_in(browser, "kim@example.com")).status_code == 303
    assert await world.services.control.db.value("SELECT count(*) FROM throttle WHERE kind = 'account'") == 0


async def test_every_attempt_is_in_the_audit_log(world: World, browser: httpx.AsyncClient) -> None:
    control = world.services.control.db
    before = await control.value("SELECT max(sequence) FROM audit_event")
    await sign_in(browser, "kim@example.com", "a wrong guess of somebody")
    await sign_in(browser, "nobody@example.com", "a wrong guess of somebody")
    await sign_in(browser, "kim@example.com")
    found = await control.rows("SELECT action, actor_name, object_id, details_json FROM audit_event "
                               "WHERE sequence > ? AND action LIKE 'session.%' ORDER BY sequence", before)
    kim = await control.value("SELECT id FROM user WHERE email = 'kim@example.com'")
    assert [row[:3] for row in found] == [("session.refused", "Chime", kim), ("session.refused", "Chime", ""),
                                          ("session.started", "Kim", kim)]
    assert "nobody@example.com" not in str(found)


async def test_a_disabled_person_stays_out_and_is_put_out(world: World, browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    assert (await browser.get(f"/w/{world.acme.slug}/inbox")).status_code == 200
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE user SET disabled_at = ? WHERE email = 'kim@example.com'", tx.now)
    assert (await browser.get(f"/w/{world.acme.slug}/inbox")).status_code == 303
    answer = await sign_in(browser)
    assert answer.status_code == 422 and WRONG in answer.text


LED_TO = {
    "/w/acme/inbox?v=mine&q=a%20b": "/w/acme/inbox?v=mine&q=a%20b",
    "https://evil.example/": "/", "//evil.example/w": "/", "/\\evil.example": "/", "\\\\evil.example": "/",
    "/\t/evil.example": "/", "/\n/evil.example": "/", "/\\\t/evil.example": "/", "javascript:alert(1)": "/",
    "w/acme": "/", "": "/", "//[": "/", "http://[::1": "/", "/inbox\r\nSet-Cookie: planted=1": "/",
}


async def test_after_signing_in_only_our_own_pages_follow(world: World, browser: httpx.AsyncClient) -> None:
    for asked, led_to in LED_TO.items():
        browser.cookies.clear()
        form = await browser.get("/sign-in", params={"next": asked})
        assert form.status_code == 200, asked
        assert f'name="next" value="{led_to.replace("&", "&amp;")}"' in form.text, asked
        answer = await sign_in(browser, next=asked)
        assert (answer.status_code, answer.headers["location"]) == (303, led_to), asked
        assert "planted" not in str(answer.headers)
        world.clock.pass_time(MINUTE)


async def test_a_page_asked_for_before_signing_in_is_the_page_led_to(
    world: World, browser: httpx.AsyncClient,
) -> None:
    asked = f"/w/{world.acme.slug}/inbox?v=closed&q=caf%C3%A9"
    answer = await browser.get(asked)
    assert answer.status_code == 303
    form = await browser.get(answer.headers["location"])
    where = re.search(r'name="next" value="([^"]*)"', form.text)
    assert where is not None and where[1].replace("&amp;", "&") == asked
    fragment = await browser.get(f"/w/{world.acme.slug}/inbox/list", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers["hx-redirect"]) == (401, "/sign-in")


async def test_the_cookie_on_plain_http_and_behind_a_proxy_with_https(installation: Path, tmp_path: Path) -> None:
    async with (running_world(installation, tmp_path / "data", trusted_proxies=LOOPBACK) as world,
                httpx.AsyncClient(base_url=world.base) as browser):
        await _the_cookie_with_and_without_https(world, browser)


async def _the_cookie_with_and_without_https(world: World, browser: httpx.AsyncClient) -> None:
    plain = cookie_of(await sign_in(browser))
    assert (plain.key, plain["httponly"], plain["secure"]) == ("chime", True, "")
    assert (plain["samesite"].lower(), plain["path"], plain["domain"]) == ("lax", "/", "")
    behind = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    answer = await browser.post("/sign-in", data={"email": "mo@example.com", "password": PASSWORD}, headers=behind)
    secure = cookie_of(answer)
    assert (secure.key, secure["httponly"], secure["secure"]) == ("__Host-chime", True, True)
    assert (secure["samesite"].lower(), secure["path"], secure["domain"]) == ("lax", "/", "")
    assert int(secure["max-age"]) == DAY // SECOND
    found = await world.services.control.db.rows("SELECT address FROM session ORDER BY created_at")
    assert [row[0] for row in found] == ["127.0.0.1", "203.0.113.7"], "the session remembers the person's own address"
    async with httpx.AsyncClient(base_url=world.base) as over_https:
        over_https.headers.update(behind | {"Cookie": f"__Host-chime={secure.value}"})
        page = await over_https.get(f"/w/{world.acme.slug}/inbox")
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        assert "max-age=" in page.headers["strict-transport-security"]
        assert page.status_code == 200
        assert page.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
        # The same secret under the plain name does not open a page over https: a neighbour host could plant it.
        over_https.headers["Cookie"] = f"chime={secure.value}"
        assert (await over_https.get(f"/w/{world.acme.slug}/inbox")).status_code == 303
        over_https.headers["Cookie"] = f"__Host-chime={secure.value}"
        token = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
        gone = cookie_of(await over_https.post("/sign-out", data={"csrf_token": token[1] if token else ""}))
        # A browser ignores a __Host- cookie that is not Secure with Path=/, and so would keep the old one.
        assert (gone.key, gone.value, gone["secure"], gone["path"], gone["max-age"]) == (
            "__Host-chime", "", True, "/", "0")
    assert "strict-transport-security" not in (await browser.get("/sign-in")).headers


async def test_a_stranger_cannot_pretend_to_be_the_proxy(installation: Path, tmp_path: Path) -> None:
    async with (running_world(installation, tmp_path / "data") as world,
                httpx.AsyncClient(base_url=world.base) as browser):
        browser.headers.update({"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"})
        cookie = cookie_of(await sign_in(browser))
        assert (cookie.key, cookie["secure"]) == ("chime", "")
        assert await world.services.control.db.value("SELECT address FROM session") == "127.0.0.1"


async def test_signing_out_ends_the_session_and_its_streams(world: World) -> None:
    kim = await world.session("kim")
    stolen = httpx.AsyncClient(base_url=world.base, cookies=kim.cookies)
    async with stolen, listening(kim, world.acme) as stream:
        answer = await kim.post("/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        await asyncio.wait_for(stream.ended.wait(), 2)
        assert (await stolen.get(f"/w/{world.acme.slug}/inbox")).status_code == 303, "a copied cookie is worth nothing"
    assert await world.services.control.db.value("SELECT count(*) FROM session") == 0
    found = await world.services.control.db.rows("SELECT action FROM audit_event ORDER BY sequence DESC LIMIT 1")
    assert found == [("session.ended",)]


async def test_a_session_ends_after_eight_idle_hours_and_after_a_day(world: World) -> None:
    kim, vera = await world.session("kim"), await world.session("vera")
    inbox = f"/w/{world.acme.slug}/inbox"
    world.clock.pass_time(8 * HOUR - MINUTE)
    assert (await kim.get(inbox)).status_code == 200
    world.clock.pass_time(2 * MINUTE)
    assert (await kim.get(inbox)).status_code == 200, "working keeps a session"
    assert (await vera.get(inbox)).status_code == 303, "eight hours without a click end it"
    for _ in range(5):
        world.clock.pass_time(3 * HOUR)
        assert (await kim.get(inbox)).status_code == 200
    world.clock.pass_time(HOUR)
    assert (await kim.get(inbox)).status_code == 303, "a day ends it in any case"


async def test_an_open_page_alone_does_not_keep_a_session(world: World) -> None:
    kim = await world.session("kim")
    world.clock.pass_time(4 * HOUR)
    async with listening(kim, world.acme):
        pass
    world.clock.pass_time(5 * HOUR)
    assert (await kim.get(f"/w/{world.acme.slug}/inbox")).status_code == 303
    assert (await kim.get(f"/w/{world.acme.slug}/events")).status_code == 303


async def test_the_demos_clock_moves_no_session(world: World) -> None:
    kim = await world.session("kim")
    world.clock.advance(30 * DAY)
    assert (await kim.get(f"/w/{world.acme.slug}/inbox")).status_code == 200


async def test_no_other_site_can_use_a_signed_in_browser(world: World) -> None:
    kim = await world.session("kim")
    maya = await talk(world)
    token, closure = kim.headers.pop("X-CSRF-Token"), f"{maya.base}/closure"
    other = (await world.session("mo")).headers["X-CSRF-Token"]
    attempts: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({}, {"csrf_token": ""}),
        ({}, {"csrf_token": other}),
        ({}, {"csrf_token": token[:-1] + ("0" if token[-1] != "0" else "1")}),
        ({}, {"csrf_token": "ünïcödé"}),
        ({"X-CSRF-Token": other}, {"csrf_token": token}),
        ({"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"}, {}),
        ({"Sec-Fetch-Site": "same-site"}, {"csrf_token": token}),
    ]
    for headers, form in attempts:
        answer = await kim.post(closure, data=form, headers=headers)
        assert answer.status_code == 403, (headers, form)
        assert "page was open too long" in answer.text
    for content_type in ("text/plain", "application/json", "multipart/form-data", "application/octet-stream"):
        answer = await kim.post(closure, content=b'{"csrf_token": 1}', headers={"Content-Type": content_type})
        assert answer.status_code in (400, 403), content_type
    assert (await kim.delete(closure)).status_code == 403
    assert await rows(world, world.acme, "SELECT state FROM conversation") == [("open",)]
    assert await rows(world, world.acme, "SELECT 1 FROM audit_event WHERE actor_kind = 'user' "
                      "AND result <> 'denied'") == []
    answer = await kim.post(closure, data={"csrf_token": token}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303
    assert await rows(world, world.acme, "SELECT state FROM conversation") == [("closed",)]


async def test_nobody_can_be_signed_in_from_another_site(world: World, browser: httpx.AsyncClient) -> None:
    form = {"email": "kim@example.com", "password": PASSWORD}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"},
                    {"Origin": world.base + ".evil.example"},
                    {"Origin": "http://["}, {"Origin": "null://"}):
        answer = await browser.post("/sign-in", data=form, headers=headers)
        assert answer.status_code == 403 and "set-cookie" not in answer.headers, headers
    assert (await browser.post("/sign-in", data=form, headers={"Origin": world.base})).status_code == 303


async def test_every_page_says_what_a_browser_may_do_with_it(world: World, browser: httpx.AsyncClient) -> None:
    kim = await world.session("kim")
    maya = await talk(world)
    for client, path in ((browser, "/sign-in"), (kim, f"/w/{world.acme.slug}/inbox"), (kim, maya.base),
                         (kim, f"{maya.base}/state"), (kim, f"{maya.base}/nothing"), (kim, "/nowhere"),
                         (kim, "/w/globex/inbox"), (browser, f"/w/{world.acme.slug}/inbox"), (browser, "/docs")):
        answer = await client.get(path)
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'", path
        assert policy["style-src"] == "'self'" and policy["form-action"] == "'self'", path
        assert policy["base-uri"] == policy["frame-ancestors"] == "'none'", path
        assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "chime"), path
        assert "unsafe" not in answer.headers["content-security-policy"], path
        told = {name: answer.headers[name] for name in (
            "x-content-type-options", "x-frame-options", "referrer-policy", "cross-origin-resource-policy")}
        assert list(told.values()) == ["nosniff", "DENY", "same-origin", "same-origin"], path
        assert answer.headers.get("cache-control", "no-store") == "no-store", path
        assert "server" not in answer.headers, path
        for markup in (" style=", "<script>", " onclick=", "javascript:"):
            assert markup not in answer.text, (path, markup)


async def test_a_stranger_makes_the_server_remember_little(world: World) -> None:
    """A connection that sends its form slowly is kept for a minute and more, and with it what has come of the form."""
    async with httpx.AsyncClient(base_url=world.base) as stranger:
        assert (await stranger.post("/sign-in", data={"email": "x" * 70_000})).status_code == 413
        assert (await stranger.post("/sign-in", files={"email": b"x" * 70_000})).status_code == 413
