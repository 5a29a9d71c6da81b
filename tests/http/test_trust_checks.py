"""The trust page is worth something only if it turns red: each control is broken on purpose, and its claim says so."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar.handlers import BaseRouteHandler

from chime.app import create_app
from chime.clock import HOUR
from chime.contacts import Consent, record_consent
from chime.db.fits import opens_with, opens_without_key
from chime.security.limits import Limit
from chime.security.permissions import GRANTS, OPERATES, OPERATOR, Actor, Grant, Permission, Role
from chime.trust import asvs
from chime.trust.claims import CHECKS
from chime.trust.ground import Ground
from chime.trust.model import Finding, State
from chime.trust.pages import trust_of
from chime.trust.runner import Trust, examined, findings
from chime.trust.storage_checks import _everything_in, _reads
from chime.web import headers
from chime.web.identity import Identity
from chime.web.services import Services
from tests.http.inbox_setup import talk
from tests.http.test_support_access import ask, let_in, operator
from tests.support.world import World


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is broken on purpose stays broken: no need to wait before it is asked again."""
    monkeypatch.setattr("chime.trust.runner.ASK_AGAIN_IN", 0.0)


@pytest.fixture
async def trust(world: World) -> AsyncIterator[Trust]:
    """A world with something to look at in every respect, before anything is broken."""
    maya = await talk(world, "hello")
    await maya.says({"type": "image", "image": {}})
    await maya.reply(await world.session("alice"), "good day")
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await record_consent(tx, maya.contact_id, Consent.OPTED_OUT, source="customer", evidence="STOP")
    await world.settle()
    yield world.app.state.trust


async def one(trust: Trust, name: str) -> Finding:
    return await examined(trust.ground, name)


async def broken(trust: Trust, name: str, words: str) -> None:
    found = await one(trust, name)
    assert found.state is State.BROKEN and words in found.detail, found


async def test_everything_holds_on_an_installation_as_it_should_be(trust: Trust, world: World) -> None:
    found = {finding.name: finding for finding in await trust.look()}
    assert found.keys() == CHECKS.keys()
    skipped = {name: finding.detail for name, finding in found.items() if finding.state is State.SKIPPED}
    wrong = {name: finding.detail for name, finding in found.items() if finding.state is State.BROKEN}
    # The world has no public https address, one disk, and lets tests call a thousand times as often.
    assert wrong.keys() <= {"web.https"} and skipped.keys() <= {"web.limits", "backups.second"}, (wrong, skipped)
    assert (await findings(world.services.control)).keys() == CHECKS.keys(), "kept for after a restart"
    assert (await trust.gauges(world.services))["chime_trust_checks_broken"] == len(wrong)
    async with httpx.AsyncClient(base_url=world.base) as nobody:
        assert "chime_trust_checks_broken" in (await nobody.get("/metrics")).text
        assert "Not looked at lately." not in (await nobody.get("/security")).text
        world.clock.pass_time(4 * HOUR)
        page = (await nobody.get("/security")).text
        assert "Not looked at lately." in page and "Holds. Tried" not in page, "what was found grows old"


async def test_the_page_is_everybodys_and_turns_red(trust: Trust, world: World) -> None:
    control = world.data_dir / "control.db"
    async with httpx.AsyncClient(base_url=world.base) as nobody:
        page = await nobody.get("/security")
        assert page.status_code == 200 and "Not everything was looked at lately" in page.text
        control.chmod(0o644)
        await trust.look()
        page = await nobody.get("/security")
        assert "verdict-broken" in page.text and "Broken here since" in page.text
        assert "others may read" not in page.text and "acme" not in page.text.lower(), "no details for strangers"
        alice = await world.session("alice")
        assert "others may read control.db" in (await alice.get("/security")).text
        assert "others may read" not in (await (await world.session("bob")).get("/security")).text
        control.chmod(0o600)
        answer = await alice.post("/security/checks")
        assert answer.status_code == 303 and answer.headers["location"] == "/security?said=looked"
        assert "others may read" not in (await alice.get("/security")).text
        assert (await (await world.session("bob")).post("/security/checks")).status_code == 403
        assert (await nobody.post("/security/checks")).status_code == 303
    told = await world.services.control.db.rows(
        "SELECT action FROM audit_event WHERE action LIKE 'trust.%' AND object_id = 'storage.modes'")
    assert [row[0] for row in told] == ["trust.break_found", "trust.break_mended"]


