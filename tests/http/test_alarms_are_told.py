"""Who must act is told where they are, in their list of what happened and by mail: owners of a changed audit trail,
operators of that of the installation, and whom a workspace is offered to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from chime import audit
from chime.accounts import alarm_notices
from chime.audit import jobs
from chime.audit.trail import Trail
from chime.config import MailServer as Where
from chime.db.file import DatabaseFile
from chime.security.permissions import OPERATOR
from tests.http.account_setup import id_of
from tests.support.mail_server import MailServer, mail_server, mails_told
from tests.support.world import World, running_world


@asynccontextmanager
async def _world(installation: Path, folder: Path, server: MailServer) -> AsyncIterator[World]:
    async with running_world(installation, folder, public_url="https://chime.example",
                             mail_server=Where("127.0.0.1", server.port, "plain")) as world:
        yield world


async def _touched(trail: Trail) -> None:
    """Somebody's hand in the file."""
    assert isinstance(trail.db, DatabaseFile)
    async with trail.db.transaction() as tx:
        await tx.execute("DROP TRIGGER audit_event_is_never_changed")
        await tx.execute("UPDATE audit_event SET hash = zeroblob(32) WHERE sequence = 1")


async def _changed(trail: Trail) -> None:
    """The same after it was signed, and the signer that comes by."""
    await audit.sign(trail)
    await _touched(trail)
    with suppress(audit.TrailChanged):
        await audit.sign(trail)
        raise AssertionError("it was signed")


async def _notices(world: World, kind: str) -> list[str]:
    return [row[0] for row in await world.services.control.db.rows(
        "SELECT user.name FROM notice JOIN user ON user.id = user_id WHERE kind = ? ORDER BY user.name", kind)]


async def test_owners_are_told_once_that_their_trail_was_changed(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        control = world.services.control
        async with control.ingest("test") as tx:
            await tx.execute("UPDATE membership SET role = 'owner' WHERE user_id = ?", await id_of(world, "mo"))
        async with world.workspace(world.acme) as workspace:
            trail = audit.trail_of(workspace, control)
            await _changed(trail)
            await alarm_notices.tell(world.services)
            told = await mails_told(server, 2)
            assert {to for to, _ in told} == {"alice@example.com", "mo@example.com"}
            for _, text in told:
                assert "Chime: the audit log was changed" in text and "Workspace: Acme" in text
                assert "See https://chime.example/w/acme/settings/audit" in text and "If this was not you" not in text
            for _ in range(2):  # found by the signer again, and by an examination
                with suppress(audit.TrailChanged):
                    await audit.sign(trail)
                assert not (await jobs.verify(trail, world.clock)).ok
                await alarm_notices.tell(world.services)
            assert await _notices(world, "audit_alarm") == ["Alice", "Mo"]
            await mails_told(server, 2)
            page = (await (await world.session("alice")).get("/me/security")).text
            assert "The audit log of a workspace was changed from outside." in page
            rows = await control.db.rows("SELECT object_id FROM audit_event WHERE action = 'audit.alarm_announced'")
            assert set(rows) == {(world.acme.workspace_id,)}


async def test_what_an_examination_alone_finds_is_told_and_a_new_trouble_again(
        installation: Path, tmp_path: Path) -> None:
    async with (mail_server() as server, _world(installation, tmp_path / "data", server) as world,
                world.workspace(world.acme) as workspace):
        trail = audit.trail_of(workspace, world.services.control)
        assert (await jobs.verify(trail, world.clock)).ok
        await alarm_notices.tell(world.services)
        assert await _notices(world, "audit_alarm") == []
        await _touched(trail)
        assert not (await jobs.verify(trail, world.clock)).ok
        await asyncio.gather(*(alarm_notices.tell(world.services) for _ in range(3)))
        await mails_told(server, 1)
        await audit.accept_as_it_is(trail, OPERATOR, reason="a test")
        assert not await world.services.control.db.rows("SELECT 1 FROM meta WHERE key GLOB 'audit_trouble:*'")
        assert not (await jobs.verify(trail, world.clock)).ok
        await alarm_notices.tell(world.services)
        assert await _notices(world, "audit_alarm") == ["Alice", "Alice"]


async def test_operators_are_told_of_the_installations_trail(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        await _changed(audit.installation_trail(world.services.control))
        await alarm_notices.tell(world.services)
        [(to, text)] = await mails_told(server, 1)
        assert to == "alice@example.com" and "audit log of this server" in text
        assert "See https://chime.example/installation/audit" in text


async def test_without_a_mail_server_the_list_has_it(world: World) -> None:
    async with world.workspace(world.acme) as workspace:
        await _changed(audit.trail_of(workspace, world.services.control))
    await alarm_notices.tell(world.services)
    assert await _notices(world, "audit_alarm") == ["Alice"]
    assert "Acme" in (await (await world.session("alice")).get("/me/security")).text


async def test_whom_a_workspace_is_offered_to_gets_a_mail(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        alice, mo_id, alice_id = await world.session("alice"), await id_of(world, "mo"), await id_of(world, "alice")
        there = "/w/acme/settings/members/{}/ownership-offer"
        assert (await alice.post(there.format(alice_id))).status_code == 422, "an owner already"
        assert (await alice.post(there.format(mo_id))).status_code == 303
        [(to, text)] = await mails_told(server, 1)
        assert to == "mo@example.com" and text.startswith("Chime: a workspace is offered to you\n")
        assert "Workspace: Acme\nBy: Alice\n" in text and "See https://chime.example/w/acme/settings/ownership" in text
