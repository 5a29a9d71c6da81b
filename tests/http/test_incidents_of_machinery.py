"""The incidents of `test_incidents.INCIDENTS` that are about machinery: what is read, fetched, drawn, stored, sent."""

from __future__ import annotations

import ast
import base64
import io
import logging
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import chime
from chime.clock import HOUR, MINUTE
from chime.config import MailServer, load
from chime.db import Db, Key, StorageUnavailable, connection, open_connection
from chime.errors import ChimeError, Conflict, StartRefused
from chime.jobs.model import JobKind
from chime.log import configure
from chime.security.addresses import NotAllowed
from chime.security.crypto import CannotOpen
from chime.serve import prepare
from chime.setup import initialise, keys_of
from tests.http.inbox_setup import rows, stock_templates, talk, until
from tests.http.oidc_setup import oidc_world
from tests.http.people_setup import browser, control
from tests.http.test_media import sends
from tests.support.hostile_server import connections_watched
from tests.support.mail_server import mail_server
from tests.support.webhook_bodies import DANA, body, inbound, seconds, take, text
from tests.support.world import ACME_NUMBER, MASTER_KEY, PASSWORD, World, running_world

SSTI = ("{{7*7}}", "${7*7}", "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
        "{{ ''|attr('__cl'~'ass__') }}", "{{ config.items() }}", "{{ 'a'|attr('format')() }}",
        "%(password)s", "{0.__class__}")


