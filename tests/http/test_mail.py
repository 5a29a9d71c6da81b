"""Mails of the installation: sent when what they tell of is committed, tried for a day, kept sealed, not for long."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chime import audit
from chime.audit import letters
from chime.clock import DAY, HOUR, MINUTE, SECOND
from chime.config import MailServer as Where
from chime.db import StorageUnavailable
from chime.errors import ChimeError, Invalid
from chime.security.permissions import OPERATOR
from tests.support.mail_server import MailServer, mail_server, mails_told
from tests.support.world import World, running_world

LINK = "https://chime.example/invitations/abc"


@asynccontextmanager
async def _world(installation: Path, folder: Path, server: MailServer, **options: Any) -> AsyncIterator[World]:
    options = {"public_url": "https://chime.example", "mail_server": Where("127.0.0.1", server.port, "plain")} | options
    async with running_world(installation, folder, **options) as world:
        yield world


async def _until_settled(world: World) -> list[tuple[str, int, str]]:
    async with asyncio.timeout(10):
        while True:
            rows = await world.services.control.db.rows("SELECT state, attempts, trouble FROM outgoing_mail")
            if rows and not [row for row in rows if row[0] == "queued" and not row[1]]:
                return rows
            await asyncio.sleep(0.02)


async def test_a_mail_goes_with_its_transaction(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        mailer = world.services.mailer
        assert mailer.configured and mailer.link("/invitations/abc") == LINK
        with pytest.raises(RuntimeError):
            async with world.services.control.write(OPERATOR) as tx:
                await mailer.send("eve@example.com", "Never", "never", tx=tx)
                raise RuntimeError("undone")
        async with world.services.control.write(OPERATOR) as tx:
            await mailer.send("bob@example.com", "You are invited", f"Open {LINK}\n", tx=tx,
                              name="Bob\r\nBcc: eve@x.com")
            await tx.audit("member.invited", "invitation", "abc")
        assert await _until_settled(world) == [("sent", 1, "")]
        (mail,) = server.mails
        assert (mail.sender, mail.recipients) == ("chime@chime.example", ["bob@example.com"])
        assert mail.text == f"Open {LINK}\n" and mail.message["Subject"] == "You are invited"
        assert "Bcc" not in mail.message
        assert re.fullmatch(r"<[0-9a-z]{26}@chime\.example>", mail.message["Message-ID"])
        assert await world.services.control.db.value("SELECT message_sealed FROM outgoing_mail") is None


async def test_without_a_mail_server_nothing_is_kept(world: World) -> None:
    mailer = world.services.mailer
    assert not mailer.configured
    assert await mailer.send("bob@example.com", "x", "x") == ""
    assert await world.services.control.db.value("SELECT count(*) FROM outgoing_mail") == 0


async def test_links_are_of_the_public_address_alone(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server:
        async with _world(installation, tmp_path / "one", server) as world:
            for path in ("//evil.example/x", "https://evil.example/x", "", "x"):
                with pytest.raises(ChimeError):
                    world.services.mailer.link(path)
        async with _world(installation, tmp_path / "two", server, public_url="") as world:
            assert not world.services.mailer.configured, "a mail without a link that works helps nobody"


async def test_an_address_that_is_none_is_told_before_anything_is_kept(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        for to in ("bob", "bob@example.com, eve@example.com", "bob@example.com\r\nBcc: eve@example.com", ""):
            with pytest.raises(Invalid):
                await world.services.mailer.send(to, "x", "x")
        assert await world.services.control.db.value("SELECT count(*) FROM outgoing_mail") == 0


async def test_what_waits_lies_sealed(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        server.refuse = {"MAIL": "451 later"}
        await world.services.mailer.send("bob@example.com", "You are invited", "a secret link")
        await _until_settled(world)
        (row,) = await world.services.control.db.rows("SELECT * FROM outgoing_mail")
        assert not [value for value in row if b"bob@" in str(value).encode() or b"secret" in str(value).encode()]
        assert len(row[1]) > 60


async def test_a_server_that_is_away_is_asked_for_a_day_at_growing_pauses(
    installation: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        server.refuse = {"": "421 busy"}
        mailer, db = world.services.mailer, world.services.control.db
        await mailer.send("bob@example.com", "You are invited", "a secret link")
        await _until_settled(world)
        pauses = []
        while await db.value("SELECT state FROM outgoing_mail") == "queued":
            wait = await db.value("SELECT next_attempt_at FROM outgoing_mail") - world.clock.real_now()
            pauses.append(round(wait / SECOND))
            assert await mailer.send_due() == 0, "not before its time"
            world.clock.pass_time(wait + 1)
            assert await mailer.send_due() == 1
        assert pauses[:8] == pytest.approx([30, 60, 120, 240, 480, 960, 1920, 3600], abs=3) and max(pauses) <= 3600
        assert DAY <= sum(pauses) * SECOND <= DAY + HOUR
        left = await db.rows("SELECT state, message_sealed, trouble FROM outgoing_mail")
        assert left == [("given_up", None, "refused (421)")]
        assert not server.mails and "bob@" not in caplog.text and "secret" not in caplog.text


async def test_an_address_that_is_refused_is_given_up_at_once(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        server.refuse = {"RCPT": "550 no such person"}
        await world.services.mailer.send("nobody@example.com", "x", "x")
        assert await _until_settled(world) == [("given_up", 1, "recipient refused (550)")]


async def test_what_a_crash_left_is_sent_after_the_next_start(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server:
        async with _world(installation, tmp_path / "first", server) as world:
            server.refuse = {"MAIL": "451 later"}
            await world.services.mailer.send("bob@example.com", "x", "still here")
            await _until_settled(world)
        server.refuse = {}
        async with _world(tmp_path / "first", tmp_path / "again", server) as world:
            world.clock.pass_time(MINUTE)
            await world.services.mailer.send_due()
            assert [mail.text for mail in server.mails] == ["still here\n"]


async def test_settled_mails_are_forgotten_after_a_week(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        mailer, db = world.services.mailer, world.services.control.db
        await mailer.send("bob@example.com", "x", "x")
        await _until_settled(world)
        assert (await mailer.gauges())['chime_mails{state="sent"}'] == 1
        world.clock.pass_time(6 * DAY)
        await mailer.send_due()
        assert await db.value("SELECT count(*) FROM outgoing_mail") == 1
        world.clock.pass_time(DAY + MINUTE)
        world.clock.pass_time(HOUR)
        await mailer.send_due()
        assert await db.value("SELECT count(*) FROM outgoing_mail") == 0


async def test_where_the_end_of_a_try_cannot_be_written_down_nothing_is_sent_again_at_once(
    installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        control = world.services.control

        @asynccontextmanager
        async def full(source: str) -> AsyncIterator[Any]:
            """The disk is full from the moment in which the mail server has the mail."""
            if source == "mail" and server.mails:
                raise StorageUnavailable("full")
            async with ingest(source) as tx:
                yield tx

        ingest = control.ingest
        monkeypatch.setattr(control, "ingest", full)
        await world.services.mailer.send("bob@example.com", "x", "once")
        async with asyncio.timeout(10):
            while not server.mails:
                await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        assert [mail.text for mail in server.mails] == ["once\n"]
        monkeypatch.setattr(control, "ingest", ingest)
        world.clock.pass_time(MINUTE)
        await world.services.mailer.send_due()
        (state,), = await control.db.rows("SELECT state FROM outgoing_mail")
        assert state == "sent"


async def test_an_address_no_mail_goes_to_keeps_nothing_from_happening_and_nobody_else_from_hearing(
    installation: Path, tmp_path: Path,
) -> None:
    """Such as first..last@, which a provider may well vouch for."""
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        control = world.services.control
        async with control.ingest("test") as tx:
            await tx.execute("UPDATE user SET email = 'a..lice@example.com' WHERE email = 'alice@example.com'")
            for name in ("mo", "kim"):
                await tx.execute("UPDATE membership SET role = 'owner' WHERE user_id = (SELECT id FROM user "
                                 "WHERE email = ?)", f"{name}@example.com")
        kim = await world.session("kim")
        asked = await kim.post("/w/acme/settings/erasure", data={"name": "Acme"})
        assert asked.status_code == 303, asked.text
        told = await mails_told(server, 2)
        assert {to for to, _ in told} == {"mo@example.com", "kim@example.com"}
        async with world.workspace(world.acme) as workspace:
            made = await audit.sign(audit.trail_of(workspace, control))
        assert made is not None
        await letters.mail_checkpoint(control, world.services.mailer, world.acme.workspace_id, made, 1)
        await mails_told(server, 4)
