"""Limits as people and scripts meet them: the real figures, on every way in, never in the way of the inbox itself."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import msgspec

from tests.http.inbox_setup import listening, talk
from tests.support.world import APP_SECRET, PASSWORD, World

NAMES = ("ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


class Held:
    """A monotonic clock that stands still until it is told: a slow machine must not change what a limit says."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def hold(world: World) -> Held:
    """From now on the limiter's time is the test's. Whatever was counted before is long over."""
    held = Held()
    world.services.limiter._monotonic = held
    return held


def _refused(answer: httpx.Response) -> int:
    """Seconds to wait, as a refusal tells them, in every form."""
    assert answer.status_code == 429, answer.text
    wait = int(answer.headers["retry-after"])
    assert wait >= 1 and f";r=0;t={wait}" in answer.headers["ratelimit"]
    assert (answer.headers["x-ratelimit-remaining"], answer.headers["x-ratelimit-reset"]) == ("0", str(wait))
    return wait


async def test_a_person_changes_three_things_a_second_and_is_told_so_where_they_are(limited_world: World) -> None:
    world = limited_world
    alice, maya = await world.session("alice"), await talk(world)
    now = hold(world)
    htmx = {"HX-Request": "true"}
    answers = [await alice.post(f"{maya.base}/closure", headers=htmx), await alice.delete(f"{maya.base}/closure"),
               await alice.post(f"{maya.base}/closure"), await alice.delete(f"{maya.base}/closure", headers=htmx)]
    assert [answer.status_code < 400 for answer in answers] == [True, True, True, False]
    _refused(answers[3])
    assert "data-error" in answers[3].text and "<html" not in answers[3].text, "a fragment, in the pane that asked"
    plain = await alice.post(f"{maya.base}/closure")
    assert plain.status_code == 429 and "<html" in plain.text and "too much at once" in plain.text
    assert (await alice.get(maya.base)).status_code == 200, "reading goes on"
    assert (await alice.post(f"{maya.base}/read")).status_code == 204, "and so does what the page sends of itself"
    now.seconds += 1.001
    assert (await alice.delete(f"{maya.base}/closure")).status_code < 400, "nothing was used up by being refused"


async def test_answers_of_limited_addresses_say_what_is_left(limited_world: World) -> None:
    world = limited_world
    alice = await world.session("alice")
    hold(world)
    async with world.client(await world.key(world.acme)) as script, httpx.AsyncClient(base_url=world.base) as anybody:
        told = [(script, "/api/v1/tags", 200, 3, "2"), (script, f"/api/v1/contacts/{'0' * 26}", 404, 3, "1"),
                (alice, f"/w/{world.acme.slug}/inbox", 200, 20, "19"), (alice, "/w/globex/inbox", 404, 20, None),
                (anybody, "/sign-in", 200, 10, "9"), (anybody, "/api/v1/tags", 401, 10, "8"),
                (anybody, f"/w/{world.acme.slug}/inbox", 303, 10, "7")]
        for client, path, status, a_second, left in told:
            answer = await client.get(path)
            assert answer.status_code == status, path
            assert answer.headers["ratelimit-policy"].startswith(f'"s";q={a_second};w=1, "m";q='), path
            assert all(name in answer.headers for name in NAMES), path
            assert left is None or answer.headers["x-ratelimit-remaining"] == left, path
            assert answer.headers["ratelimit"].startswith('"s";r=')
        for path in ("/healthz", "/readyz", world.services.static.url("js/core.js")):
            assert not set(NAMES) & set((await anybody.get(path)).headers), "what monitors and pages ask often"


async def test_the_inbox_itself_never_meets_a_limit(limited_world: World) -> None:
    """A person who reads fast: a conversation a second for a minute, with all that a page asks for each time."""
    world = limited_world
    alice, maya = await world.session("alice"), await talk(world)
    now = hold(world)
    for _ in range(60):
        for path in (maya.base, f"{maya.base}/state", f"{maya.base}/messages", f"/w/{world.acme.slug}/inbox/list"):
            answer = await alice.get(path, headers={"HX-Request": "true"})
            assert answer.status_code == 200, (path, answer.headers["ratelimit"])
        for path in ("read", "typing"):
            assert (await alice.post(f"{maya.base}/{path}")).status_code == 204
        now.seconds += 1


