"""Two factors: setting them up, being asked for them, using each code once, and doing without when all are lost."""

from __future__ import annotations

import asyncio
import random

import httpx
import msgspec
import pytest

from chime.accounts import second_factor, session_watch
from chime.clock import DAY, HOUR, MINUTE
from tests.http.account_setup import App, actions, id_of, new_app, second_step, sign_in, stranger, with_token
from tests.support.world import PASSWORD, World

INBOX = "/w/acme/inbox"


async def app_of(world: World, name: str = "kim") -> App:
    return await new_app(world, await world.session(name))


async def test_an_app_counts_after_its_first_code_and_brings_ten_recovery_codes(world: World) -> None:
    kim = await world.session("kim")
    await kim.post("/me/second-factor/app")
    wrong = await kim.post("/me/second-factor/app/confirmation", data={"code": "000000"})
    assert wrong.status_code == 422 and "not the code the app shows" in wrong.text
    async with stranger(world) as browser:
        assert (await sign_in(browser)).headers["location"] == "/", "not asked for before the first right code"
    app = await app_of(world)
    assert len(set(app.recovery_codes)) == 10
    stored = str(await world.services.control.db.rows("SELECT * FROM totp")) + str(
        await world.services.control.db.rows("SELECT * FROM recovery_code"))
    assert all(code not in stored and code.replace("-", "") not in stored for code in app.recovery_codes)
    assert "recovery_codes.made" in await actions(world) and "authenticator.added" in await actions(world)


async def test_the_qr_code_is_drawn_here_and_says_what_the_key_says(world: World) -> None:
    kim = await world.session("kim")
    await kim.post("/me/second-factor/app")
    page = await kim.get("/me/second-factor/app")
    assert "otpauth://totp/Chime%3Akim%40example.com" in page.text and 'class="qr"' in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_the_password_alone_opens_nothing_any_more(world: World) -> None:
    app = await app_of(world)
    async with stranger(world) as browser:
        answer = await sign_in(browser, next=INBOX)
        assert answer.headers["location"] == "/sign-in/second-step"
        assert "chime" not in browser.cookies, "what the browser holds now is no session"
        for path in (INBOX, "/me", "/me/second-factor", "/"):
            assert (await browser.get(path)).headers["location"].startswith("/sign-in"), path
        assert (await second_step(browser, code="123456")).status_code == 422
        answer = await second_step(browser, code=app.next_code())
        assert (answer.status_code, answer.headers["location"]) == (303, INBOX)
        assert (await browser.get(INBOX)).status_code == 200
        factors = await world.services.control.db.value("SELECT factors FROM session ORDER BY created_at DESC LIMIT 1")
        assert factors == "password,totp"


async def test_five_wrong_codes_ask_for_the_password_again_and_twenty_a_day_are_enough(world: World) -> None:
    app = await app_of(world)
    async with stranger(world) as browser:
        for round_of_codes in range(4):
            await sign_in(browser)
            statuses = [(await second_step(browser, code="000000")).status_code for _ in range(5)]
            assert statuses == [422] * 4 + [303], round_of_codes
            assert (await second_step(browser, code=app.next_code())).headers["location"] == "/sign-in?said=expired"
            world.clock.pass_time(MINUTE)
        await sign_in(browser)
        refused = await second_step(browser, code=app.next_code())
        assert refused.status_code == 429, "the right code waits as well"
        world.clock.pass_time(DAY)
        await sign_in(browser)
        assert (await second_step(browser, code=app.code())).headers["location"] == "/"


async def test_a_code_is_good_once_however_many_carry_it_at_once(world: World) -> None:
    """MFA-1 over HTTP: many browsers between the two steps, one code."""
    app = await app_of(world)
    browsers = [httpx.AsyncClient(base_url=world.base, timeout=60) for _ in range(15)]
    try:
        for browser in browsers:
            assert (await sign_in(browser)).headers["location"] == "/sign-in/second-step"
        code = app.next_code()
        answers = await asyncio.gather(*(second_step(browser, code=code) for browser in browsers))
        entered = [answer for answer in answers if answer.status_code == 303 and answer.headers["location"] == "/"]
        assert len(entered) == 1
        assert sum("chime" in browser.cookies for browser in browsers) == 1
    finally:
        for browser in browsers:
            await browser.aclose()


async def test_of_a_hundred_transactions_with_one_code_one_wins(world: World) -> None:
    app, kim = await app_of(world), await id_of(world, "kim")
    code, vault, now = app.next_code(), world.services.control.vault, world.clock.real_now()

    async def use() -> bool:
        async with world.services.control.ingest("test") as tx:
            return await second_factor.use_code(tx, vault, kim, code, now)

    assert sum(await asyncio.gather(*(use() for _ in range(100)))) == 1


