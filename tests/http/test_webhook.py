"""The address Meta posts to: who may, what is answered, and that 200 means "on disk" and nothing else does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from chime import setup
from chime.channels import NewChannel
from chime.db import Key, open_connection
from chime.security.signatures import signature
from chime.simulator import Number
from tests.http.inbox_setup import indexed
from tests.support.files import contents
from tests.support.webhook_bodies import (
    DANA,
    Customer,
    account_body,
    bodies,
    body,
    change,
    inbound,
    journalled,
    rows,
    seconds,
    take,
    text,
    thread_page,
)
from tests.support.world import (
    ACCESS_TOKEN,
    ACME_NUMBER,
    APP_SECRET,
    GLOBEX_NUMBER,
    VERIFY_TOKEN,
    Tenant,
    World,
    running_world,
)

STRANGE_NUMBER = Number(phone_number_id="811222333444555", waba_id="877001122334455",
                        display_phone_number="+1 555-010-0800", verified_name="Nobody's yet")
LARGEST = 4 * 1024 * 1024


def state(world: World) -> dict[str, str]:
    """The bytes of every file that holds something. The index of a WAL moves when it is read; the queue's file is
    written by the minute's sweep and is asked for its length instead; the backup follows the files by seconds."""
    found = {str(place): hashlib.sha256(content).hexdigest()
             for path, content in contents(world.data_dir).items()
             if (place := path.relative_to(world.data_dir)).parts[0] != "backups"
             and not path.name.endswith("-shm") and not path.name.startswith("queue.db")}
    return found | {"nudges": str(world.services.queue.waiting())}


async def at_rest(world: World) -> dict[str, str]:
    """The same once what a start brings about is over: the first sweep, retention, the trail's first signature."""
    before: dict[str, str] = {}
    async with asyncio.timeout(30):
        while (now := state(world)) != before:
            before = now
            await asyncio.sleep(1)
            await world.settle()
    return before


async def post(world: World, content: bytes, headers: dict[str, str], path: str | None = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=world.base, timeout=20, trust_env=False) as client:
        return await client.post(path or world.acme.webhook_path, content=content, headers=headers)


def signed(raw: bytes, secret: str = APP_SECRET) -> dict[str, str]:
    return {"Content-Type": "application/json", "X-Hub-Signature-256": signature(secret.encode(), raw)}


async def count(world: World, tenant: Tenant, table: str) -> int:
    statement = {"message": "SELECT count(*) FROM message", "contact": "SELECT count(*) FROM contact"}[table]
    return int((await rows(world, tenant, statement))[0][0])


async def parked(world: World) -> list[tuple[Any, ...]]:
    return await world.services.control.db.rows(
        "SELECT phone_number_id, waba_id, field, reason, body_sealed, released_at FROM parked_delivery ORDER BY id")


async def test_the_challenge_is_answered_to_meta_and_to_nobody_else(world: World) -> None:
    good = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}
    async with httpx.AsyncClient(base_url=world.base, trust_env=False) as client:
        answer = await client.get(world.acme.webhook_path, params=good)
        assert (answer.status_code, answer.text) == (200, "1158201444"), "and without a signature header"
        assert answer.headers["content-type"].startswith("text/plain")
        refused = [{**good, "hub.verify_token": VERIFY_TOKEN + "x"}, {**good, "hub.verify_token": ""},
                   {**good, "hub.mode": "unsubscribe"}, {"hub.challenge": "1158201444"}, {}]
        for query in refused:
            answer = await client.get(world.acme.webhook_path, params=query)
            assert answer.status_code == 403, query
            assert "1158201444" not in answer.text
        for challenge in ("<script>alert(1)</script>", "12a", "", "9" * 400):
            answer = await client.get(world.acme.webhook_path, params={**good, "hub.challenge": challenge})
            assert answer.status_code == 400, challenge
            assert not challenge or challenge not in answer.text
        assert (await client.get("/webhooks/whatsapp/nosuchapp", params=good)).status_code == 403