async def test_p18_a_panic_in_the_background_takes_nothing_down(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")

    async def panic(*_: object) -> None:
        raise RecursionError("of a webhook that nobody expected")

    async def none_due(_: Db, __: int) -> list[str]:
        return []

    services = world.services
    services.runner.register([JobKind("incident.panics", panic, none_due)])
    services.supervisor.run("incident", panic)
    for number in range(50):
        services.runner.start(world.acme.workspace_id, "incident.panics", f"{number}")
    await until(lambda: services.runner.failed["incident.panics"] == 50 and services.supervisor.restarts["incident"])
    await maya.says("are you still there?")
    assert (await maya.reply(kim, "We are.")).status == "read"
    assert (await kim.get("/healthz")).status_code == (await kim.get("/readyz")).status_code == 200
    services.supervisor._tasks["incident"].cancel()


async def test_p19_a_body_that_says_it_is_a_file_is_none(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    file: dict[str, Any] = {"filepath": "/etc/passwd", "path": "/etc/passwd", "originalFilename": "a.png",
                            "filename": "a.png", "mimetype": "image/png", "size": 4096}
    forged: list[dict[str, Any]] = [
        {"json": {"file": file, "files": {"file": file}}}, {"data": {"file": "/etc/passwd"}},
        {"data": {f"file[{name}]": str(value) for name, value in file.items()}},
        {"files": {"file": (None, "/etc/passwd")}}, {"files": {"file[path]": (None, "/etc/passwd")}}]
    for what in forged:
        answer = await kim.post(f"{maya.base}/files", **what)
        assert answer.status_code in (400, 415, 422), (what, answer.status_code)
    async with world.client(await world.key(world.acme)) as script:
        for what in forged:
            assert (await script.post("/api/v1/media", **what)).status_code in (400, 415, 422), what
        for document in (file, {"id": "../../../../etc/passwd"}, {"link": "file:///etc/passwd"},
                         {"link": "/etc/passwd"}):
            answer = await script.post("/api/v1/messages", json={
                "contact_id": maya.contact_id, "type": "document", "document": document})
            assert answer.status_code in (404, 422), (document, answer.text)
        whole = await script.post("/api/v1/media", files={"file": ("../../etc/passwd", b"mine", "text/plain")})
        assert whole.status_code == 201, whole.text
        assert (await script.get(f"/api/v1/media/{whole.json()['id']}")).content == b"mine"
    assert await maya.sent() == [] and await rows(world, world.acme, "SELECT count(*) FROM media") == [(1,)]


async def test_p20_the_way_back_goes_nowhere_else_and_its_state_ends(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with oidc_world(installation, tmp_path, monkeypatch) as yard:
        await yard.rule("sales", "agent")
        yard.becomes("nora", groups=["sales"])
        ana, eve, late = await yard.browser(), await yard.browser(), await yard.browser()
        back = await yard.sent_back(ana, await yard.leave(ana))
        lies = urlencode({name: "https://evil.example/" for name in (
            "host", "domain", "shop", "redirect_uri", "token_endpoint", "next", "api_url")})
        await yard.leave(eve)
        assert (await eve.get(back)).status_code == 422 and not await yard.is_in(eve), "another browser's state"
        assert yard.provider.count("/token") == 0
        with connections_watched() as seen:
            answer = await ana.get(f"{back}&{lies}")
        assert answer.status_code == 303 and "evil" not in answer.headers["location"]
        assert {host for host, _ in seen} <= {"127.0.0.1", "::1"} and yard.provider.count("/token") == 1
        assert (await ana.get(back)).status_code == 422, "once"
        back = await yard.sent_back(late, await yard.leave(late))
        yard.world.clock.pass_time(10 * MINUTE + 1_000)
        assert (await late.get(back)).status_code == 422 and not await yard.is_in(late), "for ten minutes"
        assert yard.provider.count("/token") == 1


async def test_p21_no_address_that_people_type_leads_inside(world: World) -> None:
    maya = await talk(world)
    addresses = ("https://169.254.169.254/latest/meta-data/iam/", "https://[fd00:ec2::254]/latest/", "https://127.0.0.1/",
                 "https://[::ffff:169.254.169.254]/", "https://0xa9fea9fe/", "https://2852039166/", "https://localhost/",
                 "http://169.254.169.254/", "https://x@169.254.169.254/", "https://metadata/computeMetadata/v1/")
    with connections_watched() as seen:
        for address in addresses:
            with pytest.raises(ChimeError) as refused:
                await world.services.egress.fetch(address)
            assert "169.254" not in str(refused.value)
    assert seen == [], "not one connection"
    with connections_watched() as seen:
        async with world.client(await world.key(world.acme)) as script:
            for address in addresses:  # a link in a message is Meta's to fetch
                answer = await script.post("/api/v1/messages", json={
                    "contact_id": maya.contact_id, "type": "image", "image": {"link": address}})
                assert answer.status_code in (202, 422), address
        await world.settle()
    assert {host for host, _ in seen} <= {"127.0.0.1"} and not {port for _, port in seen} & {80, 443}


async def test_p22_headers_that_people_choose_lead_nowhere_else(world: World) -> None:
    evil = ({"Host": "169.254.169.254"}, {"host": "localhost"}, {"X-Forwarded-Host": "metadata"},
            {"Transfer-Encoding": "chunked"}, {"Content-Length": "0"}, {"Proxy-Authorization": "x"},
            {"Connection": "X-A"}, {"X-A": "b\r\nHost: 169.254.169.254"}, {"X-A\r\nHost": "localhost"},
            {"X-A": "b\nGET /latest/ HTTP/1.1"}, {"X-A": "b\0"}, {":authority": "localhost"}, {"": "x"}, {"X A": "x"})
    with connections_watched() as seen:
        for headers in evil:
            with pytest.raises(NotAllowed):
                await world.services.egress.fetch("https://example.com/hook", headers=headers)
    assert seen == []


async def test_p23_a_reset_is_mailed_to_one_address_the_accounts_own(installation: Path, tmp_path: Path) -> None:
    eve, form = "eve@evil.example", {"Content-Type": "application/x-www-form-urlencoded"}
    async with mail_server() as server, running_world(
            installation, tmp_path / "data", mail_server=MailServer("127.0.0.1", server.port, "plain")) as world:
        stranger = await browser(world)
        for sent in (f"email=kim@example.com&email={eve}", f"email[]=kim@example.com&email[]={eve}",
                     f"email[0]=kim@example.com&email[1]={eve}", f"email=kim@example.com,{eve}",
                     f"email=kim@example.com%0aCc:{eve}", f"user[email][]=kim@example.com&user[email][]={eve}"):
            await stranger.post("/forgot-password", content=sent, headers=form)
        for json in ({"email": ["kim@example.com", eve]}, {"user": {"email": ["kim@example.com", eve]}}):
            assert (await stranger.post("/forgot-password", json=json)).status_code in (400, 415, 422)
        await stranger.post("/forgot-password", data={"email": "mo@example.com"})
        await until(lambda: any("mo@example.com" in mail.recipients for mail in server.mails), 15)
        for mail in server.mails:
            assert mail.recipients in (["kim@example.com"], ["mo@example.com"]) and b"evil" not in mail.raw


async def test_p24_whoever_comes_after_the_first_finds_no_wizard(world: World, tmp_path: Path) -> None:
    key = base64.b64encode(MASTER_KEY).decode()
    empty = load(data=str(tmp_path / "fresh"), environment={"CHIME_MASTER_KEY": key})
    with pytest.raises(StartRefused, match="chime init"):
        prepare(empty, keys_of(empty))
    assert not (tmp_path / "fresh" / "control.db").exists(), "it does not serve before its first person is made"
    with pytest.raises(Conflict):
        await initialise(world.services.config, email="eve@example.com", name="Eve", workspace="Mine",
                         password=PASSWORD)
    people = await control(world, "SELECT id, email FROM user")
    kim, eve = await world.session("kim"), await browser(world)
    account = {"email": "eve@example.com", "name": "Eve", "password": PASSWORD, "workspace": "Mine"}
    for asked in (await eve.get("/setup"), await eve.get("/setup/owner"), await eve.post("/setup/owner", data=account)):
        assert asked.status_code == 303 and asked.headers["location"].startswith("/sign-in"), "that time is over"
    for path in ("/install", "/init", "/register", "/sign-up", "/signup", "/onboarding", "/wizard", "/admin",
                 "/api/v1/setup", "/api/v1/users", "/api/setup", "/first-run", "/invitations/", "/accounts"):
        assert (await eve.get(path)).status_code in (401, 404), path
        assert (await eve.post(path, data=account)).status_code in (401, 403, 404, 405), path
    assert await control(world, "SELECT id, email FROM user") == people
    for name in ("token", "session", "chime", "access_token", "auth"):
        asked = await eve.get("/w/acme/inbox", params={name: kim.cookies["chime"]})
        assert asked.status_code == 303, "what opens a session stands in no address"


async def test_p25_what_looks_like_a_template_is_text(world: World) -> None:
    kim = await world.session("kim")
    maya = await talk(world, SSTI[0], name="{{7*7}} Maya")
    for payload in SSTI[1:]:
        await maya.says(payload)
    assert (await maya.reply(kim, "{{7*7}} and ${7*7}")).status == "read"
    await stock_templates(world)
    page = (await kim.get(maya.base)).text
    assert ">49<" not in page and "49 Maya" not in page
    for payload in SSTI:
        assert payload.replace("'", "&#39;") in page, payload
    assert "{{7*7}} Maya" in page and maya.on_the_phone()[-1].content["body"] == "{{7*7}} and ${7*7}"
    for path in Path(chime.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            assert name not in ("from_string", "SandboxedEnvironment", "NativeEnvironment"), f"{path.name} renders text"


async def test_p26_a_form_of_endless_parts_ends_soon(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for path in (f"{maya.base}/files", "/sign-in", "/me"):
        for content in (part * 40_000 + b"--x--\r\n", b"--x\r\n" * 200_000,
                        part[:-4] + b"X: y\r\n" * 100_000 + b"\r\n\r\n--x--"):
            before = time.process_time()
            answer = await kim.post(path, content=content, headers=headers)
            assert answer.status_code in (400, 403, 413, 422), (path, answer.status_code)
            assert time.process_time() - before < 0.5, "it was given up long before its end"
    assert (await kim.get("/readyz")).status_code == 200


async def test_p27_nothing_that_is_sent_writes_lines_or_headers(world: World) -> None:
    output, root = io.StringIO(), logging.getLogger()
    before, level = list(root.handlers), root.level
    maya, kim, eve = await talk(world), await world.session("kim"), await browser(world)
    try:
        configure("text", "debug")
        handler = root.handlers[0]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(output)
        evil = "\x1b[31mred\x1b]0;title\x07\r\n2026-01-01 error forged"
        for path in ("/%1b%5b31m%0d%0aforged", "/w/%1b%5d0;x%07/inbox", "/sign-in?next=/%0d%0aSet-Cookie:%20a=b"):
            answer = await eve.get(path, headers={"User-Agent": "\x1b[31m".encode("latin-1")})
            assert "forged" not in answer.headers and not answer.headers.get("set-cookie", "").startswith("a=")
        signed = await eve.post("/sign-in", data={"email": "kim@example.com", "password": PASSWORD,
                                                  "next": "/me\r\nSet-Cookie: a=b"})
        assert "a" not in eve.cookies and "\r" not in signed.headers["location"]
        file = await sends(maya, "document", b"x", "application/pdf", f"a{evil}.pdf")
        assert file.media is not None
        answer = await kim.get(f"{maya.workspace_base}/media/{file.media.id}?download=1")
        assert answer.headers["content-disposition"].count("\x1b") == 0 and answer.status_code == 200
        await world.webhook(f'{{"object": "{evil}'.encode())
        logging.getLogger("somebody.else").warning("said %s", evil)
    finally:
        root.handlers[:], root.level = before, level
    lines = output.getvalue().splitlines()
    assert lines and not [line for line in lines if not line.isprintable() or line.startswith("2026-01-01 error")]


async def test_p28_a_lost_reply_sends_and_handles_nothing_twice(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    world.simulator.set_switches({"accept_then_drop": 1, "hold_statuses": True})
    answer = await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "your refund is on its way"})
    assert answer.status_code == 200
    await until(lambda: maya.messages("status = 'unconfirmed'"))
    for _ in range(5):
        world.clock.pass_time(HOUR)
        await world.services.runner.sweep([world.acme.workspace_id])
        await world.services.runner.idle()
    assert len(maya.on_the_phone()) == len(world.simulator.world.ledger) == 1
    assert [message.status for message in await maya.sent()] == ["unconfirmed"], "a doubt that people see"
    world.simulator.set_switches({"hold_statuses": False})
    await world.settle()
    assert [message.status for message in await maya.sent()] == ["read"], "which WhatsApp's own word settles"
    again = body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.P28", seconds(world), "once")))
    for _ in range(3):  # as if our 200 had been lost on its way to Meta
        await take(world, again)
    found = await rows(world, world.acme, "SELECT count(*) FROM message WHERE wamid = 'wamid.P28'")
    assert found == [(1,)]
    unread = "SELECT unread_count FROM conversation WHERE id <> ?"
    assert await rows(world, world.acme, unread, maya.id) == [(1,)]


async def test_p29_a_sealed_value_opens_in_its_own_row_only(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    ours, theirs = [(await rows(world, tenant, "SELECT access_token_sealed FROM channel"))[0][0]
                    for tenant in (world.acme, world.globex)]
    secret = (await control(world, "SELECT app_secret_sealed FROM meta_app"))[0][0]
    for swapped in (theirs, secret):
        async with world.workspace(world.acme) as workspace:
            async with workspace.ingest("test") as tx:
                await tx.execute("UPDATE channel SET access_token_sealed = ?", swapped)
            with pytest.raises(CannotOpen):
                workspace.vault.open(swapped, table="channel", row=world.acme.channel_id, column="access_token")
        await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "with a token of others"})
        await world.settle()
        assert world.simulator.world.ledger == [], "nothing was sent with it"
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE channel SET access_token_sealed = ?", ours)
    world.clock.pass_time(HOUR)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    assert [message.status for message in await maya.sent()] == ["read"] * 2, "and with its own value it goes on"


def test_p30_two_connections_that_write_and_checkpoint_break_nothing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, key = tmp_path / "file.db", Key(bytes(range(32)))
    first = open_connection(path, key, writes=True, create=True)
    assert first.execute("PRAGMA mmap_size").fetchone() in (None, (0,)), "no file is mapped into memory"
    first.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, words TEXT)")
    failures: list[BaseException] = []

    def busy(mode: str) -> None:
        own = open_connection(path, key, writes=True)
        try:
            for number in range(150):
                own.execute("INSERT INTO item (words) VALUES (?)", (f"{mode} {number} " * 200,))
                if number % 3 == 0:
                    own.execute(f"PRAGMA wal_checkpoint({mode})")
        except BaseException as error:
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=busy, args=(mode,)) for mode in ("TRUNCATE", "RESTART", "PASSIVE")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and first.execute("SELECT count(*) FROM item").fetchone() == (450,)
    assert first.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    first.close()
    assert tuple(map(int, connection.dbapi2.sqlite_version.split("."))) >= (3, 51, 3)
    monkeypatch.setattr(connection.dbapi2, "sqlite_version", "3.51.2")
    with pytest.raises(StorageUnavailable, match="too old"):
        open_connection(path, key, writes=True)