async def test_many_keys_are_still_one_address_and_one_workspace(limited_world: World) -> None:
    world = limited_world
    scripts = [world.client(await world.key(world.acme)) for _ in range(11)]
    async with AsyncExitStack() as stack:
        for script in scripts:
            await stack.enter_async_context(script)
        now = hold(world)
        answers = [await script.get("/api/v1/tags") for script in scripts for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 3, "thirty in a second"
        assert ";q=30;w=1" in answers[-1].headers["ratelimit-policy"]
        for _ in range(9):
            now.seconds += 1.001
            answers += [await scripts[number % 11].get("/api/v1/tags") for number in range(22)]
        assert sum(answer.status_code == 200 for answer in answers) == 200, "and two hundred in ten"
        _refused(answers[-1])
        assert (await scripts[0].get("/healthz")).status_code == 200


async def test_a_key_may_have_limits_of_its_own(limited_world: World) -> None:
    world = limited_world
    key = await world.key(world.acme)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE api_key SET limits_json = ? WHERE id = (SELECT max(id) FROM api_key)",
                         msgspec.json.encode([[6, 1], [7, 10]]).decode())
    now = hold(world)
    async with world.client(key) as script:
        answers = [await script.get("/api/v1/tags") for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 6 + [429]
        now.seconds += 1.1
        assert [(await script.get("/api/v1/tags")).status_code for _ in range(2)] == [200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"s";q=6;w=1, "l";q=7;w=10'


async def test_strangers_are_slowed_down_by_their_address(limited_world: World) -> None:
    world, now = limited_world, hold(limited_world)
    async with httpx.AsyncClient(base_url=world.base) as anybody:
        for number in range(61):
            anybody.headers["X-Forwarded-For"] = f"198.51.100.{number}"
            answer = await anybody.get("/api/v1/tags", headers={"Authorization": f"Bearer chime_guess{number}"})
            assert answer.status_code == (401 if number < 60 else 429), number
            now.seconds += 0.11
        _refused(answer)
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await anybody.get("/sign-in")).status_code == 429, "one address, one count"
        assert (await anybody.get("/healthz")).status_code == 200


async def test_nobody_tries_numbers_out(limited_world: World) -> None:
    """Whether a number is among the contacts is worth guessing; words are not."""
    world, now = limited_world, hold(limited_world)
    alice = await world.session("alice")
    search = f"/w/{world.acme.slug}/inbox/list"
    numbers = [await alice.get(search, params={"q": f"+1415555{number:04}"}) for number in range(11)]
    assert [answer.status_code for answer in numbers] == [200] * 10 + [429]
    assert (await alice.get(search, params={"q": "harbour"})).status_code == 200
    now.seconds += 11
    assert (await alice.get(search, params={"q": "+14155550101"})).status_code == 200


async def test_streams_have_places(limited_world: World) -> None:
    """Four in a session, eight for a person."""
    world, now = limited_world, hold(limited_world)
    alice = await world.session("alice")
    events = f"/w/{world.acme.slug}/events"
    async with AsyncExitStack() as stack:
        sessions = [alice]
        for _ in range(2):
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=world.base, timeout=20))
            now.seconds += 61
            answer = await client.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
            assert answer.status_code == 303
            sessions.append(client)
        async with AsyncExitStack() as first:
            for _ in range(4):
                await first.enter_async_context(listening(alice, world.acme))
            refused = await alice.get(events)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
            async with AsyncExitStack() as second:
                for _ in range(4):
                    await second.enter_async_context(listening(sessions[1], world.acme))
                assert (await sessions[2].get(events)).status_code == 429, "nine of one person"
        async with asyncio.timeout(10):
            while world.services.hub.streams:
                await asyncio.sleep(0.02)
        async with listening(alice, world.acme):
            pass


async def test_only_webhooks_that_nobody_signed_are_counted(limited_world: World) -> None:
    world = limited_world
    hold(world)
    forged = [await world.webhook({"object": "x"}, secret="not the secret") for _ in range(12)]
    assert [answer.status_code for answer in forged] == [401] * 10 + [429] * 2
    assert forged[-1].headers["retry-after"] == "2"
    for _ in range(40):
        answer = await world.webhook({"object": "whatsapp_business_account", "entry": []}, secret=APP_SECRET)
        assert answer.status_code == 200, "Meta's are taken however many they are, from the same address too"


async def test_a_refused_sign_in_checks_no_password(limited_world: World) -> None:
    world, now = limited_world, hold(limited_world)
    attempts = "SELECT count(*) FROM audit_event WHERE object_kind = 'session' OR action LIKE 'session.%'"
    before = await world.services.control.db.value(attempts)
    async with httpx.AsyncClient(base_url=world.base, timeout=20) as anybody:
        answers = [await anybody.get("/sign-in") for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        form = {"email": "alice@example.com", "password": PASSWORD}
        refused = await anybody.post("/sign-in", data=form)
        _refused(refused)
        assert "set-cookie" not in refused.headers
        assert await world.services.control.db.value(attempts) == before
        now.seconds += 2
        assert (await anybody.post("/sign-in", data=form)).status_code == 303
