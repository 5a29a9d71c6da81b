"""Sessions: their secret cannot be planted, they end when they should and everywhere at once, streams with them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import msgspec

from chime.accounts import session_watch
from chime.accounts.sessions import MOST_SESSIONS, end_sessions_of
from chime.clock import HOUR, MINUTE
from chime.security.permissions import SYSTEM
from tests.http.account_setup import actions, id_of, sign_in, stranger, with_token
from tests.http.inbox_setup import listening
from tests.support.world import PASSWORD, World, running_world

INBOX = "/w/acme/inbox"


async def test_sess_1_a_planted_cookie_is_worth_nothing(world: World) -> None:
    planted = "A" * 43
    forms = [f"chime={planted}", f"chime={planted}; chime={planted}", f"Chime={planted}", f"CHIME={planted}",
             f"__Host-chime={planted}", f"__Secure-chime={planted}", f"chime=\"{planted}\"", f"chime = {planted}",
             f"chime={planted}; Path=/", f"chime={planted}; Domain=example.com", "chime=", "chime", "=chime",
             f"chime={planted},{planted}", f"$Version=1; chime={planted}", f"chime%3d{planted}",
             f"chime-step={planted}", f"chime-device={planted}", f"x=1; chime={planted}; y=2",
             f"chime={planted}{planted}", f"chime={planted[:20]}", "chime=null", "chime=undefined", "chime=0",
             "chime=' OR 1=1 --", "chime=../../x", f"chime={planted} ;x", f"chime={planted};;;", f";chime={planted}",
             f"chime=%00{planted}"]
    assert len(forms) == 30
    for form in forms:
        async with stranger(world) as victim:
            asked = await victim.get("/me", headers={"Cookie": form})
            assert asked.status_code == 303, form
            answer = await victim.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD},
                                       headers={"Cookie": form})
            assert answer.status_code == 303, form
            assert all(planted not in header for header in answer.headers.get_list("set-cookie")
                       if header.startswith("chime=")), form
        async with stranger(world) as attacker:
            assert (await attacker.get("/me", headers={"Cookie": form})).status_code == 303, form


async def test_sess_4_a_new_password_ends_the_other_sessions(world: World) -> None:
    others = [httpx.AsyncClient(base_url=world.base) for _ in range(9)]
    try:
        for other in others:
            assert (await sign_in(other)).status_code == 303
        async with stranger(world) as kim:
            await sign_in(kim)
            await with_token(kim)
            before = kim.cookies["chime"]
            new = "a brand new sentence of kim"
            answer = await kim.post("/me/password", data={"current": PASSWORD, "password": new, "again": new})
            assert answer.headers["location"] == "/me/security?said=password"
            assert kim.cookies["chime"] != before
            assert (await kim.get("/me")).status_code == 200
            statuses = [(await other.get("/me")).status_code for other in others]
            assert statuses == [303] * 9
            page = await kim.get("/me/security")
            assert "Your password was changed." in page.text
        async with stranger(world) as browser:
            assert (await sign_in(browser)).status_code == 422
            assert (await sign_in(browser, password=new)).status_code == 303
    finally:
        for other in others:
            await other.aclose()


async def test_a_password_is_changed_by_who_knows_it_and_to_a_good_one(world: World) -> None:
    kim = await world.session("kim")
    good = "a brand new sentence of hers"
    for fields, told in (
            ({"current": "wrong", "password": good, "again": good}, "This is not your current password."),
            ({"current": PASSWORD, "password": good, "again": good + "x"}, "The two are not the same."),
            ({"current": PASSWORD, "password": "short-one", "again": "short-one"}, "at least 15 characters"),
            ({"current": PASSWORD, "password": "password1234567", "again": "password1234567"}, "Many people use"),
            ({"current": PASSWORD, "password": "kim@acme.acme.kim", "again": "kim@acme.acme.kim"}, "mostly a name"),
            ({"current": PASSWORD, "password": PASSWORD, "again": PASSWORD}, "the password you have now"),
            ({}, "Enter your current password.")):
        answer = await kim.post("/me/password", data=fields)
        assert answer.status_code == 422 and told in answer.text, fields
        assert good not in answer.text, "no password is written into a page"
        world.clock.pass_time(MINUTE)


async def test_owners_admins_and_operators_have_half_an_hour_and_half_a_day(world: World) -> None:
    alice = await world.session("alice")
    world.clock.pass_time(29 * MINUTE)
    assert (await alice.get("/me")).status_code == 200
    world.clock.pass_time(31 * MINUTE)
    assert (await alice.get("/me")).status_code == 303
    async with stranger(world) as again:
        await sign_in(again, "alice")
        for _ in range(28):
            world.clock.pass_time(25 * MINUTE)
            assert (await again.get("/me")).status_code == 200
        world.clock.pass_time(25 * MINUTE)
        assert (await again.get("/me")).status_code == 303, "twelve hours end it in any case"


async def test_a_policy_can_shorten_the_idle_time_of_all_and_lengthen_nobodys(world: World) -> None:
    async def idle(minutes: int) -> None:
        async with world.services.control.ingest("test") as tx:
            await tx.execute("INSERT OR REPLACE INTO workspace_policy (workspace_id, policy_json) VALUES (?, ?)",
                             world.acme.workspace_id, msgspec.json.encode({"idle_minutes": minutes}).decode())

    kim, alice = await world.session("kim"), await world.session("alice")
    await idle(10)
    world.clock.pass_time(11 * MINUTE)
    assert (await kim.get("/me")).status_code == 303
    await idle(300)
    world.clock.pass_time(20 * MINUTE)
    assert (await alice.get("/me")).status_code == 303


async def test_a_person_who_becomes_an_admin_has_an_admins_time(world: World) -> None:
    kim = await world.session("kim")
    world.clock.pass_time(HOUR)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = ?", await id_of(world, "kim"))
    assert (await kim.get("/me")).status_code == 303


async def test_ten_sessions_are_the_most_and_the_one_unused_for_longest_goes(world: World) -> None:
    clients = [httpx.AsyncClient(base_url=world.base) for _ in range(MOST_SESSIONS + 2)]
    try:
        for client in clients:
            assert (await sign_in(client)).status_code == 303
            world.clock.pass_time(MINUTE)
        statuses = [(await client.get("/me")).status_code for client in clients]
        assert statuses == [303, 303] + [200] * MOST_SESSIONS
        page = await clients[-1].get("/me/sessions")
        assert page.text.count("/end\"") == MOST_SESSIONS - 1
    finally:
        for client in clients:
            await client.aclose()


async def test_what_a_page_fetches_by_itself_is_no_activity(world: World) -> None:
    kim = await world.session("kim")
    for _ in range(9):
        world.clock.pass_time(HOUR)
        last = await kim.get(f"{INBOX}/list", headers={"HX-Request": "true", "X-Unasked": "1"})
    assert last.status_code == 401


async def test_one_session_of_mine_can_be_ended_and_nobody_elses(world: World) -> None:
    mo = await world.session("mo")
    async with stranger(world) as phone:
        phone.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1"
        await sign_in(phone)
        kim = await world.session("kim")
        page = await kim.get("/me/sessions")
        assert "Safari on iPhone" in page.text and "This one" in page.text
        session_id = await world.services.control.db.value("SELECT id FROM session WHERE agent LIKE '%iPhone%'")
        assert (await mo.post(f"/me/sessions/{session_id}/end")).status_code == 404
        assert (await phone.get("/me")).status_code == 200
        async with listening(phone, world.acme) as stream:
            assert (await kim.post(f"/me/sessions/{session_id}/end")).status_code == 303
            await asyncio.wait_for(stream.ended.wait(), 2)
        assert (await phone.get("/me")).status_code == 303
        assert (await kim.get("/me")).status_code == 200


async def test_all_others_at_once(world: World) -> None:
    async with stranger(world) as phone:
        await sign_in(phone)
        kim = await world.session("kim")
        async with listening(phone, world.acme) as there, listening(kim, world.acme) as here:
            assert (await kim.post("/me/sessions/end-others")).status_code == 303
            await asyncio.wait_for(there.ended.wait(), 2)
            assert not here.ended.is_set()
        assert (await phone.get("/me")).status_code == 303 and (await kim.get("/me")).status_code == 200


async def test_a_stream_ends_within_two_seconds_of_its_session_however_that_ends(world: World) -> None:
    """REVOKE: another process (the command line) ends it, or it falls idle; this process hears of neither."""
    kim = await world.session("kim")
    async with listening(kim, world.acme) as stream:
        async with world.services.control.write(SYSTEM) as tx:
            await end_sessions_of(tx, await id_of(world, "kim"))
        await asyncio.wait_for(stream.ended.wait(), 2)
    bob = await world.session("bob")
    async with listening(bob, world.acme) as stream:
        world.clock.pass_time(8 * HOUR + MINUTE)
        await asyncio.wait_for(stream.ended.wait(), 2)


async def test_an_admin_ends_the_sessions_of_who_stands_below(world: World) -> None:
    kim, alice, mo = [await id_of(world, name) for name in ("kim", "alice", "mo")]
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = ?", mo)
    admin, member, owner = await world.session("mo"), await world.session("kim"), await world.session("alice")
    path = "/w/acme/settings/members/{}/account/sessions-end"
    assert (await member.post(path.format(mo))).status_code == 403
    assert (await admin.post(path.format(alice))).status_code == 403, "an owner stands above an admin"
    assert (await owner.get("/me")).status_code == 200
    assert (await (await world.session("charlie")).post(path.format(kim))).status_code == 404
    async with listening(member, world.acme) as stream:
        assert (await admin.post(path.format(kim))).status_code == 303
        await asyncio.wait_for(stream.ended.wait(), 2)
    assert (await member.get("/me")).status_code == 303
    assert (await owner.post(path.format(mo))).status_code == 303
    assert (await admin.get("/me")).status_code == 303
    assert (await actions(world)).count("sessions.ended") == 2


async def test_ending_sessions_asks_for_no_fresh_proof(world: World) -> None:
    """The matrix marks neither one's own sessions nor `sessions:end`: who sees a thief should not be kept waiting."""
    alice, kim = await world.session("alice"), await world.session("kim")
    async with stranger(world) as phone, stranger(world) as tablet:
        await sign_in(phone)
        world.clock.pass_time(11 * MINUTE)
        await sign_in(tablet)
        first = await world.services.control.db.value(
            "SELECT id FROM session WHERE user_id = ? ORDER BY created_at, rowid LIMIT 1 OFFSET 1",
            await id_of(world, "kim"))
        asked = await alice.post("/w/acme/settings/api-keys", data={"name": "n", "days": "30", "scope": "inbox:read"})
        assert asked.headers["location"].startswith("/me/confirm"), "the proof is old indeed"
        assert (await kim.post(f"/me/sessions/{first}/end")).status_code == 303
        assert (await phone.get("/me")).status_code == 303 and (await tablet.get("/me")).status_code == 200
        assert (await kim.post("/me/sessions/end-others")).status_code == 303
        assert (await tablet.get("/me")).status_code == 303 and (await kim.get("/me")).status_code == 200
        there = f"/w/acme/settings/members/{await id_of(world, 'kim')}/account/sessions-end"
        assert (await alice.post(there)).status_code == 303
        assert (await kim.get("/me")).status_code == 303