async def test_each_requirement_of_the_standard_is_listed(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.base) as nobody:
        page = (await nobody.get("/security/asvs")).text
        assert all(f">{one.number} <" in page for one in asvs.requirements())
        unmet = (await nobody.get("/security/asvs?state=unmet")).text
        assert unmet.count("chip-warn") == asvs.counts()[1].unmet and "chip-accent" not in unmet


# Each control broken on purpose. A damage done to one check is left where it is: no other looks at it.


async def test_storage(trust: Trust, world: World) -> None:
    folder = world.data_dir / "workspaces" / world.acme.workspace_id
    for place in (world.data_dir / "control.db", world.data_dir / "workspaces", world.data_dir):
        place.chmod(0o755)
        await broken(trust, "storage.modes", "." if place == world.data_dir else place.name)
        place.chmod(0o700)
    (folder / "media" / "ab").mkdir(exist_ok=True)
    note = folder / "media" / "ab" / "note.txt"
    for content in (b"Dear Maya, your order 4711 is on its way", b"\x89PNG\r\n\x1a\n" + bytes(50)):
        note.write_bytes(content)
        await broken(trust, "storage.unreadable", "note.txt")
    note.unlink()
    assert (await one(trust, "storage.unreadable")).state is State.HOLDS
    with closing(sqlite3.connect(folder / "copy.db")) as plain:
        plain.execute("CREATE TABLE contact (phone TEXT)")
        plain.commit()
    await broken(trust, "storage.unreadable", "copy.db")
    assert opens_without_key(folder / "copy.db") and not opens_without_key(folder / "workspace.db")
    (folder / "copy.db").unlink()
    assert not _reads(folder / "copy.db") and not opens_without_key(folder / "copy.db"), "a backup took it away"
    assert (await one(trust, "storage.unreadable")).state is State.HOLDS
    stored = next(path for path in (folder / "media").glob("*/*"))
    content = stored.read_bytes()
    stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    await broken(trust, "storage.files", stored.name)
    async with world.workspace(world.acme) as workspace:
        connection = workspace.db._connection
        for pragma, weak, strong in (("synchronous", "NORMAL", "FULL"), ("foreign_keys", "OFF", "ON"),
                                     ("trusted_schema", "ON", "OFF")):
            connection.execute(f"PRAGMA {pragma} = {weak}")
            await broken(trust, "storage.settings", pragma)
            connection.execute(f"PRAGMA {pragma} = {strong}")
        assert (await one(trust, "storage.settings")).state is State.HOLDS
        connection.set_authorizer(None)
        await broken(trust, "storage.settings", "a second file")


