"""T07 and CONF-2: until there is an installation only whoever has the printed token learns or does anything, and every
wrong answer names its field and keeps the rest.
"""

from __future__ import annotations

import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from chime.clock import DAY, HOUR
from chime.config import load
from chime.setup import is_set_up
from chime.web.egress import Answer, Unreachable
from tests.http.all_routes import addresses
from tests.http.first_run_setup import FirstRun, csrf, error_of, first_run, send
from tests.support.first_run import NUMBER_FORM, OWNER, meta
from tests.support.world import free_port


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[FirstRun]:
    async with first_run(tmp_path) as found:
        yield found


# -- Without the token -------------------------------------------------------------------------------------------------

async def test_without_the_token_every_address_is_shut(run: FirstRun) -> None:
    """All of the product's, and the wizard's own steps."""
    own = [(method, f"/setup/{step}") for step in ("owner", "key", "address", "whatsapp", "finish")
           for method in ("GET", "POST")] + [("GET", "/setup/key/sheet")]
    product = {(one.method, one.path) for one in addresses("acme")} - {("POST", "/csp-report")}
    product = {one for one in product if not one[1].startswith(("/static/", "/healthz", "/setup"))}
    assert len(product) > 200
    async with run.browser() as client:
        for method, path in [*own, *sorted(product)]:
            answer = await client.request(method, path)
            is_led = answer.status_code == 303 and answer.headers["location"] == "/setup"
            is_put_off = answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
            assert is_led or is_put_off, (method, path, answer.status_code)
            assert len(answer.content) < 200 and not answer.cookies
        assert (await client.get("/healthz")).text == "ok\n"
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "waiting for set-up\n")
        webhook = await client.post("/webhooks/whatsapp/whatever", json={"entry": []})
        assert webhook.status_code == 503 and webhook.headers["retry-after"]
        door = (await client.get("/setup")).text
    assert run.token not in door and "CHIME RECOVERY" not in door and str(run.config.data_dir) not in door
    assert not is_set_up(run.config)


async def test_wrong_tokens_are_refused_and_soon_not_even_looked_at(tmp_path: Path) -> None:
    async with first_run(tmp_path, rate_factor=1) as run, run.browser() as client:
        statuses = []
        for guess in range(12):
            answer = await client.post("/setup/session", data={"token": f"{run.token[:-2]}{guess:02}"})
            statuses.append(answer.status_code)
            assert not answer.cookies and run.token not in answer.text
        assert statuses[:5] == [422] * 5 and set(statuses[5:]) == {429}
        assert int(answer.headers["retry-after"]) > 0
        # Whoever has it is not kept out by who has not, be it from the same address.
        await run.opened(client)


async def test_the_token_is_kept_as_a_hash_and_said_where_only_its_owner_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    async with first_run(tmp_path) as run:
        said = capsys.readouterr()
        assert said.out.count(run.token) == 1 and run.token not in said.err
        assert len(run.token) >= 43, "256 bits"
        kept = run.config.data_dir / "first-run"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert run.token not in repr(vars(run.desk.token)) and run.token not in repr(vars(run.desk))
        async with run.browser() as client:
            await run.opened(client)
            await client.post("/setup/session", data={"token": "something else"})
        said = capsys.readouterr()
        assert run.token not in said.out + said.err


async def test_after_a_day_neither_token_nor_session_is_good(run: FirstRun) -> None:
    async with run.browser() as early, run.browser() as late:
        await run.opened(early)
        run.clock.pass_time(DAY - HOUR)
        assert (await early.get("/setup/owner")).status_code == 200
        run.clock.pass_time(HOUR)
        assert (await early.get("/setup/owner")).status_code == 303
        answer = await late.post("/setup/session", data={"token": run.token})
        assert answer.status_code == 422 and not answer.cookies
        assert "prints a new address" in (await late.get("/setup")).text


async def test_another_browser_takes_over_with_the_token_alone(run: FirstRun) -> None:
    async with run.browser() as first, run.browser() as other:
        await run.opened(first)
        await send(first, "owner", OWNER)
        assert (await other.get("/setup/key")).headers["location"] == "/setup"
        other.cookies.set("chime-setup", "a guess")
        assert (await other.get("/setup/key")).headers["location"] == "/setup"
        other.cookies.clear()
        await run.opened(other)
        assert OWNER["email"] in (await other.get("/setup/owner")).text, "what was answered is not lost"
        assert (await first.get("/setup/owner")).headers["location"] == "/setup"
        assert "another browser" in (await first.get("/setup")).text