async def test_what_is_not_signed_by_the_app_is_refused_and_leaves_no_trace(world: World) -> None:
    event = body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.S1", seconds(world), "Grüße / an 👍")))
    # As Meta writes it: non-ASCII as \uXXXX and slashes escaped. What signs these bytes signs no other encoding.
    raw = json.dumps(event).replace("/", "\\/").encode()
    await take(world, raw)
    await world.webhook(bodies((GLOBEX_NUMBER, [inbound(GLOBEX_NUMBER, DANA, text(DANA, "wamid.S2", 1, "x"))])))
    await indexed(world)
    await indexed(world, world.globex)
    before = await at_rest(world)
    same_json = (json.dumps(event).encode(), json.dumps(event, ensure_ascii=False).encode(), raw + b"\n")
    right = signature(APP_SECRET.encode(), raw)
    refused: list[tuple[bytes, dict[str, str]]] = [
        (raw, {}), (raw, {"X-Hub-Signature-256": ""}), (raw, {"X-Hub-Signature-256": right[7:]}),
        (raw, {"X-Hub-Signature-256": right[:-1]}), (raw, {"X-Hub-Signature-256": "sha256=" + right[7:].upper()}),
        (raw, {"X-Hub-Signature": right}), (raw, signed(raw, "another app's secret")), (raw, signed(raw, "")),
        (raw, signed(b"")), *((again, signed(raw)) for again in same_json),
    ]
    for content, headers in refused:
        answer = await post(world, content, headers)
        assert answer.status_code == 401, headers
    assert (await post(world, raw, signed(raw), "/webhooks/whatsapp/nosuchapp")).status_code == 401
    await world.settle()
    assert state(world) == before
    assert json.loads(await journalled(world, world.acme)) == event


async def test_what_is_signed_but_no_body_of_ours_is_refused_and_leaves_no_trace(world: World) -> None:
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.B1", seconds(world), "hi"))))
    before = await at_rest(world)
    for raw in (b"", b"hello", b'{"object":', b"\xff\xfe{}", b"<xml/>", b"{'a': 1}"):
        assert (await post(world, raw, signed(raw))).status_code == 400, raw
    async with httpx.AsyncClient(base_url=world.base, trust_env=False) as client:
        for method in ("PUT", "PATCH", "DELETE", "HEAD"):
            answer = await client.request(method, world.acme.webhook_path, headers=signed(b""))
            assert answer.status_code == 405, method
            assert answer.headers["allow"] == "GET, POST"
    await world.settle()
    assert state(world) == before


async def test_a_body_over_four_megabytes_is_refused_before_it_is_read(world: World) -> None:
    """Declared: on the spot. Chunked: as soon as it is too much. Meta's own largest, 3 MB, is taken."""
    declared = await raw_request(world, [b"Content-Length: %d" % (LARGEST + 1)], lambda: iter(()))
    assert declared.startswith(b"HTTP/1.1 413")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    endless = await raw_request(world, [b"Transfer-Encoding: chunked"], lambda: iter([chunk] * 4096))
    assert endless.startswith(b"HTTP/1.1 413")
    filler = text(DANA, "wamid.L1", seconds(world), "x" * 3_000_000)
    assert (await world.webhook(body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, filler)))).status_code == 200
    await world.settle(30)
    assert await count(world, world.acme, "message") == 1