async def test_nothing_is_kept_of_a_session_that_is_over(world: World) -> None:
    kim, services = await world.session("kim"), world.services

    async def kept() -> int:
        return int(await services.control.db.value("SELECT count(*) FROM session WHERE user_id = ?",
                                                   await id_of(world, "kim")))

    await kim.post("/sign-out")
    assert await kept() == 0
    async with stranger(world) as browser:
        await sign_in(browser)
        world.clock.pass_time(23 * HOUR)
        await session_watch.forget_ended(services)
        assert await kept() == 1
        world.clock.pass_time(HOUR + MINUTE)
        await session_watch.forget_ended(services)
        assert await kept() == 0, "nobody had to sign in for that"


async def test_a_new_device_is_told_and_a_known_one_is_not(world: World) -> None:
    async def told() -> int:
        found: int = await world.services.control.db.value("SELECT count(*) FROM notice WHERE kind = 'new_device'")
        return found

    async with stranger(world) as browser:
        await sign_in(browser)
        assert await told() == 0, "the very first device is no news"
        browser.cookies.delete("chime")
        await sign_in(browser)
        assert await told() == 0
    async with stranger(world) as browser:
        await sign_in(browser)
        assert await told() == 1


async def test_signing_out_over_https_clears_what_the_browser_kept(installation: Path, tmp_path: Path) -> None:
    from ipaddress import ip_network

    async with (running_world(installation, tmp_path / "data", trusted_proxies=(ip_network("127.0.0.0/8"),)) as world,
                stranger(world) as browser):
        browser.headers["X-Forwarded-Proto"] = "https"
        answer = await sign_in(browser)
        cookies = {header.partition("=")[0]: header for header in answer.headers.get_list("set-cookie")}
        assert set(cookies) == {"__Host-chime", "__Host-chime-device"}
        assert all("Secure" in header and "HttpOnly" in header for header in cookies.values())
        secret = cookies["__Host-chime"].partition("=")[2].partition(";")[0]
        browser.headers["Cookie"] = f"__Host-chime={secret}"
        page = await browser.get("/me")
        token = page.text.split('name="csrf-token" content="')[1].split('"')[0]
        answer = await browser.post("/preferences/theme", data={"csrf_token": token, "theme": "dark"})
        kept = answer.headers["set-cookie"]
        assert kept.startswith("theme=dark;") and "Secure" in kept and "SameSite=lax" in kept
        answer = await browser.post("/sign-out", data={"csrf_token": token})
        assert answer.headers["clear-site-data"] == '"cache", "storage"'