class _OneKey:
    """The registry of an installation whose second workspace got the first one's key."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def keys(self, workspace_id: str) -> Any:
        found = await self._world.services.registry.keys(workspace_id)
        if workspace_id == self._world.globex.workspace_id:
            found.workspace_file = (await self.keys(self._world.acme.workspace_id)).workspace_file
        return found

    def use(self, workspace_id: str) -> Any:
        return self._world.services.registry.use(workspace_id)


async def test_keys_and_secrets(trust: Trust, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = await world.services.registry.keys(world.acme.workspace_id)
    assert not opens_with(world.data_dir / "workspaces" / world.globex.workspace_id / "journal.db", keys.journal_file)
    await broken(Trust(replace(trust.ground, registry=cast(Any, _OneKey(world)))), "keys.apart", "not")
    with monkeypatch.context() as patch:
        patch.setattr("chime.security.vault.context", lambda *parts: b"anywhere")
        await broken(trust, "secrets.bound", "a place it was not sealed for")
    assert (await one(trust, "secrets.bound")).state is State.HOLDS
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE channel SET access_token_sealed = ?", b"EAAGsomebodystokeninplaintext0123456789")
    await broken(trust, "secrets.sealed", "channel.access_token")
    kept = await world.services.control.db.value("SELECT password_hash FROM user WHERE email = 'bob@example.com'")
    for stored in ("correct horse battery staple", "$argon2id$v=19$m=1024,t=1,p=1$c2FsdA$aGFzaA", kept):
        await change(world, "UPDATE user SET password_hash = ? WHERE email = 'bob@example.com'", stored)
        if stored != kept:
            await broken(trust, "secrets.hashed", "argon2id")
    assert (await one(trust, "secrets.hashed")).state is State.HOLDS
    await change(world, "INSERT INTO key_purpose (workspace_id, purpose, version, target, trouble, changed_at) VALUES "
                 "(?, 'media', 1, 2, 'a file does not open', 1)", world.acme.workspace_id)
    await broken(trust, "keys.exchange", "is stuck")
    await change(world, "UPDATE session SET secret_hash = substr(secret_hash, 1, 8)")
    await broken(trust, "secrets.hashed", "no hash")


async def change(world: World, sql: str, *values: Any) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute(sql, *values)


async def test_people(trust: Trust, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(OPERATES, Permission.INBOX_READ, Grant())
        await broken(trust, "people.matrix", "operators hold rights")
    await change(world, "INSERT INTO custom_role (id, workspace_id, name, grants_json, created_at) VALUES "
                 "('r', ?, 'Sly', '{\"workspace:erase\": {}}', 1)", world.acme.workspace_id)
    await broken(trust, "people.matrix", "workspace:erase")
    with monkeypatch.context() as patch:
        patch.setattr("chime.phone.Phone.__str__", lambda self: self.digits)
        await broken(trust, "people.masking", "printed whole")
    assert (await one(trust, "people.masking")).state is State.HOLDS
    await change(world, "DROP TRIGGER membership_keeps_an_owner_delete")
    await broken(trust, "people.owners", "the last owner")
    await change(world, "DELETE FROM membership WHERE workspace_id = ?", world.globex.workspace_id)
    await broken(trust, "people.owners", "have no owner")


async def test_support(trust: Trust, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who let themselves in, and an access that nobody ends."""

    async def nothing() -> None:
        return

    monkeypatch.setattr(world.app.state.support, "look", nothing)
    olga, charlie = await operator(world), await world.session("charlie")
    await ask(world, olga, world.globex)
    await let_in(world, charlie, world.globex)
    assert (await one(trust, "people.support")).state is State.HOLDS
    await change(world, "UPDATE support_grant SET decided_at = decided_at - 90000, ends_at = decided_at - 60000")
    await broken(trust, "people.support", "not ended in time")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("PRAGMA ignore_check_constraints = ON")
        await tx.execute("UPDATE support_grant SET decided_by = operator_id")
        await tx.execute("PRAGMA ignore_check_constraints = OFF")
    await broken(trust, "people.support", "not let in as they must be")


async def test_messages_and_trails(trust: Trust, world: World) -> None:
    async with world.workspace(world.acme) as workspace:
        async with workspace.journal_db.transaction() as raw:
            await raw.execute(
                "INSERT INTO send_event (message_id, attempt, phase, outcome, wamid, at) "
                "SELECT message_id, attempt + 1, phase, outcome, 'wamid.another', at FROM send_event "
                "WHERE outcome = 'accepted'")
        async with workspace.ingest("test") as tx:
            await tx.execute("DELETE FROM applied_body WHERE journal_id = (SELECT min(journal_id) FROM applied_body)")
            await tx.execute("UPDATE contact SET marketing_consent = 'opted_in'")
            await tx.execute("DROP TRIGGER audit_event_is_never_changed")
            await tx.execute("UPDATE audit_event SET actor_name = 'Somebody else' WHERE sequence = 2")
    await broken(trust, "delivery.sends", "accepted twice")
    await broken(trust, "delivery.account", "does not balance")
    await broken(trust, "delivery.stops", "said stop and is not stopped")
    await broken(trust, "audit.trails", "from row 2")