async def test_a_recovery_code_opens_once_and_its_person_is_told(world: World) -> None:
    app = await app_of(world)
    spelled = app.recovery_codes[0].lower().replace("-", " ").replace("o", "0")
    async with stranger(world) as browser:
        await sign_in(browser)
        assert (await second_step(browser, recovery_code="AAAA-AAAA-AAAA-AAAA")).status_code == 422
        assert (await second_step(browser, recovery_code=spelled)).headers["location"] == "/"
        page = await browser.get("/me/security")
        assert "A recovery code of your account was used." in page.text and "9 of 10 left" in page.text
    async with stranger(world) as browser:
        await sign_in(browser)
        assert (await second_step(browser, recovery_code=app.recovery_codes[0])).status_code == 422


async def test_new_recovery_codes_void_the_old_ones(world: World) -> None:
    app, kim = await app_of(world), await world.session("kim")
    answer = await kim.post("/me/recovery-codes")
    assert answer.status_code == 200 and app.recovery_codes[1] not in answer.text
    async with stranger(world) as browser:
        await sign_in(browser)
        assert (await second_step(browser, recovery_code=app.recovery_codes[1])).status_code == 422


async def policy(world: World, **rules: object) -> None:
    text = msgspec.json.encode(rules).decode()
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT OR REPLACE INTO workspace_policy (workspace_id, policy_json) VALUES (?, ?)",
                         world.acme.workspace_id, text)


async def test_who_must_have_one_reaches_nothing_else_until_then(world: World) -> None:
    kim, bob = await world.session("kim"), await world.session("bob")
    await policy(world, second_factor_roles=["member", "owner"])
    for path in (INBOX, "/", "/me", "/me/security", "/me/sessions", "/docs/nothing"):
        answer = await kim.get(path)
        assert answer.status_code in (303, 404), path
        assert answer.status_code == 404 or answer.headers["location"] == "/me/second-factor", path
    fragment = await kim.get("/w/acme/inbox/list", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers["hx-redirect"]) == (403, "/me/second-factor")
    assert (await kim.post("/me", data={"name": "Kimberley"})).headers["location"] == "/me/second-factor"
    page = await kim.get("/me/second-factor")
    assert page.status_code == 200 and "asks for a second factor" in page.text
    assert (await bob.get("/me")).status_code == 200, "an agent need not"
    await new_app(world, kim)
    assert (await kim.get(INBOX)).status_code == 200
    answer = await kim.post("/me/second-factor/app/removal")
    assert answer.status_code == 422 and "asks for a second factor" in answer.text
    assert (await second_factor.factors_of(world.services.control.db, await id_of(world, "kim"))).any


async def test_the_first_factor_ends_the_sessions_that_never_showed_one(world: World) -> None:
    async with stranger(world) as elsewhere:
        await sign_in(elsewhere)
        assert (await elsewhere.get("/me")).status_code == 200
        await app_of(world)
        assert (await elsewhere.get("/me")).status_code == 303
    assert (await (await world.session("kim")).get("/me")).status_code == 200


async def test_who_lost_everything_waits_a_day_and_everybody_concerned_is_told(world: World) -> None:
    await app_of(world)
    kim, alice = await id_of(world, "kim"), await world.session("alice")
    account = f"/w/acme/settings/members/{kim}/account"
    assert (await alice.post(f"{account}/second-factor-reset")).status_code == 303
    page = await (await world.session("kim")).get("/me/security")
    assert "A colleague asked to take away your second factor" in page.text
    await session_watch.take_due_factors_away(world.services)
    assert (await second_factor.factors_of(world.services.control.db, kim)).any, "not before the day is over"
    world.clock.pass_time(DAY + MINUTE)
    await session_watch.take_due_factors_away(world.services)
    assert not (await second_factor.factors_of(world.services.control.db, kim)).any
    async with stranger(world) as browser:
        assert (await sign_in(browser)).headers["location"] == "/"


async def test_the_person_can_say_no_and_outsiders_cannot_ask(world: World) -> None:
    await app_of(world)
    kim_id, kim = await id_of(world, "kim"), await world.session("kim")
    account = f"/w/acme/settings/members/{kim_id}/account"
    for name in ("mo", "bob", "vera", "kim"):
        answer = await (await world.session(name)).post(f"{account}/second-factor-reset")
        assert answer.status_code == 403, name
    assert (await (await world.session("charlie")).post(f"{account}/second-factor-reset")).status_code == 404
    await (await world.session("alice")).post(f"{account}/second-factor-reset")
    assert (await kim.post("/me/second-factor/keep")).status_code == 303
    world.clock.pass_time(DAY + MINUTE)
    await session_watch.take_due_factors_away(world.services)
    assert (await second_factor.factors_of(world.services.control.db, kim_id)).any