async def test_a_sender_that_goes_away_in_the_middle_leaves_nothing(world: World) -> None:
    raw = json.dumps(body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.C1", 1, "half")))).encode()
    half = [raw[:len(raw) // 2]]
    await raw_request(world, [b"Content-Length: %d" % len(raw)], lambda: iter(half), leave=True)
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.C2", 1, "whole"))))
    assert b"half" not in await journalled(world, world.acme)
    assert await rows(world, world.acme, "SELECT wamid FROM message") == [("wamid.C2",)]


async def raw_request(world: World, headers: list[bytes], parts: Any, *, leave: bool = False) -> bytes:
    """A POST written by hand: sends parts until the server answers; what it answered."""
    host, port = world.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    first = [b"POST %s HTTP/1.1" % world.acme.webhook_path.encode(), b"Host: localhost",
             b"X-Hub-Signature-256: sha256=" + b"0" * 64, *headers, b"", b""]
    answer = asyncio.ensure_future(reader.read(4096))
    try:
        writer.write(b"\r\n".join(first))
        for part in parts():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
            if answer.done():
                break
        if leave:
            answer.cancel()
            return b""
        return await asyncio.wait_for(answer, 10)
    except ConnectionError:
        return await asyncio.wait_for(answer, 10)
    finally:
        writer.transport.abort()


async def test_every_entry_change_and_message_of_a_batch_is_taken_once(world: World) -> None:
    """Three entries of three changes of three messages; sent ten times over at once, as album retries are."""
    at = seconds(world, 100)
    entries = []
    for e in range(3):
        changes = [inbound(ACME_NUMBER, DANA, *(text(DANA, f"wamid.{e}{c}{m}", at + e, f"words {e}{c}{m}")
                                               for m in range(3))) for c in range(3)]
        entries.append((ACME_NUMBER, changes))
    batch = bodies(*entries)
    answers = await asyncio.gather(*(world.webhook(batch) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    await world.settle()
    assert await count(world, world.acme, "message") == 27
    assert await rows(world, world.acme, "SELECT unread_count FROM conversation") == [(27,)]
    async with world.workspace(world.acme) as workspace:
        became = await workspace.db.rows("SELECT applied, duplicate, rejected FROM applied_body ORDER BY journal_id")
    assert became == [(27, 0, 0), *[(0, 27, 0)] * 9]


async def test_a_body_for_several_workspaces_is_split_so_that_neither_sees_the_other(world: World) -> None:
    at = seconds(world)
    for_acme = inbound(ACME_NUMBER, DANA, text(DANA, "wamid.X1", at, "the anvil for Acme"))
    charles = Customer("Charles Q", "447700900123")
    for_globex = inbound(GLOBEX_NUMBER, charles, text(charles, "wamid.X2", at, "the gears for Globex"))
    # Meta may put a number's change under any entry: the number leads, not the entry.
    await take(world, bodies((ACME_NUMBER, [for_acme, for_globex]), (GLOBEX_NUMBER, [for_globex])))
    acme, globex = await journalled(world, world.acme), await journalled(world, world.globex)
    assert b"anvil" in acme and b"gears" not in acme and b"Charles" not in acme
    assert b"gears" in globex and b"anvil" not in globex and b"Dana" not in globex
    assert await rows(world, world.acme, "SELECT text FROM message") == [("the anvil for Acme",)]
    assert await rows(world, world.globex, "SELECT text FROM message") == [("the gears for Globex",)]
    for name, tenant, seen, hidden in (("alice", world.acme, "Dana R", "Charles Q"),
                                       ("charlie", world.globex, "Charles Q", "Dana R")):
        page = (await (await world.session(name)).get(f"/w/{tenant.slug}/inbox")).text
        assert seen in page and hidden not in page


async def test_fields_of_an_account_reach_the_workspaces_with_a_number_of_it(world: World) -> None:
    value = {"event": "APPROVED", "message_template_id": 1689556908129832, "message_template_name": "order_ready",
             "message_template_language": "en_US", "message_template_category": "UTILITY", "reason": "NONE"}
    field = "message_template_status_update"
    await take(world, account_body(GLOBEX_NUMBER.waba_id, field, seconds(world), value))
    assert len(await rows(world, world.globex, "SELECT 1 FROM webhook_event")) == 1
    assert await journalled(world, world.acme) == b""
    # The entry of a partner event names a business portfolio: only what the value tells may lead.
    partner = {"event": "PARTNER_REMOVED", "waba_info": {"waba_id": ACME_NUMBER.waba_id}}
    await take(world, account_body(GLOBEX_NUMBER.waba_id, "account_update", seconds(world), partner))
    assert len(await rows(world, world.acme, "SELECT 1 FROM webhook_event")) == 1
    assert len(await rows(world, world.globex, "SELECT 1 FROM webhook_event")) == 1
    # A field nobody has heard of is kept raw, and so is a change without its value.
    await take(world, body(ACME_NUMBER, change(ACME_NUMBER, "hologram_updates", holograms=[{"id": "h1"}]),
                           {"field": "messages"}))
    assert ("hologram_updates",) in await rows(world, world.acme, "SELECT field FROM webhook_event")
    assert await rows(world, world.acme, "SELECT path FROM rejected_event") == [("entry.0.changes.1",)]


async def test_signed_json_that_is_no_whatsapp_body_is_parked_sealed(world: World) -> None:
    strange = (b'{"hello":"the word abracadabra"}', b"[1]", b'"abracadabra"', b"null", b'{"object":"page","entry":[]}',
               b'{"entry":"abracadabra"}', b"[" * 5000 + b"]" * 5000)
    for raw in (*strange, *strange):
        assert (await world.webhook(raw)).status_code == 200, raw[:40]
    await world.settle()
    found = await parked(world)
    assert len(found) == len(strange), "each once, however often it comes"
    assert all(b"abracadabra" not in row[4] for row in found)
    assert await journalled(world, world.acme) == b"" == await journalled(world, world.globex)


async def test_a_number_nobody_claimed_is_parked_until_it_is_connected(world: World) -> None:
    at = seconds(world)
    early = inbound(STRANGE_NUMBER, DANA, text(DANA, "wamid.P1", at, "before you had me"))
    ours = inbound(ACME_NUMBER, DANA, text(DANA, "wamid.P2", at, "to the known number"))
    template = {"event": "PAUSED", "message_template_id": 7, "message_template_name": "t",
                "message_template_language": "en", "reason": "NONE"}
    await take(world, bodies((ACME_NUMBER, [ours, early])))
    await take(world, account_body(STRANGE_NUMBER.waba_id, "message_template_status_update", at, template))
    assert b"before you had me" not in await journalled(world, world.acme), "a number is never guessed"
    found = await parked(world)
    assert [(row[0], row[5]) for row in found] == [(STRANGE_NUMBER.phone_number_id, None), (None, None)]
    assert all(b"before you" not in row[4] for row in found)

    await setup.connect(world.services.config, "Acme", NewChannel(
        phone_number_id=STRANGE_NUMBER.phone_number_id, waba_id=STRANGE_NUMBER.waba_id,
        display_phone="+1 555-010-0800", app_id="200300400500600", access_token=ACCESS_TOKEN))
    # The command line is another process: the running one finds what was released at its next sweep.
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    found = await rows(world, world.acme, "SELECT conversation_id, text FROM message WHERE wamid = 'wamid.P1'")
    assert found[0][1] == "before you had me"
    assert "before you had me" in await thread_page(world, found[0][0])
    assert len(await rows(world, world.acme, "SELECT 1 FROM webhook_event")) == 1
    assert [(row[4], row[5] is not None) for row in await parked(world)] == [(b"", True)] * 2
    await take(world, body(STRANGE_NUMBER, inbound(STRANGE_NUMBER, DANA, text(DANA, "wamid.P3", at, "and after"))))
    assert len(await parked(world)) == 2 and await count(world, world.globex, "message") == 0


@contextmanager
def locked(path: Path, key: Key) -> Iterator[None]:
    """Another process in the middle of a long write."""
    connection = open_connection(path, key, writes=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@asynccontextmanager
async def unwritable(world: World) -> AsyncIterator[None]:
    """Acme's journal and control.db can be read, but not written."""
    keys = await world.services.registry.keys(world.acme.workspace_id)
    journal = world.data_dir / "workspaces" / world.acme.workspace_id / "journal.db"
    control = world.data_dir / "control.db"
    with locked(journal, keys.journal_file), locked(control, world.services.control.keys.control_file):
        yield


async def test_storage_that_cannot_take_an_event_is_said_and_the_senders_retry_brings_it(world: World) -> None:
    """Half of a body stored is not stored: the whole is refused, sent again, and takes effect once."""
    at = seconds(world)
    both = bodies((GLOBEX_NUMBER, [inbound(GLOBEX_NUMBER, DANA, text(DANA, "wamid.U1", at, "for Globex"))]),
                  (ACME_NUMBER, [inbound(ACME_NUMBER, DANA, text(DANA, "wamid.U2", at, "for Acme"))]))
    nobodys = body(STRANGE_NUMBER, inbound(STRANGE_NUMBER, DANA, text(DANA, "wamid.U3", at, "for nobody")))
    async with unwritable(world):
        refused = await asyncio.gather(world.webhook(both), world.webhook(nobodys))
        for answer in refused:
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
    await world.settle()
    assert await journalled(world, world.acme) == b"" and await parked(world) == []
    for again in (both, nobodys, both):
        assert (await world.webhook(again)).status_code == 200
    await world.settle()
    assert await rows(world, world.globex, "SELECT wamid FROM message") == [("wamid.U1",)]
    assert await rows(world, world.acme, "SELECT wamid FROM message") == [("wamid.U2",)]
    assert len(await parked(world)) == 1


async def test_a_workspace_whose_files_are_away_refuses_for_now(installation: Path, tmp_path: Path) -> None:
    """A disk that is not mounted must not make Chime start an empty workspace, nor lose or park what arrives; the
    other workspaces, and their unfinished sends, do not wait for it."""
    start, running = tmp_path / "start", tmp_path / "running"
    shutil.copytree(installation, start)
    acme_id = min(path.name for path in (start / "workspaces").iterdir())  # ids begin with the time; Acme came first
    away, folder = tmp_path / "away", running / "workspaces" / acme_id
    (start / "workspaces" / acme_id).rename(away)
    async with running_world(start, running) as world:
        for number, spoil in enumerate((leave_nothing, leave_an_empty_folder, leave_a_damaged_journal)):
            spoil(away, folder)
            sent = text(DANA, f"wamid.A{number}", seconds(world), "are you there?")
            answer = await world.webhook(body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, sent)))
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True), spoil.__name__
            if folder.exists():
                # In one step: a job that looks at the workspace just now may be making files beside those we delete.
                folder.rename(tmp_path / spoil.__name__)
        assert await parked(world) == []
        assert not world.services.supervisor.restarts
        away.rename(folder)
        sent = text(DANA, "wamid.A9", seconds(world), "and now?")
        await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, sent)))
        assert await rows(world, world.acme, "SELECT wamid FROM message") == [("wamid.A9",)]


def leave_nothing(away: Path, folder: Path) -> None:
    assert away.exists() and not folder.exists()


def leave_an_empty_folder(away: Path, folder: Path) -> None:
    folder.mkdir()


def leave_a_damaged_journal(away: Path, folder: Path) -> None:
    shutil.copytree(away, folder)
    (folder / "journal.db").write_bytes(b"\xa5" * 65_536)