# -- With it -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                                     {"Origin": "https://evil.example"}, {"Origin": "null"}])
async def test_other_sites_do_nothing_through_the_browser(run: FirstRun, headers: dict[str, str]) -> None:
    async with run.browser() as client:
        assert (await client.post("/setup/session", data={"token": run.token}, headers=headers)).status_code == 403
        await run.opened(client)
        token = await csrf(client, "/setup/owner")
        for step in ("owner", "key", "address", "whatsapp", "finish"):
            answer = await client.post(f"/setup/{step}", data={"csrf_token": token, **OWNER}, headers=headers)
            assert answer.status_code == 403
            answer = await client.post(f"/setup/{step}", data=OWNER)
            assert answer.status_code == 403, "without its page's token"
    assert run.desk.draft.owner is None


async def test_headers_and_cookies_are_those_of_the_appliance(tmp_path: Path) -> None:
    config = load(environment={"CHIME_TRUSTED_PROXIES": "127.0.0.1"})
    async with first_run(tmp_path, trusted_proxies=config.trusted_proxies) as run:
        async with run.browser() as client:
            plain = await client.post("/setup/session", data={"token": run.token})
            cookie = plain.headers["set-cookie"].lower()
            assert cookie.startswith("chime-setup=") and "httponly" in cookie and "samesite=strict" in cookie
            page = await client.get("/setup/owner")
            assert "script-src 'self'" in page.headers["content-security-policy"]
            assert page.headers["referrer-policy"] == "same-origin" and page.headers["x-frame-options"] == "DENY"
            assert page.headers["cache-control"] == "no-store"
        async with run.browser(**{"X-Forwarded-Proto": "https"}) as client:
            safe = await client.post("/setup/session", data={"token": run.token})
            cookie = safe.headers["set-cookie"].lower()
            assert cookie.startswith("__host-chime-setup=") and "; secure" in cookie
            assert "strict-transport-security" in safe.headers


BAD_OWNERS = [("name", ""), ("name", "x" * 81), ("email", "nobody"), ("password", ""), ("password", "short"),
              ("password", "okafor tiles okafor tiles"), ("password", "passwordpassword"), ("workspace", ""),
              ("workspace", "w" * 81), ("time_zone", "Moon/Crater"), ("locale", "tlh")]


@pytest.mark.parametrize(("field", "value"), BAD_OWNERS)
async def test_a_wrong_answer_is_named_and_the_others_are_kept(run: FirstRun, field: str, value: str) -> None:
    async with run.browser() as client:
        await run.opened(client)
        answer = await send(client, "owner", OWNER | {field: value})
        assert answer.status_code == 422 and error_of(answer.text, field), (field, value)
        for name in {"name", "email", "workspace"} - {field}:
            assert f'value="{OWNER[name]}"' in answer.text
        assert OWNER["password"] not in answer.text and run.desk.draft.owner is None


async def test_back_and_forth_without_losing_anything(run: FirstRun) -> None:
    async with run.browser() as client:
        await run.opened(client)
        for step in ("key", "address", "whatsapp", "finish"):
            early = await client.get(f"/setup/{step}")
            assert early.headers["location"] == "/setup/owner", "not before who it is for"
        await send(client, "owner", OWNER)
        again = await client.get("/setup/owner")
        assert OWNER["workspace"] in again.text and OWNER["password"] not in again.text
        # An empty password keeps the one that was given.
        answer = await send(client, "owner", OWNER | {"password": "", "workspace": "Okafor & Sons"})
        assert answer.status_code == 303
        owner = run.desk.draft.owner
        assert owner is not None and owner.password.reveal() == OWNER["password"] and owner.workspace == "Okafor & Sons"


async def test_the_sheet_is_shown_until_it_is_kept_and_never_over_plain_http(run: FirstRun) -> None:
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        exposed = await client.get("/setup/key", headers={"Host": "chime.shop.example"})
        assert "MASTER KEY" not in exposed.text and "chime keys sheet" in exposed.text
        hidden = await client.get("/setup/key/sheet", headers={"Host": "chime.shop.example"})
        assert hidden.status_code == 303
        page = (await client.get("/setup/key")).text
        saved = await client.get("/setup/key/sheet")
        assert "attachment" in saved.headers["content-disposition"] and saved.headers["cache-control"] == "no-store"
        lines = re.findall(r"^ {4}(\S{4}) .*\[[0-9a-f]{2}\]$", saved.text, re.M)
        assert "MASTER KEY" in page and len(lines) == 4
        for wrong in ("", "none", lines[1]):
            answer = await send(client, "key", {"check": wrong, "do": "check"})
            assert answer.status_code == 422 and error_of(answer.text, "check")
        assert (await send(client, "key", {"check": f" {lines[2]} ", "do": "check"})).status_code == 303
        assert "MASTER KEY" not in (await client.get("/setup/key")).text
        assert (await client.get("/setup/key/sheet")).status_code == 303