async def test_one_workspace_cannot_weaken_an_account_that_reaches_beyond_it(world: World) -> None:
    await app_of(world)
    kim = await id_of(world, "kim")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO membership (workspace_id, user_id, role, created_at) VALUES (?, ?, 'owner', 0)",
                         world.globex.workspace_id, kim)
    answer = await (await world.session("alice")).post(f"/w/acme/settings/members/{kim}/account/second-factor-reset")
    assert answer.status_code == 422 and "reaches beyond this workspace" in answer.text


async def machine(world: World, steps: int) -> None:
    """MFA-1: random sign-ins, codes old and new, right and wrong, replays. A model says who may enter."""
    rng, app = random.Random(steps), await app_of(world)
    last, used = app.step(), [app.code()]
    recovery = list(app.recovery_codes)
    entered = 0
    async with stranger(world) as browser:
        await sign_in(browser)
        for number in range(steps):
            kind = rng.choice(["fresh", "replay", "wrong", "old", "recovery", "spent", "none"])
            if kind == "fresh":
                app.next_code()
            code = {"fresh": app.code(), "replay": rng.choice(used), "wrong": f"{rng.randrange(10**6):06d}",
                    "old": app.code(-5), "none": ""}.get(kind)
            if kind == "recovery" and recovery:
                fields, right = {"recovery_code": recovery.pop()}, True
            elif code is None:
                fields, right = {"recovery_code": app.recovery_codes[-1] if app.recovery_codes[-1] not in recovery
                                 else "BBBB-BBBB-BBBB-BBBB"}, False
            else:
                # Six digits come again now and then, so the model counts steps and not codes.
                steps_of_code = [app.step() + near for near in (-1, 0, 1) if app.code(near) == code]
                fields, right = {"code": code}, any(step > last for step in steps_of_code)
                if right:
                    last, used = max(steps_of_code), [*used[-50:], code]
            answer = await second_step(browser, **fields)
            inside = answer.status_code == 303 and answer.headers["location"] == "/"
            assert inside == right, (number, kind)
            if inside:
                entered += 1
                browser.cookies.delete("chime")
            async with world.services.control.ingest("test") as tx:
                await tx.execute("DELETE FROM throttle")
            world.clock.pass_time(0 if rng.random() < 0.5 else 31_000)
            await sign_in(browser)
    assert entered > steps / 20


async def test_random_second_steps(world: World) -> None:
    await machine(world, 25)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
async def test_random_second_steps_at_length(world: World) -> None:
    await machine(world, 20_000)


async def test_a_marked_action_wants_a_fresh_proof(world: World) -> None:
    kim = await world.session("kim")
    world.clock.pass_time(11 * MINUTE)
    answer = await kim.get("/me/second-factor/app")
    assert answer.headers["location"] == "/me/confirm?next=%2Fme%2Fsecond-factor%2Fapp"
    fragment = await kim.post("/me/second-factor/app", headers={"HX-Request": "true",
                                                                "HX-Current-URL": f"{world.base}/me/security?x=1"})
    assert (fragment.status_code, fragment.headers["hx-redirect"]) == (403, "/me/confirm?next=%2Fme%2Fsecurity%3Fx%3D1")
    assert await world.services.control.db.value("SELECT count(*) FROM totp") == 0, "nothing happened"
    before = kim.cookies["chime"]
    wrong = await kim.post("/me/confirm", data={"password": "not the password of kim", "next": "/me/security"})
    assert wrong.status_code == 422 and "This is not your password." in wrong.text
    right = await kim.post("/me/confirm", data={"password": PASSWORD, "next": "/me/security"})
    assert (right.status_code, right.headers["location"]) == (303, "/me/security")
    assert kim.cookies["chime"] != before, "a proof changes the secret"
    async with httpx.AsyncClient(base_url=world.base, cookies={"chime": before}) as thief:
        assert (await thief.get("/me")).status_code == 303
    assert (await kim.post("/me/second-factor/app")).status_code == 303