async def test_addresses(trust: Trust, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that asks for no permission, one that was made public by the way, one that answers strangers."""
    handler: BaseRouteHandler = next(
        handler for route in world.app.routes for handler in getattr(route, "route_handlers", [])
        if handler.handler_name == "show_inbox")
    assert (await one(trust, "web.permissions")).state is State.HOLDS
    with monkeypatch.context() as patch:
        patch.delitem(handler.opt, "permission")
        await broken(trust_of(world.services, world.app), "web.permissions", "/w/{slug}/inbox")
        patch.setitem(handler.opt, "public", True)
        await broken(trust_of(world.services, world.app), "web.permissions", "/w/{slug}/inbox")

    async def somebody(services: Services, connection: Any) -> Identity:
        return Identity(actor=Actor(kind="user", id="x", name="X", grants=GRANTS[Role.OWNER]))

    services = replace(world.services, by_session=somebody)
    with monkeypatch.context() as patch:
        patch.setattr(world.app.state, "services", services)
        await broken(trust, "web.permissions", "is answered")


async def test_addresses_of_a_demo(world: World) -> None:
    """The simulator's are its only ones more, and are on nobody's list elsewhere."""
    for is_demo, expected in ((True, State.HOLDS), (False, State.BROKEN)):
        services = replace(world.services, config=msgspec.structs.replace(world.services.config, demo=is_demo))
        app = create_app(services, simulator=world.simulator)
        found = await examined(trust_of(services, app).ground, "web.permissions")
        assert found.state is expected, found


async def test_headers(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    said = headers._HTTPS
    for name in ("content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy",
                 "strict-transport-security", "cross-origin-resource-policy", "permissions-policy"):
        with monkeypatch.context() as patch:
            patch.setattr(headers, "_HTTPS", tuple(header for header in said if header[0] != name.encode()))
            await broken(trust, "web.headers", name)
    for before, after in ((b"script-src 'self'", b"script-src 'self' 'unsafe-inline'"),
                          (b"max-age=63072000", b"max-age=60"), (b"frame-ancestors 'none'", b"frame-ancestors *")):
        with monkeypatch.context() as patch:
            patch.setattr(headers, "_HTTPS", tuple((name, value.replace(before, after)) for name, value in said))
            await broken(trust, "web.headers", "/healthz")
    with monkeypatch.context() as patch:
        patch.setattr(headers, "_HTTPS", (*said, (b"access-control-allow-origin", b"https://evil.invalid")))
        await broken(trust, "web.headers", "access-control-allow-origin")
    assert (await one(trust, "web.headers")).state is State.HOLDS


async def test_the_wire(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("chime.inbound.webhook.is_signed", lambda secret, body, header: True)
        await broken(trust, "web.webhooks", "answered 200")
    with monkeypatch.context() as patch:
        patch.setattr("chime.web.guards.need_own_page", lambda *_: None)
        await broken(trust, "web.other_sites", "another site")
    with monkeypatch.context() as patch:
        patch.setattr("chime.security.addresses.is_public", lambda address: True)
        await broken(trust, "web.outside", "could be called")
    config = msgspec.structs.replace(trust.ground.config, rate_factor=1, public_url="http://a.example")
    plain = Trust(replace(trust.ground, config=config))
    await broken(plain, "web.https", "not https")
    await broken(plain, "web.limits", "in force")
    with monkeypatch.context() as patch:
        patch.setattr("chime.trust.web_checks.PROMISED", (Limit(2, 1),))
        await broken(trust, "web.limits", "more than 2 calls")

    async def fails(ground: Ground) -> str:
        raise OSError("no such thing")

    with monkeypatch.context() as patch:
        patch.setitem(CHECKS, "storage.modes", fails)
        await broken(trust, "storage.modes", "could not be looked at: OSError")
    assert [(await one(trust, name)).state for name in ("web.webhooks", "web.other_sites", "web.outside")] == [
        State.HOLDS] * 3


def test_a_folder_that_is_not_ours_or_went_meanwhile_hides_nothing_else(tmp_path: Path,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may enter everything, so it is the system's answer that is another."""
    for name in ("lost+found", "gone", "ours"):
        (tmp_path / name).mkdir()
    (tmp_path / "ours" / "file").touch()
    answers = {"lost+found": PermissionError, "gone": FileNotFoundError}
    scandir = os.scandir

    def asked(folder: str | Path) -> object:
        if error := answers.get(os.path.basename(folder)):
            raise error(str(folder))
        return scandir(folder)

    with monkeypatch.context() as patched:
        patched.setattr("chime.trust.storage_checks.os.scandir", asked)
        found = {entry.name for entry in _everything_in(tmp_path)}
    assert found == {"lost+found", "gone", "ours", "file"}