BAD_PLACES = [("public_url", {"public_url": "chime.example.com"}), ("public_url", {"public_url": "ftp://x"}),
              ("trusted_proxies", {"trusted_proxies": "0.0.0.0/0"}), ("trusted_proxies", {"trusted_proxies": "mine"}),
              ("mail_host", {"mail_host": "a/b"}), ("mail_host", {"mail_user": "ada"}),
              ("mail_host", {"mail_host": "mail.example.com", "mail_security": "plain"}),
              ("mail_port", {"mail_host": "mail.example.com", "mail_port": "70000"}),
              ("mail_security", {"mail_host": "mail.example.com", "mail_security": "none"}),
              ("mail_from", {"mail_host": "mail.example.com", "mail_from": "nobody"})]


@pytest.mark.parametrize(("field", "fields"), BAD_PLACES)
async def test_a_wrong_address_or_mail_server_is_named(run: FirstRun, field: str, fields: dict[str, str]) -> None:
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        for button in ("next", "look", "mail"):
            secret = {"mail_password": "hush"} if "mail_host" in fields else {}
            answer = await send(client, "address", {**secret, **fields, "do": button})
            assert answer.status_code == 422 and error_of(answer.text, field), (field, button)
            assert "hush" not in answer.text
    assert run.desk.draft.options() == {}


class Outside:
    """The way out and back in, as a reverse proxy on this machine would have it."""

    def __init__(self, base: str, headers: dict[str, str] | None) -> None:
        self.base = base
        self.headers = headers

    async def fetch(self, url: str) -> Answer:
        if self.headers is None:
            raise Unreachable("no connection")
        async with httpx.AsyncClient(base_url=self.base) as client:
            answer = await client.get("/" + url.split("/", 3)[3], headers=self.headers)
            return Answer(answer.status_code, {}, answer.content, url)


@pytest.mark.parametrize(("headers", "proxies", "words"), [
    (None, "", "No connection to this address"), ({}, "", "does not say that people come over"),
    ({"X-Forwarded-Proto": "https"}, "", "Enter 127.0.0.1 under reverse proxies"),
    ({"X-Forwarded-Proto": "https"}, "127.0.0.1", "leads here over https")])
async def test_the_address_is_tried_through_the_outside(run: FirstRun, headers: dict[str, str] | None, proxies: str,
                                                       words: str) -> None:
    cast(Any, run.desk).egress = lambda place: Outside(run.base, headers)
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        fields = {"public_url": "https://chime.shop.example", "trusted_proxies": proxies, "do": "look"}
        answer = await send(client, "address", fields)
        assert answer.status_code == 200 and words in answer.text
        assert 'value="https://chime.shop.example"' in answer.text and not run.desk.reached
        assert (await client.get("/setup/reached/guessed")).status_code == 404


async def test_somebody_else_at_the_address_is_known_for_one(run: FirstRun) -> None:
    class Other:
        async def fetch(self, url: str) -> Answer:
            return Answer(200, {}, url.rpartition("/")[2][::-1].encode(), url)

    cast(Any, run.desk).egress = lambda place: Other()
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        answer = await send(client, "address", {"public_url": "https://chime.shop.example", "do": "look"})
        assert "Something else answers" in answer.text


async def test_a_mail_server_that_is_not_there_is_told(run: FirstRun) -> None:
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        fields = {"mail_host": "localhost", "mail_security": "plain", "mail_port": str(free_port()), "do": "mail"}
        answer = await send(client, "address", fields)
        assert answer.status_code == 200 and "did not take the test mail" in answer.text


async def test_what_the_environment_says_is_not_asked(tmp_path: Path) -> None:
    told = load(environment={"CHIME_PUBLIC_URL": "https://told.example", "CHIME_SMTP_URL": "smtps://u:hush@told.example"})
    async with first_run(tmp_path, settings=told.settings, public_url=told.public_url,
                         mail_server=told.mail_server) as run, run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        page = (await client.get("/setup/address")).text
        assert 'name="public_url"' not in page and "https://told.example" in page
        assert 'name="mail_host"' not in page and "hush" not in page


@pytest.mark.parametrize("field", ["phone_number_id", "access_token", "app_secret"])
async def test_a_number_that_meta_does_not_take_is_named(tmp_path: Path, field: str) -> None:
    async with (meta() as (graph, _), first_run(tmp_path, graph_url=graph) as run, run.browser() as client):
        await run.opened(client)
        await send(client, "owner", OWNER)
        wrong = {"phone_number_id": "on the card", "access_token": "EAAsomebodyelses", "app_secret": "not it"}[field]
        answer = await send(client, "whatsapp", NUMBER_FORM | {field: wrong, "do": "connect"})
        assert answer.status_code == 422
        # Of the app's secret Meta says it first, whichever of the two is wrong.
        assert error_of(answer.text, field) or error_of(answer.text, "app_secret")
        assert f'value="{NUMBER_FORM["app_id"]}"' in answer.text
        assert NUMBER_FORM["access_token"] not in answer.text and run.desk.draft.number is None
