"""The last step of the first run: it makes what `chime init` and `chime channel add` make, once, whoever is faster; and
no installation begins with anything that somebody else could know.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from chime.config import load
from chime.errors import Conflict
from chime.first_run_commands import over
from chime.setup import initialise, is_set_up, list_channels, opened
from chime.workspaces.kept_settings import SOURCE, checked, kept, settled
from tests.architecture.source import ROOT
from tests.http.first_run_setup import FirstRun, csrf, error_of, first_run, send
from tests.support.first_run import NUMBER_FORM, OWNER, meta
from tests.support.world import MASTER_KEY, World


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[FirstRun]:
    async with first_run(tmp_path) as found:
        yield found


async def test_the_wizard_makes_what_init_and_channel_add_make(tmp_path: Path) -> None:
    async with (meta() as (graph, _), first_run(tmp_path, graph_url=graph) as run, run.browser() as client):
        await run.opened(client)
        await send(client, "owner", OWNER | {"locale": "es"})
        await send(client, "key", {"do": "later"})
        await send(client, "address", {"public_url": "https://chime.shop.example/", "trusted_proxies": "127.0.0.1",
                                       "mail_host": "mail.shop.example", "mail_user": "ada@shop.example",
                                       "mail_password": "s:/@?#hush", "do": "next"})
        await send(client, "whatsapp", NUMBER_FORM | {"do": "connect"})
        assert not is_set_up(run.config), "nothing is made before the last step"
        answer = await send(client, "finish", {})
        assert (answer.status_code, answer.headers["location"]) == (303, "/welcome")
        assert is_set_up(run.config) and run.desk.done.is_set()
        config = settled(run.config)
        assert config.public_url == "https://chime.shop.example" and config.mail_server is not None
        assert (config.mail_server.user, config.mail_server.password) == ("ada@shop.example", "s:/@?#hush")
        assert {one.option.name for one in config.settings if one.source == SOURCE} == {
            "public_url", "trusted_proxies", "smtp_url"}
        async with opened(config) as (control, _):
            users = await control.db.rows("SELECT email, is_operator, locale FROM user")
            assert users == [(OWNER["email"], 1, "es")]
            assert (await control.workspaces())[0].time_zone == OWNER["time_zone"]
            assert await control.db.value("SELECT count(*) FROM session") == 1
            assert await control.db.value("SELECT count(*) FROM api_key") == 0
        assert [one.display_phone for one in await list_channels(config, OWNER["workspace"])] == [
            NUMBER_FORM["display_phone"]]
        with pytest.raises(Conflict, match="first person already"):
            await initialise(config, email="eve@example.com", name="Eve", workspace="Mine", password=OWNER["password"])


async def test_what_was_set_in_the_browser_lies_sealed_and_gives_way_to_the_environment(run: FirstRun) -> None:
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        await send(client, "address", {"public_url": "https://chime.shop.example", "mail_host": "mail.shop.example",
                                       "mail_password": "hush hush", "mail_user": "ada", "do": "next"})
        await send(client, "finish", {})
    async with opened(run.config) as (control, _):
        values = [row[0] for row in await control.db.rows("SELECT value FROM meta WHERE key GLOB 'setting:*'")]
    assert len(values) == 2 and not any("hush" in value or "shop" in value for value in values)
    for file in run.config.data_dir.rglob("*"):
        assert not file.is_file() or b"shop.example" not in file.read_bytes()
    told = load(data=str(run.config.data_dir), environment={"CHIME_PUBLIC_URL": "https://told.example"})
    found = settled(msgspec.structs.replace(told, master_key=MASTER_KEY))
    assert found.public_url == "https://told.example" and found.mail_server is not None
    other_key = msgspec.structs.replace(told, master_key=bytes(range(32)))
    assert settled(other_key) == other_key, "with the wrong key nothing is read, and whoever opens the files says so"


async def test_whoever_is_faster_at_the_shell_has_it(run: FirstRun) -> None:
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        await initialise(run.config, email="eve@example.com", name="Eve", workspace="Mine", password=OWNER["password"])
        answer = await send(client, "finish", {})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?said=set-up")
    assert run.desk.done.is_set()
    async with opened(run.config) as (control, _):
        assert await control.db.rows("SELECT email FROM user") == [("eve@example.com",)]


async def test_the_wizard_notices_that_it_is_over(run: FirstRun) -> None:
    watching = asyncio.create_task(over(run.config, run.desk))
    await asyncio.sleep(0.05)
    assert not watching.done()
    await initialise(run.config, email="eve@example.com", name="Eve", workspace="Mine", password=OWNER["password"])
    async with asyncio.timeout(5):
        await watching


async def test_two_at_once_make_one_installation(run: FirstRun) -> None:
    """Twice the same button, and the shell beside it."""
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        token = await csrf(client, "/setup/finish")
        shell = initialise(run.config, email="eve@example.com", name="Eve", workspace="Mine",
                           password=OWNER["password"])
        with suppress(Conflict):
            await asyncio.gather(shell, *(client.post("/setup/finish", data={"csrf_token": token}) for _ in range(3)))
        async with asyncio.timeout(20):
            await run.desk.done.wait()
    async with opened(run.config) as (control, _):
        assert len(await control.db.rows("SELECT email FROM user")) == 1
        assert len(await control.workspaces()) == 1


async def test_a_name_that_cannot_be_is_said_at_the_end_and_nothing_is_made(run: FirstRun) -> None:
    async with run.browser() as client:
        await run.opened(client)
        await send(client, "owner", OWNER)
        assert run.desk.draft.owner is not None
        run.desk.draft.owner = msgspec.structs.replace(run.desk.draft.owner, email="gone wrong")
        answer = await send(client, "finish", {})
        assert answer.status_code == 422 and 'role="alert"' in answer.text
        assert not is_set_up(run.config) and not run.desk.done.is_set()


async def test_address_and_mail_are_changed_later_by_an_operator(world: World) -> None:
    alice = await world.session("alice")
    fields = {"public_url": "https://later.shop.example", "mail_host": "mail.shop.example", "mail_user": "ada",
              "mail_password": "hush hush", "mail_security": "tls", "trusted_proxies": "10.0.0.0/8"}
    answer = await alice.post("/installation/address", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/installation/address?said=saved")
    page = (await alice.get("/installation/address")).text
    assert 'value="https://later.shop.example"' in page and "hush" not in page
    # The password stays while nobody enters another, and goes with the user it belongs to.
    for user, password in (("ada", "hush hush"), ("eve", "")):
        await alice.post("/installation/address", data=fields | {"mail_password": "", "mail_user": user})
        keys = world.services.control.keys
        found = checked(await kept(world.services.control.db, keys))
        assert found.mail_server is not None and (found.mail_server.user, found.mail_server.password) == (
            user, password)
    refused = await alice.post("/installation/address", data=fields | {"public_url": "later.shop.example"})
    assert refused.status_code == 422 and error_of(refused.text, "public_url")
    assert (await alice.post("/installation/address", data={})).status_code == 303
    assert await kept(world.services.control.db, world.services.control.keys) == {}
    mo = await world.session("mo")
    assert (await mo.get("/installation/address")).status_code == 403


# Where something is called a password, key or token and a text stands behind it.
_GIVEN = re.compile(r"""\b\w*(?:password|passwd|secret|token|api_key|master_key)\w*["']?\s*[:=]\s*"""
                    r"""["']([^"'{}$<>%\s]+(?: [^"'{}$<>%]+)?)["']""", re.IGNORECASE)
# file -> what such a text there is, when it is none that opens a real installation
_HARMLESS = {
    "chime/accounts/sign_in_pages.py": "the demo's, on a folder of its own with a key of its own",
    "templates/accounts/confirm.html": "the same, filled in for whoever looks at the demo",
    "chime/trust/public_routes.py": "what an address with a token in it is for",
}


def _credentials() -> list[tuple[str, str]]:
    """Each fixed text of what we ship that could be one: at least eight characters, and no name of a field."""
    found = []
    for folder in ("chime", "packaging", "systemd", "templates"):
        for path in sorted((ROOT / folder).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.suffix in (".py", ".toml", ".service", ".html", ".conf", ".sh", "") and path.is_file() and (
                    "/vendor/" not in name and "simulator" not in name and "__pycache__" not in name):
                found += [(name, text) for text in _GIVEN.findall(path.read_text("utf-8", "replace"))
                          if len(text) >= 8 and (re.search(r"\d", text) or " " in text) and not text.endswith(".")]
    return found


def test_no_default_credential_is_shipped() -> None:
    found = _credentials()
    assert not [one for one in found if one[0] not in _HARMLESS]
    assert {name for name, _ in found} == _HARMLESS.keys(), "exceptions that are none any more"