async def test_the_profile_says_how_days_are_written(world: World) -> None:
    kim = await world.session("kim")
    answer = await kim.post("/me", data={"name": "  Kim  Lee ", "locale": "en_GB", "time_zone": "Asia/Kolkata"})
    assert answer.headers["location"] == "/me?said=saved"
    page = await kim.get("/me")
    assert 'value="Kim Lee"' in page.text and 'value="Asia/Kolkata" selected' in page.text
    for wrong, told in (({"locale": "xx"}, "Choose one of the languages."), ({"time_zone": "Mars/Base"}, "time zones."),
                        ({"name": ""}, "Give a name")):
        answer = await kim.post("/me", data={"name": "Kim", "locale": "en", "time_zone": ""} | wrong)
        assert answer.status_code == 422 and told in answer.text


async def test_nobody_can_give_themselves_more_by_a_field(world: World) -> None:
    kim = await world.session("kim")
    fields = {"is_operator": "1", "email": "root@example.com", "disabled_at": "1", "session_epoch": "9",
              "role": "owner"}
    await kim.post("/me", data={"name": "Kim", "locale": "en", "time_zone": ""} | fields)
    row = await world.services.control.db.rows("SELECT email, is_operator, disabled_at, session_epoch FROM user "
                                               "WHERE name = 'Kim'")
    assert row == [("kim@example.com", 0, None, 0)]
