"""The way back in: whose mailbox gets the link, what it is good for, and that no request can bend it."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path

import httpx
import pytest

from chime import user_commands
from chime.accounts import reset_pages
from chime.accounts.passwords import begin_reset
from chime.accounts.sessions import end_sessions_of
from chime.clock import MINUTE
from chime.config import MailServer as Where
from chime.errors import NotFound, Refused
from chime.security.permissions import SYSTEM
from tests.http.account_setup import App, id_of, new_app, second_step, sign_in, stranger
from tests.support.mail_server import MailServer, mail_server
from tests.support.world import PASSWORD, World, running_world

PUBLIC = "https://chime.example"
LINK = re.compile(r"https?://\S+")


class Post:
    """A world with a mail server."""

    def __init__(self, world: World, server: MailServer) -> None:
        self.world = world
        self.server = server

    async def arrived(self, number: int = 1) -> str:
        """The text of the newest mail, once there are so many."""
        async with asyncio.timeout(15):
            while len(self.server.mails) < number:
                await asyncio.sleep(0.02)
        return self.server.mails[-1].text

    async def quiet(self) -> int:
        """How many mails there are when every request for one is dealt with."""
        async with asyncio.timeout(60):
            while reset_pages._under_way or await self.world.services.control.db.value(
                    "SELECT count(*) FROM outgoing_mail WHERE state = 'queued'"):
                await self.world.services.mailer.send_due()
                await asyncio.sleep(0.02)
        return len(self.server.mails)


@asynccontextmanager
async def posting(installation: Path, folder: Path) -> AsyncIterator[Post]:
    async with mail_server() as server, running_world(
            installation, folder, public_url=PUBLIC, mail_server=Where("127.0.0.1", server.port, "plain")) as world:
        yield Post(world, server)


@pytest.fixture
async def post(installation: Path, tmp_path: Path) -> AsyncIterator[Post]:
    async with posting(installation, tmp_path / "data") as found:
        yield found


def path_in(mail: str) -> str:
    found = LINK.search(mail)
    assert found is not None and found[0].startswith(f"{PUBLIC}/reset-password/")
    return found[0].removeprefix(PUBLIC)


async def test_a_link_sets_a_password_once(post: Post) -> None:
    async with stranger(post.world) as browser:
        kim = await post.world.session("kim")
        answer = await browser.post("/forgot-password", data={"email": "KIM@example.com"})
        assert answer.status_code == 200 and "If there is an account" in answer.text
        path = path_in(await post.arrived())
        assert post.server.mails[0].recipients == ["kim@example.com"]
        stored = str(await post.world.services.control.db.rows("SELECT * FROM password_reset"))
        assert path.rpartition("/")[2] not in stored
        form = await browser.get(path)
        assert form.status_code == 200 and form.headers["referrer-policy"] in ("no-referrer", "same-origin")
        weak = await browser.post(path, data={"password": "password123456789", "again": "password123456789"})
        assert weak.status_code == 422 and "Many people use" in weak.text
        new = "a sentence she will remember"
        done = await browser.post(path, data={"password": new, "again": new})
        assert done.headers["location"] == "/sign-in?said=reset" and "chime" not in browser.cookies
        assert (await browser.post(path, data={"password": new, "again": new})).status_code == 404
        assert (await kim.get("/me")).status_code == 303, "every session ended"
        assert (await sign_in(browser, password=PASSWORD)).status_code == 422
        assert (await sign_in(browser, password=new)).status_code == 303
        assert "set anew with a link" in (await browser.get("/me/security")).text


async def test_a_link_is_good_for_half_an_hour(post: Post) -> None:
    async with stranger(post.world) as browser:
        await browser.post("/forgot-password", data={"email": "kim@example.com"})
        path = path_in(await post.arrived())
        post.world.clock.pass_time(29 * MINUTE)
        assert (await browser.get(path)).status_code == 200
        post.world.clock.pass_time(2 * MINUTE)
        assert (await browser.get(path)).status_code == 404
        new = "a sentence she will remember"
        assert (await browser.post(path, data={"password": new, "again": new})).status_code == 404


async def test_a_link_does_not_stand_in_for_a_second_factor(post: Post) -> None:
    app = await new_app(post.world, await post.world.session("kim"))
    async with stranger(post.world) as browser:
        before = await post.quiet()
        await browser.post("/forgot-password", data={"email": "kim@example.com"})
        path = path_in(await post.arrived(before + 1))
        new = "a sentence she will remember"
        await browser.post(path, data={"password": new, "again": new})
        assert (await sign_in(browser, password=new)).headers["location"] == "/sign-in/second-step"
        assert (await browser.get("/me")).status_code == 303
        assert (await second_step(browser, code=app.next_code())).headers["location"] == "/"


async def test_the_answer_is_the_same_for_everybody(post: Post) -> None:
    async with post.world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE user SET disabled_at = 1 WHERE email = 'vera@example.com'")
    answers = set()
    async with stranger(post.world) as browser:
        for email in ("kim@example.com", "nobody@example.com", "vera@example.com", "kim@example.com"):
            answer = await browser.post("/forgot-password", data={"email": email})
            answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    assert await post.quiet() == 1, "one mail: nobody has no box, and a second link a moment later is no help"


async def test_two_clicks_at_once_send_one_link(post: Post) -> None:
    async with stranger(post.world) as browser:
        await asyncio.gather(*(browser.post("/forgot-password", data={"email": "kim@example.com"}) for _ in range(3)))
    assert await post.quiet() == 1


HEADERS: tuple[dict[str, str], ...] = (
    {}, {"Host": "evil.example"}, {"Host": "chime.example.evil.example"}, {"Host": "chime.example@evil.example"},
    {"Host": "evil.example:443"}, {"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"},
    {"X-Host": "evil.example"}, {"X-Original-Host": "evil.example"}, {"X-Forwarded-Server": "evil.example"},
    {"X-HTTP-Host-Override": "evil.example"}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Prefix": "/evil"},
    {"X-Original-URL": "https://evil.example/"}, {"Referer": "https://evil.example/"}, {"X-Forwarded-Port": "666"},
)
BODIES = tuple(body.encode() for body in (
    "email=kim@example.com", "email=kim@example.com&email=eve@evil.example",
    "email=eve@evil.example&email=kim@example.com",
    "email[]=kim@example.com&email[]=eve@evil.example", "email=kim@example.com,eve@evil.example",
    "email=kim@example.com;eve@evil.example", "email=kim@example.com%0aCc:eve@evil.example",
    "email=kim@example.com%0d%0aBcc:eve@evil.example", "email=kim@example.com%20eve@evil.example",
    "email=kim@example.com%00eve@evil.example", "email=kim@example.com%2ceve@evil.example",
    "email=%22eve@evil.example%22%20kim@example.com", "email=kim@example.com|eve@evil.example",
    "email=kim%40example.com&user[email]=eve@evil.example", "email=<kim@example.com>eve@evil.example",
    "email=k%C4%B1m@example.com", "email=kim@example.com.evil.example", "email=kim@ex%D0%B0mple.com",
    "email=kim@example.com&host=evil.example&url=https://evil.example/", "email=kim@example.com&to=eve@evil.example",
    "email={\"email\":[\"kim@example.com\",\"eve@evil.example\"]}", "email=&email=kim@example.com",
    "email=KIM@EXAMPLE.COM&Email=eve@evil.example", "email=kim@example.com&reply_to=eve@evil.example",
    "email=eve@evil.example%20<kim@example.com>"))


async def test_auth_5_four_hundred_bent_requests(post: Post) -> None:
    """No header and no form sends the link elsewhere, or writes another address into it."""
    table = list(product(HEADERS, BODIES))
    assert len(table) == 400
    async with stranger(post.world) as browser:
        for headers, body in table:
            answer = await browser.post("/forgot-password", content=body, headers={
                "Content-Type": "application/x-www-form-urlencoded", **headers})
            assert answer.status_code in (200, 400, 403, 422, 429), (headers, body, answer.status_code)
            assert "evil.example" not in answer.headers.get("location", "")
            await asyncio.gather(*reset_pages._under_way)
            post.world.clock.pass_time(6 * MINUTE)
        for json in ('{"email": ["kim@example.com", "eve@evil.example"]}', '{"email": {"$ne": ""}}'):
            answer = await browser.post("/forgot-password", content=json, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 422)
    assert await post.quiet() > 100
    for mail in post.server.mails:
        assert mail.recipients == ["kim@example.com"] and "evil" not in mail.raw.decode()
        assert path_in(mail.text)


async def test_without_mail_the_page_says_whom_to_ask(world: World) -> None:
    async with stranger(world) as browser:
        assert "chime user reset-password" in (await browser.get("/forgot-password")).text
        answer = await browser.post("/forgot-password", data={"email": "kim@example.com"})
        assert answer.status_code == 200
    assert await world.services.control.db.value("SELECT count(*) FROM password_reset") == 0


async def test_an_admin_has_a_link_mailed_and_never_sees_it(post: Post) -> None:
    kim, alice = await id_of(post.world, "kim"), await post.world.session("alice")
    path = f"/w/acme/settings/members/{kim}/account"
    answer = await alice.post(f"{path}/password-reset")
    assert answer.headers["location"].endswith("?said=mailed")
    token = path_in(await post.arrived()).rpartition("/")[2]
    assert token not in (await alice.get(path)).text and token not in str(answer.headers)
    assert (await (await post.world.session("mo")).post(f"{path}/password-reset")).status_code == 403


async def test_the_shell_makes_links_and_takes_factors_away(world: World) -> None:
    config = world.services.config
    app = await new_app(world, await world.session("kim"))
    made = await user_commands.reset_password(config, "kim@example.com")
    path = made.link.removeprefix(world.base)
    new = "a sentence she will remember"
    async with stranger(world) as browser:
        assert (await browser.post(path, data={"password": new, "again": new})).status_code == 303
        assert (await sign_in(browser, password=new)).headers["location"] == "/sign-in/second-step"
        assert await user_commands.reset_second_factor(config, "kim@example.com") == made.user_id
        over = await second_step(browser, code=app.next_code())
        assert over.headers["location"] == "/sign-in?said=expired", "it began with what does not count any more"
        assert (await sign_in(browser, password=new)).headers["location"] == "/"
    listed = {user.email: user for user in await user_commands.list_users(config)}
    assert listed["kim@example.com"].workspaces == ("Acme",) and not listed["kim@example.com"].second_factor
    assert listed["alice@example.com"].is_operator
    with pytest.raises(Refused):
        await user_commands.reset_second_factor(config, "kim@example.com")
    with pytest.raises(NotFound):
        await user_commands.reset_password(config, "nobody@example.com")
    rows = await world.services.control.db.rows("SELECT actor_kind FROM audit_event WHERE action IN "
                                                "('second_factor.taken', 'password.reset_begun')")
    assert set(rows) == {("operator",)}


class Account:
    """AUTH-6: what must be true of one account, kept by a model beside the real one."""

    def __init__(self, world: World, kim: httpx.AsyncClient) -> None:
        self.world = world
        self.kim = kim
        self.password = PASSWORD
        self.old = ["a password she never had"]
        self.links: list[str] = []
        self.used: list[str] = []
        self.app: App | None = None

    async def set_by_link(self, link: str, rng: random.Random) -> None:
        new = f"sentence number {rng.randrange(10**9)} of many"
        async with stranger(self.world) as browser:
            answer = await browser.post(link, data={"password": new, "again": new})
        assert (answer.status_code == 303) == (link in self.links), link
        if answer.status_code == 303:
            self.used += self.links
            self.links = []
            self.old.append(self.password)
            self.password = new

    async def try_to_enter(self, rng: random.Random) -> None:
        password = rng.choice([self.password, rng.choice(self.old)])
        way = rng.choice(["right", "wrong", "none"])
        async with stranger(self.world) as browser:
            answer = await sign_in(browser, password=password)
            if self.app is not None and way != "none" and answer.status_code == 303:
                code = self.app.next_code() if way == "right" else "000000"
                await second_step(browser, code=code)
            inside = (await browser.get("/me")).status_code == 200
        may = password == self.password and (self.app is None or way == "right")
        assert inside == may, (way, password == self.password, self.app)

    async def step(self, rng: random.Random) -> None:
        kind = rng.choice(["link", "use", "use used", "enter", "enter", "app", "no app", "late"])
        if kind == "link":
            async with self.world.services.control.write(SYSTEM) as tx:
                token = await begin_reset(tx, self.world.services.ids, await id_of(self.world, "kim"),
                                          self.world.clock.real_now())
            self.links.append(f"/reset-password/{token}")
        elif kind == "use" and self.links:
            await self.set_by_link(rng.choice(self.links), rng)
        elif kind == "use used" and self.used:
            await self.set_by_link(rng.choice(self.used), rng)
        elif kind == "enter":
            await self.try_to_enter(rng)
        elif kind == "app" and self.app is None:
            async with stranger(self.world) as browser:
                await sign_in(browser, password=self.password)
                page = await browser.get("/me")
                browser.headers["X-CSRF-Token"] = page.text.split('name="csrf-token" content="')[1].split('"')[0]
                self.app = await new_app(self.world, browser)
        elif kind == "no app" and self.app is not None:
            await user_commands.reset_second_factor(self.world.services.config, "kim@example.com")
            self.app = None
        elif kind == "late":
            self.world.clock.pass_time(31 * MINUTE)
            self.used += self.links
            self.links = []
        async with self.world.services.control.write(SYSTEM) as tx:
            await tx.execute("DELETE FROM throttle")
            await end_sessions_of(tx, await id_of(self.world, "kim"))


async def test_auth_6_whatever_happened_before_only_what_holds_now_opens(world: World) -> None:
    rng, account = random.Random(6), Account(world, await world.session("kim"))
    for _ in range(40):
        await account.step(rng)


@pytest.mark.nightly
@pytest.mark.timeout(14_400)
async def test_auth_6_at_length(world: World) -> None:
    rng, account = random.Random(66), Account(world, await world.session("kim"))
    for _ in range(20_000):
        await account.step(rng)
