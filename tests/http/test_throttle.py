"""Guessing passwords: how many guesses are looked at, who is kept out meanwhile, and who is not."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from chime.app import build
from chime.clock import DAY, HOUR, MINUTE, SECOND, Clock
from chime.errors import TooMany
from chime.web.throttle import MOST_IN_A_ROW, Locked, Mark, Throttle, wait_after
from tests.http.account_setup import id_of, sign_in, stranger
from tests.support.world import World, running_world

WRONG = "not the password of anybody"


@pytest.fixture
async def behind_proxy(installation: Path, tmp_path: Path) -> AsyncIterator[World]:
    """A world that believes our X-Forwarded-For, so that a test has many addresses."""
    async with running_world(installation, tmp_path / "data",
                             trusted_proxies=(ip_network("127.0.0.0/8"),)) as found:
        yield found


def as_from(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def guess(browser: httpx.AsyncClient, address: str, email: str, password: str = WRONG) -> int:
    answer = await browser.post("/sign-in", data={"email": email, "password": password}, headers=as_from(address))
    return answer.status_code


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    waits = [wait_after(failures) // SECOND for failures in (0, 4, 5, 6, 7, 14, 15, 99)]
    assert waits == [0, 0, 1, 2, 4, 512, 900, 900]


async def evaluated(throttle: Throttle, clock: World, guesses: int) -> int:
    """How many of so many guesses at one account, from a thousand addresses, are looked at in a month."""
    found = 0
    for number in range(guesses):
        address = f"10.{number % 1000 // 250}.{number % 250}.7"
        try:
            await throttle.begin(Mark("account", "alice@example.com"), Mark("address", address),
                                 Mark("network", f"{address}/24"))
            found += 1
        except Locked:
            clock.clock.pass_time(HOUR)
        except TooMany as error:
            clock.clock.pass_time(int(error.retry_after * 1000) + 1)
    return found


async def test_auth_3_a_hundred_guesses_at_an_account_and_no_more(world: World) -> None:
    assert await evaluated(world.services.throttle, world, 300) == MOST_IN_A_ROW
    async with stranger(world) as browser:
        answer = await sign_in(browser, "alice")
        assert answer.status_code == 429 and "Reset the password" in answer.text
        answer = await sign_in(browser, "mo")
        assert answer.status_code == 303, "nobody else is kept out"


@pytest.mark.nightly
@pytest.mark.timeout(3600)
async def test_auth_3_with_a_hundred_thousand_guesses(world: World) -> None:
    assert await evaluated(world.services.throttle, world, 100_000) == MOST_IN_A_ROW


async def test_auth_3_strangers_cannot_lock_the_owner_out(behind_proxy: World) -> None:
    async with stranger(behind_proxy) as owner, stranger(behind_proxy) as attacker:
        own = as_from("192.0.2.10")
        owner.headers.update(own)
        assert (await sign_in(owner, "alice")).status_code == 303
        owner.cookies.delete("chime")
        for number in range(12):
            await guess(attacker, f"198.51.{number}.7", "alice@example.com")
        assert await guess(attacker, "198.51.100.7", "alice@example.com") == 429
        began = time.monotonic()
        assert (await sign_in(owner, "alice")).status_code == 303, "the device is known"
        assert time.monotonic() - began < 8
        assert "chime-device" in owner.cookies
        stolen = owner.cookies["chime-device"]
    async with stranger(behind_proxy) as other:
        other.cookies.set("chime-device", stolen)
        for _ in range(5):
            assert await guess(other, "203.0.113.9", "alice@example.com") == 422
        assert await guess(other, "203.0.113.9", "alice@example.com") == 429, "a device has an allowance, no more"
        assert await guess(other, "203.0.113.9", "bob@example.com") == 422, "and only for its own people"


async def test_auth_4_many_accounts_from_one_address_are_stopped(behind_proxy: World) -> None:
    async with stranger(behind_proxy) as attacker:
        statuses = [await guess(attacker, "203.0.113.5", f"person{number}@example.com") for number in range(30)]
        assert statuses == [422] * 20 + [429] * 10
        assert await guess(attacker, "203.0.113.6", "person1@example.com") == 422, "their neighbour may"
        behind_proxy.clock.pass_time(15 * MINUTE + SECOND)
        assert await guess(attacker, "203.0.113.5", "person99@example.com") == 422


async def test_auth_4_a_whole_network_is_stopped_and_ipv6_counts_by_64(world: World) -> None:
    throttle = world.services.throttle
    for number in range(200):
        await throttle.begin(Mark("network", "203.0.113.0/24"), Mark("address", str(number)))
    with pytest.raises(TooMany):
        await throttle.begin(Mark("network", "203.0.113.0/24"), Mark("address", "unused"))
    await throttle.begin(Mark("network", "203.0.114.0/24"), Mark("address", "unused"))


async def test_a_hundred_guesses_at_one_moment_are_a_hundred_guesses(world: World) -> None:
    throttle = world.services.throttle

    async def one() -> bool:
        try:
            await throttle.begin(Mark("account", "vera@example.com"))
        except TooMany:
            return False
        return True

    assert sum(await asyncio.gather(*(one() for _ in range(100)))) == 5


async def test_a_restart_and_a_clock_turned_forward_forgive_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = Mark("account", "bob@example.com")
    for _ in range(5):
        await world.services.throttle.begin(mark)
    again = await build(world.services.config, world.services.control.keys, clock=world.clock)
    try:
        with pytest.raises(TooMany):
            await again.throttle.begin(mark)
    finally:
        await again.control.close()
        again.passwords.close()
    monkeypatch.setattr(world.clock, "real_now", lambda: Clock().real_now() + 40 * DAY)
    with pytest.raises(TooMany):
        await world.services.throttle.begin(mark)


async def test_what_was_not_looked_at_is_not_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(password: str, stored: str | None) -> bool:
        raise TooMany("Too many people sign in at this moment. Try again.", retry_after=1)

    monkeypatch.setattr(world.services.passwords, "verify", busy)
    async with stranger(world) as browser:
        for _ in range(8):
            assert (await sign_in(browser, "bob")).status_code == 429
    assert await world.services.throttle.failures(Mark("account", "bob@example.com")) == 0


async def test_the_table_tells_no_address_that_was_tried(world: World) -> None:
    async with stranger(world) as browser:
        await browser.post("/sign-in", data={"email": "secret.lover@example.com", "password": WRONG})
    rows = await world.services.control.db.rows("SELECT * FROM throttle")
    assert rows and "secret.lover" not in str(rows) and "127.0.0.1" not in str(rows)


async def test_ten_failures_are_told_to_the_person(world: World) -> None:
    async with stranger(world) as browser:
        for number in range(10):
            world.clock.pass_time(wait_after(number) + SECOND)
            assert (await sign_in(browser, "vera", WRONG)).status_code == 422
    page = await (await world.session("bob")).get("/me/security")
    assert "ten times or more" not in page.text
    kinds = await world.services.control.db.rows("SELECT kind FROM notice WHERE user_id = ?",
                                                 await id_of(world, "vera"))
    assert kinds == [("many_failures",)]


async def compared(world: World, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """ENUM-1: how long known, unknown and disabled take, and that every byte is the same."""
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE user SET disabled_at = 1 WHERE email = 'vera@example.com'")
    took: dict[str, list[float]] = {"bob@example.com": [], "nob@example.com": [], "vera@example.com": []}
    said: set[tuple[str, str]] = set()
    async with stranger(world) as browser:
        for number in range(rounds):
            for email in took:
                began = time.perf_counter()
                answer = await browser.post("/sign-in", data={"email": email, "password": WRONG}, headers=as_from(
                    f"10.{number // 62500 % 250}.{number // 250 % 250}.{number % 250 + 1}"))
                took[email].append(time.perf_counter() - began)
                volatile = {"date", "x-request-id", "content-length", "x-ratelimit-remaining", "x-ratelimit-reset",
                            "ratelimit"}
                headers = {name: value for name, value in answer.headers.items() if name not in volatile}
                said.add((answer.text.replace(email, "…"), str((answer.status_code, headers))))
            async with world.services.control.ingest("test") as tx:
                await tx.execute("DELETE FROM throttle")
    assert len(said) == 1, "the answers differ"
    return took["bob@example.com"], took["nob@example.com"], took["vera@example.com"]


async def test_enum_1_the_answers_are_the_same(behind_proxy: World) -> None:
    known, unknown, disabled = await compared(behind_proxy, 8)
    usual = statistics.median(known)
    assert usual / 3 < statistics.median(unknown) < usual * 3
    assert usual / 3 < statistics.median(disabled) < usual * 3


@pytest.mark.nightly
@pytest.mark.timeout(7200)
async def test_enum_1_the_times_are_the_same(behind_proxy: World) -> None:
    """Two samples of the same thing differ in their distribution functions by less than 1.63 * sqrt(2 / n) in 99 of a
    hundred cases (Kolmogorov and Smirnov)."""
    known, unknown, _ = await compared(behind_proxy, 2_000)
    both = sorted([(value, 1) for value in known] + [(value, -1) for value in unknown])
    difference = apart = 0.0
    for _value, side in both:
        difference += side / len(known)
        apart = max(apart, abs(difference))
    assert apart < 1.63 * (2 / len(known)) ** 0.5, apart


async def test_rate_5_a_flood_of_sign_ins_is_refused_and_the_rest_goes_on(world: World) -> None:
    kim = await world.session("kim")
    async with stranger(world) as browser:
        flood = [asyncio.create_task(browser.post("/sign-in", data={"email": f"p{number}@example.com",
                                                                    "password": WRONG})) for number in range(80)]
        answer = await kim.get("/healthz")
        assert answer.status_code == 200
        statuses = {answer.status_code for answer in await asyncio.gather(*flood)}
        assert statuses <= {422, 429}
