"""Web push from end to end: a push service of our own receives what only the browser can read, and nobody is rung who
may not hear of it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from chime.accounts.membership import remove
from chime.accounts.sessions import end_sessions_of
from chime.clock import DAY, MINUTE
from chime.notifications import Kind, notify
from chime.notifications.actions import PUSH
from chime.security.permissions import OPERATOR, SYSTEM
from tests.http.inbox_setup import Talk, rows, talk
from tests.http.test_notifications import assign, choose, id_of
from tests.support.push_service import Browser, PushService, push_service
from tests.support.world import World, running_world


@dataclass
class Yard:
    """A world whose operator lets our push service be called."""

    world: World
    service: PushService

    async def subscribe(self, name: str) -> Browser:
        """Somebody turns push on in a browser of theirs."""
        client, browser = await self.world.session(name), Browser(self.service, name)
        assert (await client.post("/me/push/key")).json()["key"]
        answer = await client.post("/me/push", data=browser.fields)
        assert answer.status_code == 200, answer.text
        return browser

    async def devices(self) -> list[tuple[str]]:
        found: list[tuple[str]] = await self.world.services.control.db.rows("SELECT id FROM push_subscription")
        return found


@pytest.fixture
async def yard(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Yard]:
    async with _yard(installation, tmp_path, monkeypatch) as found:
        yield found


@asynccontextmanager
async def _yard(installation: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Yard]:
    async with push_service(folder) as (service, pem):
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        port = int(service.origin.rpartition(":")[2])
        async with running_world(installation, folder / "data", egress_allow=(("localhost", port),)) as world:
            yield Yard(world, service)


async def test_a_push_reaches_the_browser_and_nobody_else_reads_it(yard: Yard) -> None:
    world = yard.world
    browser = await yard.subscribe("bob")
    said = await talk(world, "My card is 4111 1111")
    await assign(world, said, await world.session("alice"), "bob")
    await browser.rung()
    told, = browser.messages()
    assert told == {"title": "Alice assigned Maya Chen to you", "body": "Acme", "url": f"/w/acme/inbox/{said.id}",
                    "tag": said.id, "count": 1}
    push, = browser.pushes()
    assert b"Maya" not in push.body and len(push.body) % 512 == 86 + 16, "its size says little"
    assert push.headers["content-encoding"] == "aes128gcm" and push.headers["urgency"] == "high"
    assert push.headers["ttl"] == "3600" and said.id not in str(push.headers) and len(push.headers["topic"]) == 32
    (public,), = await world.services.control.db.rows("SELECT public FROM push_key")
    claims = browser.claims(public)
    assert claims is not None and claims["aud"] == yard.service.origin and str(claims["sub"]).startswith("mailto:")
    assert browser.claims(Browser(yard.service, "other").keys.public) is None
    await world.settle()
    assert await rows(world, world.acme, "SELECT 1 FROM notification_push") == []


async def test_a_customers_message_is_pushed_in_time_with_words_only_on_wish(yard: Yard) -> None:
    world = yard.world
    browser = await yard.subscribe("bob")
    said = await talk(world)
    await assign(world, said, await world.session("alice"), "bob")
    begun = time.monotonic()
    await said.says("Where is my order? Call 4155550123 please")
    await browser.rung(2)
    assert time.monotonic() - begun < 10
    assert browser.messages()[-1]["title"] == "Maya Chen wrote to you" and "order" not in str(browser.messages())
    await choose(await world.session("bob"), shows_text="yes")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET masked = 1 WHERE user_id = ?", await id_of(world, "bob"))
        await tx.execute("INSERT INTO workspace_policy (workspace_id, policy_json) VALUES (?, ?)",
                         world.acme.workspace_id, '{"mask_in_text": true}')
    await said.says("Call 4155550124 please")
    await browser.rung(3)
    told = browser.messages()[-1]
    assert "4155550124" not in told["body"] and told["title"] == "Maya Chen wrote 2 messages" and "Call" in told["body"]


async def test_who_was_removed_is_not_rung(yard: Yard) -> None:
    world = yard.world
    browser = await yard.subscribe("bob")
    said = await talk(world)
    await assign(world, said, await world.session("alice"), "bob")
    await browser.rung()
    async with world.services.control.write(OPERATOR) as tx:
        await remove(tx, world.acme.workspace_id, await id_of(world, "bob"))
    assert await yard.devices() == [], "with the last workspace the devices go"
    await _remind(world, said, "bob")
    assert len(browser.pushes()) == 1


async def test_who_lost_sight_of_it_is_not_rung(yard: Yard) -> None:
    world = yard.world
    alice, browser = await world.session("alice"), await yard.subscribe("bob")
    said = await talk(world)
    await assign(world, said, alice, "bob")
    await browser.rung()
    await assign(world, said, alice, "kim")
    await _remind(world, said, "bob")
    assert len(browser.pushes()) == 1 and len(await yard.devices()) == 1


async def test_a_push_that_waited_asks_again_who_may_hear(yard: Yard) -> None:
    """Between two tries somebody else got the conversation."""
    world = yard.world
    yard.service.answers = [(503, {}), (201, {})]
    alice, browser = await world.session("alice"), await yard.subscribe("bob")
    said = await talk(world)
    await assign(world, said, alice, "bob")
    await browser.rung()
    await world.settle()
    (push_id, attempts), = await rows(world, world.acme, "SELECT id, attempts FROM notification_push")
    assert attempts == 1
    await assign(world, said, alice, "kim")
    world.clock.advance(MINUTE)
    world.services.runner.start(world.acme.workspace_id, PUSH, push_id)
    await world.settle()
    assert len(browser.pushes()) == 1 and await rows(world, world.acme, "SELECT 1 FROM notification_push") == []


async def put_off(yard: Yard, asked: str) -> tuple[Browser, str, int]:
    """A browser whose service was too busy for its first push and asked for this pause; the push, and how long it
    waits."""
    world = yard.world
    yard.service.answers = [(429, {"Retry-After": asked}), (201, {})]
    browser = await yard.subscribe("bob")
    said = await talk(world)
    await assign(world, said, await world.session("alice"), "bob")
    await browser.rung()
    await world.settle()
    (push_id, due), = await rows(world, world.acme, "SELECT id, next_attempt_at FROM notification_push")
    return browser, push_id, due - world.clock.now()


async def test_a_busy_service_is_asked_again_when_it_said(yard: Yard) -> None:
    world = yard.world
    browser, push_id, wait = await put_off(yard, "120")
    assert wait > 100_000
    world.clock.advance(3 * MINUTE)
    world.services.runner.start(world.acme.workspace_id, PUSH, push_id)
    await browser.rung(2)
    assert [told["title"] for told in browser.messages()] == ["Alice assigned Maya Chen to you"] * 2


@pytest.mark.parametrize("asked", ["\u00b2", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 40])
async def test_a_service_that_says_nonsense_is_asked_again_all_the_same(yard: Yard, asked: str) -> None:
    world = yard.world
    browser, push_id, wait = await put_off(yard, asked)
    assert 0 < wait < 10 * MINUTE
    world.clock.advance(10 * MINUTE)
    world.services.runner.start(world.acme.workspace_id, PUSH, push_id)
    await browser.rung(2)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(yard: Yard, status: int) -> None:
    world = yard.world
    yard.service.answers = [(status, {})]
    browser = await yard.subscribe("bob")
    said = await talk(world)
    await assign(world, said, await world.session("alice"), "bob")
    await browser.rung()
    await world.settle()
    assert await yard.devices() == []
    assert ("push.device_lost",) in await world.services.control.db.rows("SELECT action FROM audit_event")


async def test_quiet_hours_and_choices_hold_for_push(yard: Yard) -> None:
    world = yard.world
    browser, bob = await yard.subscribe("bob"), await world.session("bob")
    said = await talk(world)
    await choose(bob, is_quiet="yes", quiet_from="00:00", quiet_until="23:59")
    await assign(world, said, await world.session("alice"), "bob")
    await choose(bob, off={"reminder"})
    await _remind(world, said, "bob")
    assert browser.pushes() == []


async def test_signing_out_takes_the_browser_along(yard: Yard) -> None:
    await yard.subscribe("bob")
    bob = await yard.world.session("bob")
    assert (await bob.post("/sign-out")).status_code == 303
    assert await yard.devices() == []


async def time_ends_all_sessions(world: World) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE session SET expires_at = 1")
        await tx.execute("DELETE FROM session WHERE expires_at < ?", world.clock.real_now())


async def test_a_session_that_time_ended_leaves_the_phone_ringing(yard: Yard) -> None:
    await yard.subscribe("bob")
    await time_ends_all_sessions(yard.world)
    assert len(await yard.devices()) == 1


async def test_who_ends_every_session_ends_the_ringing_of_a_lost_phone_too(yard: Yard) -> None:
    world = yard.world
    await yard.subscribe("bob")
    await time_ends_all_sessions(world)
    world.sessions_are_over()
    bob, own = await world.session("bob"), Browser(yard.service, "bob-at-home")
    assert (await bob.post("/me/push", data=own.fields)).status_code == 200
    assert len(await yard.devices()) == 2
    assert (await bob.post("/me/sessions/end-others")).status_code == 303
    assert len(await yard.devices()) == 1, "the browser in front of him goes on"
    said = await talk(world)
    await assign(world, said, await world.session("alice"), "bob")
    await own.rung()
    async with world.services.control.write(SYSTEM) as tx:
        await end_sessions_of(tx, await id_of(world, "bob"))
    assert await yard.devices() == []


async def test_what_a_browser_names_is_looked_at(world: World) -> None:
    bob, browser = await world.session("bob"), Browser(PushService("https://127.0.0.1:9"), "bob")
    for fields in (
            browser.fields, browser.fields | {"endpoint": "http://fcm.googleapis.com/x"},
            browser.fields | {"endpoint": "https://metadata.internal/x"},
            browser.fields | {"endpoint": "https://push.example.com/x"},
            browser.fields | {"endpoint": "https://evil-fcm.googleapis.com.example/x"},
            browser.fields | {"endpoint": "https://fcm.googleapis.com/x", "key": "AAAA"},
            browser.fields | {"endpoint": "https://fcm.googleapis.com/x", "auth": "AAAA"}):
        assert (await bob.post("/me/push", data=fields)).status_code == 422, fields["endpoint"]
    good = await bob.post("/me/push", data=browser.fields | {"endpoint": "https://fcm.googleapis.com/fcm/send/abc"})
    assert good.status_code == 200
    (sealed, service), = await world.services.control.db.rows("SELECT address_sealed, service FROM push_subscription")
    assert b"/fcm/send" not in sealed and service == "fcm.googleapis.com"
    page = (await bob.get("/me/notifications")).text
    assert "fcm.googleapis.com" in page and "/fcm/send" not in page


async def test_a_device_is_tested_and_removed_by_its_person_alone(yard: Yard) -> None:
    browser, world = await yard.subscribe("bob"), yard.world
    bob, mo = await world.session("bob"), await world.session("mo")
    (device_id,), = await yard.devices()
    assert (await mo.post(f"/me/push/{device_id}/removal")).status_code == 404
    assert (await mo.post(f"/me/push/{device_id}/test")).status_code == 404
    assert "said=tested" in (await bob.post(f"/me/push/{device_id}/test")).headers["location"]
    assert browser.messages()[0]["title"] == "Chime reaches this device"
    assert (await bob.post(f"/me/push/{device_id}/removal")).status_code == 303
    assert await yard.devices() == []


async def test_the_same_browser_belongs_to_who_signed_in_last(yard: Yard) -> None:
    browser = await yard.subscribe("bob")
    for name in ("mo", "mo"):
        await (await yard.world.session(name)).post("/me/push", data=browser.fields)
    assert await yard.world.services.control.db.rows("SELECT user_id FROM push_subscription") == [
        (await id_of(yard.world, "mo"),)]


async def test_an_old_browser_is_forgotten(yard: Yard) -> None:
    world = yard.world
    browser = await yard.subscribe("bob")
    said = await talk(world)
    world.clock.advance(31 * DAY)
    await assign(world, said, await world.session("alice"), "bob")
    assert browser.pushes() == []


async def _remind(world: World, said: Talk, name: str) -> None:
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await notify(tx, [await id_of(world, name)], Kind.REMINDER, conversation_id=said.id)
        await tx.audit("test.made", "test", "test")
    await world.settle()


async def test_the_worker_and_the_manifest_are_everybodys(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.base) as anybody:
        worker, manifest = await anybody.get("/sw.js"), (await anybody.get("/manifest.webmanifest")).json()
        assert worker.headers["content-type"].startswith("text/javascript")
        assert worker.headers["cache-control"] == "no-cache"
        assert b"/offline" in worker.content and worker.content.startswith(b"const CHIME={")
        assert manifest["display"] == "standalone"
        for icon in manifest["icons"]:
            answer = await anybody.get(icon["src"])
            size = int(icon["sizes"].partition("x")[0])
            assert answer.content[:4] == b"\x89PNG" and int.from_bytes(answer.content[16:20], "big") == size
        assert "No connection" in (await anybody.get("/offline")).text
