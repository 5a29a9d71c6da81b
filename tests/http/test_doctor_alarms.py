"""Who must act is told once that something is out of order, after it was found so twice, and once that it is well
again: of a number by bell, push and mail its owners and admins; of the installation its operators."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chime.checked import Check, State, bad, doubtful, good, skipped
from chime.clock import DAY, HOUR
from chime.config import MailServer as Where
from chime.doctor.model import Found, Kept, laid_over
from tests.http.account_setup import id_of
from tests.http.doctor_setup import doctor, look
from tests.http.test_push import _yard
from tests.support.mail_server import MailServer, mail_server, mails_told
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, APP_SECRET, World, running_world

OK, WARN, FAIL, SKIP = (good("x", "fine"), doubtful("x", "so so", "look"), bad("x", "broken", "mend"),
                        skipped("x", "unknown"))


def _told(checks: list[Check], silenced: dict[int, int] | None = None) -> list[str]:
    """What people hear of, look by look, an hour apart; `silenced` says at which look somebody asks for a day of
    peace."""
    kept: Kept | None = None
    told = []
    for number, check in enumerate(checks):
        rung = laid_over(kept, Found("c", check), number * HOUR)
        kept = rung.kept
        if silenced and number in silenced:
            import msgspec

            kept = msgspec.structs.replace(kept, silenced_until=number * HOUR + silenced[number])
        told.append("" if rung.turn is None else "well" if rung.turn.is_well else rung.turn.check.state.value)
    return told


def test_twice_in_a_row_and_once() -> None:
    assert _told([OK, FAIL, FAIL, FAIL, OK, OK, OK]) == ["", "", "fail", "", "", "well", ""]
    assert _told([OK, FAIL, OK, FAIL, OK, FAIL]) == [""] * 6, "no flapping"
    assert _told([FAIL, FAIL, OK, FAIL, FAIL, OK, OK]) == ["", "fail", "", "", "", "", "well"]
    assert _told([WARN, WARN, FAIL, FAIL, OK, OK]) == ["", "warn", "fail", "", "", "well"], "worse is told again"
    assert _told([FAIL, FAIL, WARN, WARN]) == ["", "fail", "", ""], "better, but not well, is not"
    assert _told([FAIL, SKIP, FAIL, SKIP, OK, SKIP, OK]) == ["", "", "fail", "", "", "", "well"]
    assert _told([SKIP, SKIP, OK, OK]) == [""] * 4


def test_a_day_of_peace() -> None:
    looks = [FAIL] * 30
    assert _told(looks, {0: DAY})[1:] == [*[""] * 23, "fail", *[""] * 5], "then it rings, as it still stands"
    told = _told(looks, {3: DAY})
    assert [number for number, one in enumerate(told) if one] == [1, 27], "told, silenced, and told again"
    assert _told([FAIL, FAIL, FAIL, OK, OK], {2: DAY}) == ["", "fail", "", "", "well"], "its end is told all the same"


@asynccontextmanager
async def _world(installation: Path, folder: Path, server: MailServer) -> AsyncIterator[World]:
    async with running_world(installation, folder, public_url="https://chime.example",
                             mail_server=Where("127.0.0.1", server.port, "plain")) as world:
        yield world


async def _bells(world: World) -> list[tuple[Any, ...]]:
    async with world.workspace(world.acme) as workspace:
        return await workspace.db.rows("SELECT kind, user_id, path FROM notification WHERE kind LIKE 'connection%' "
                                       "ORDER BY at, user_id")


@pytest.fixture
def only_quality(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers at the public address of these tests."""
    async def no_trip(*_: object) -> None:
        return None

    monkeypatch.setattr("chime.doctor.numbers.Trips.of_app", no_trip)


@pytest.mark.usefixtures("only_quality")
async def test_owners_are_told_of_a_number_once_and_once_again_when_it_is_well(
        installation: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        number, alice = world.simulator.world.numbers[ACME_NUMBER.phone_number_id], await id_of(world, "alice")
        for app in world.simulator.world.apps.values():
            app.webhook_url = f"https://chime.example{world.acme.webhook_path}"
        caplog.set_level(logging.INFO)
        number.quality_rating = "RED"
        await look(world)
        assert not await _bells(world), "once is a hiccup"
        await look(world)
        await look(world)
        [(to, text)] = await mails_told(server, 1)
        assert to == "alice@example.com" and "a WhatsApp number needs a look" in text
        assert "quality of this number low" in text and "https://chime.example/w/acme/settings/connection" in text
        assert await _bells(world) == [("connection_trouble", alice, "/settings/connection")]
        assert doctor(world).failing[world.acme.workspace_id] == 1
        number.quality_rating = "GREEN"
        for _ in range(3):
            await look(world)
        mails = await mails_told(server, 2)
        assert "a WhatsApp number is well again" in mails[1][1]
        assert [row[0] for row in await _bells(world)] == ["connection_trouble", "connection_well"]
        assert world.acme.workspace_id not in doctor(world).failing
        actions = await world.services.control.db.rows(
            "SELECT action, object_id FROM audit_event WHERE action LIKE 'check.%' ORDER BY sequence")
        assert actions == [("check.trouble_found", "quality"), ("check.mended", "quality")]
        logged = caplog.text + repr([getattr(record, "fields", {}) for record in caplog.records])
        assert "doctor.trouble" in logged
        assert not [secret for secret in (ACCESS_TOKEN, APP_SECRET, "5550100200", "555-010-0200") if secret in logged]


@pytest.mark.usefixtures("only_quality")
async def test_operators_are_told_of_the_installation(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        (world.data_dir / "control.db").chmod(0o644)
        await look(world, "")
        await look(world, "")
        await look(world, "")
        [(to, text)] = await mails_told(server, 1)
        assert to == "alice@example.com" and "this server is out of order" in text
        assert "chmod -R go=" in text and "https://chime.example/installation/doctor" in text
        page = (await (await world.session("alice")).get("/me/security")).text
        assert "Something of this server is out of order." in page
        assert not await _bells(world), "of no workspace"
        assert (await look(world, ""))["data folder"].state is State.FAIL


@pytest.mark.usefixtures("only_quality")
async def test_phones_ring_for_a_number_and_for_the_installation(
        installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with _yard(installation, tmp_path, monkeypatch) as yard:
        world, browser = yard.world, await yard.subscribe("alice")
        world.simulator.world.numbers[ACME_NUMBER.phone_number_id].quality_rating = "RED"
        await look(world)
        await look(world)
        await browser.rung()
        [told] = browser.messages()
        assert told["title"] == "The connection of Acme needs a look" and told["url"] == "/w/acme/settings/connection"
        (world.data_dir / "control.db").chmod(0o644)
        await look(world, "")
        await look(world, "")
        told = browser.messages()[-1]
        assert told["title"] == "Chime: something of this server is out of order"
        assert "data folder" in told["body"] and told["url"] == "/installation/doctor"
        bob = await yard.subscribe("bob")
        await look(world, "")
        assert not bob.messages(), "who is no operator is not rung"