async def test_a_form_that_met_the_question_goes_on_with_what_was_typed(world: World) -> None:
    alice, kim = await world.session("alice"), await id_of(world, "kim")
    token = alice.headers.pop("X-CSRF-Token")
    world.clock.pass_time(11 * MINUTE)
    form = {"csrf_token": token, "role": "agent", "new_password": "is not shown", "note": 'a "quoted" <note>'}
    path = f"/w/acme/settings/members/{kim}/role"
    asked = await alice.post(path, data=form, headers={"Referer": f"{world.base}/w/acme/settings/members"})
    assert asked.status_code == 403 and f'name="to" value="{path}"' in asked.text
    assert 'name="kept-role" value="agent"' in asked.text and "is not shown" not in asked.text
    assert "enter those again" in asked.text and "a &#34;quoted&#34; &lt;note&gt;" in asked.text
    confirmed = await alice.post("/me/confirm", data={
        "csrf_token": token, "password": PASSWORD, "next": "/w/acme/settings", "to": path, "kept-role": "agent"})
    assert confirmed.status_code == 200 and f'action="{path}"' in confirmed.text
    assert 'name="role" value="agent"' in confirmed.text
    done = await alice.post(path, data={"csrf_token": token, "role": "agent"})
    assert done.status_code == 303
    role = await world.services.control.db.value("SELECT role FROM membership WHERE user_id = ?", kim)
    assert role == "agent"


async def test_the_question_leads_to_no_other_site(world: World) -> None:
    kim = await world.session("kim")
    for bad in ("https://evil.example/x", "//evil.example", "/\\evil.example"):
        answer = await kim.post("/me/confirm", data={"password": PASSWORD, "next": bad, "to": bad})
        assert answer.status_code in (200, 303) and "evil" not in answer.headers.get("location", "")
        assert "evil" not in answer.text


async def test_with_a_second_factor_the_proof_is_that_factor(world: World) -> None:
    app, kim = await app_of(world), await world.session("kim")
    world.clock.pass_time(11 * MINUTE)
    assert (await kim.post("/me/confirm", data={"password": PASSWORD, "next": "/me"})).status_code == 422
    assert (await kim.post("/me/confirm", data={"code": app.code(), "next": "/me"})).status_code == 303
    assert (await kim.post("/me/confirm", data={"code": app.code(), "next": "/me"})).status_code == 422, "used"
    assert (await kim.post("/me/confirm", data={"code": app.recovery_codes[3], "next": "/me"})).status_code == 303


async def test_a_stolen_session_is_no_place_to_guess_in(world: World) -> None:
    kim = await world.session("kim")
    for _ in range(5):
        assert (await kim.post("/me/confirm", data={"password": "a wrong guess"})).status_code == 422
    refused = await kim.post("/me/confirm", data={"password": PASSWORD})
    assert refused.status_code == 429 and "Too many attempts" in refused.text
    world.clock.pass_time(HOUR)
    assert (await kim.post("/me/confirm", data={"password": PASSWORD})).status_code == 303


async def test_every_marked_route_asks_however_it_is_reached(world: World) -> None:
    """Step-up bypass: each route with `step_up`, by form, by script and with a stale token."""
    from chime.app import FEATURES

    alice = await world.session("alice")
    world.clock.pass_time(11 * MINUTE)
    values = {"slug": "acme", "member_id": await id_of(world, "kim")}
    before = await actions(world)
    asked = 0
    for _, handlers in FEATURES:
        for handler in handlers:
            if not handler.opt.get("step_up") or handler.opt.get("api"):
                continue
            for path in handler.paths:
                address = _filled(path, values)
                for method in handler.http_methods:
                    for headers in ({}, {"HX-Request": "true"}, {"Authorization": "Bearer chime_nothing"}):
                        answer = await alice.request(str(getattr(method, "value", method)), address, headers=headers)
                        told = answer.headers.get("location", "") + answer.headers.get("hx-redirect", "") + answer.text
                        assert "/me/confirm" in told or answer.status_code == 404, (address, answer.status_code)
                        asked += 1
    assert asked > 30
    assert await actions(world) == before


def _filled(path: str, values: dict[str, str]) -> str:
    import re

    return re.sub(r"{(\w+):\w+}", lambda match: values.get(match[1], "0" * 26), path)


async def test_a_short_password_cannot_be_left_alone(world: World) -> None:
    app, kim = await app_of(world), await world.session("kim")
    short = "blue-Kettle9"
    answer = await kim.post("/me/password", data={"current": PASSWORD, "password": short, "again": short})
    assert answer.headers["location"] == "/me/security?said=password", "with a second factor eight are enough"
    await with_token(kim)
    assert (await kim.post("/me/second-factor/app/removal")).status_code == 422
    long = "a blue kettle on the stove"
    await kim.post("/me/password", data={"current": short, "password": long, "again": long})
    assert (await kim.post("/me/second-factor/app/removal")).headers["location"] == "/me/security?said=removed"
    assert await world.services.control.db.value("SELECT count(*) FROM recovery_code") == 0
    assert app.recovery_codes
