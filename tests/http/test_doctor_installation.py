"""The doctor of the installation: what can go wrong with the machine, the proxy, its certificate and the work turns
exactly its line red, and mended it is in order again."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import ssl
import warnings
from collections import namedtuple
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest

from chime.backups import BackupState
from chime.checked import Check, State
from chime.clock import DAY, HOUR, MINUTE, SECOND
from chime.config import MailServer
from chime.doctor import machinery
from chime.trust import Finding
from chime.trust import State as Claim
from tests.http.doctor_setup import commanded, doctor, look, not_in_order
from tests.http.inbox_setup import talk
from tests.support.tls_proxy import Certificates, Proxy, tls_proxy
from tests.support.world import World, free_port, running_world

WARN, FAIL = State.WARN, State.FAIL
Break = Callable[[Proxy, Certificates], object]


def _contact(days: int) -> bytes:
    """A security.txt that holds for so long, of which a moment has passed."""
    until = datetime.now(UTC) + timedelta(days=days)
    return f"Contact: mailto:a@example.com\nExpires: {until:%Y-%m-%dT%H:%M:%SZ}\n".encode()


def _versions(tls: Certificates, lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.server.minimum_version, tls.server.maximum_version = lowest, highest
    tls.server.set_ciphers("ALL:@SECLEVEL=0" if lowest < ssl.TLSVersion.TLSv1_2 else "DEFAULT")


# What is broken, what turns, and words of it.
OUTSIDE: dict[str, tuple[Break, dict[str, State], str]] = {
    "ends in two weeks": (lambda _, tls: tls.use(days=15), {"certificate": WARN}, "ends in 14 days"),
    "ends in days": (lambda _, tls: tls.use(days=4), {"certificate": FAIL}, "ends in 3 days"),
    "ended": (lambda _, tls: tls.use(days=-2), {
        "certificate": FAIL, "https at the proxy": FAIL}, "expired"),
    "of another name": (lambda _, tls: tls.use(name="other.example"), {
        "certificate": FAIL, "https at the proxy": FAIL}, "localhost"),
    "the proxy hides https": (lambda proxy, _: setattr(proxy, "tells_scheme", False), {"https at the proxy": FAIL},
                              "no HSTS"),
    "anybody's address": (lambda proxy, _: setattr(proxy, "overwrites_address", False), {"forwarded addresses": FAIL},
                          "any address"),
    "another server": (lambda proxy, _: setattr(proxy, "answers", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
                       {"https at the proxy": FAIL}, "something else"),
    "small bodies only": (lambda proxy, _: setattr(proxy, "largest", 1 << 20), {"large webhooks": FAIL}, "status 413"),
    "updates held back": (lambda proxy, _: setattr(proxy, "holds_back", True), {"live updates": FAIL}, "holds them"),
    "an old contact": (lambda proxy, _: setattr(proxy, "contact", _contact(-1)), {"security.txt from outside": FAIL},
                       "has expired"),
    "an ageing contact": (lambda proxy, _: setattr(proxy, "contact", _contact(20)), {
        "security.txt from outside": WARN}, "expires in 19 days"),
    "no moment in it": (lambda proxy, _: setattr(proxy, "contact", b"Contact: mailto:a@example.com\n"), {
        "security.txt from outside": FAIL}, "until when"),
    "old TLS": (lambda _, tls: _versions(tls, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3), {"TLS versions": FAIL},
                "1.0, 1.1 can be broken"),
    "no new TLS": (lambda _, tls: _versions(tls, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2), {
        "TLS versions": WARN}, "1.2 only"),
}
PROXY = ("TLS versions", "large webhooks", "live updates", "security.txt from outside")
ROUND_TRIPS: dict[str, tuple[Break, str]] = {
    "the body is altered": (lambda proxy, _: setattr(proxy, "alters_body", True), "does not hold"),
    "another server": (lambda proxy, _: setattr(proxy, "answers", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
                       "another server"),
    "no certificate": (lambda _, tls: tls.use(days=-2), "cannot be reached"),
}


@asynccontextmanager
async def _behind_a_proxy(installation: Path, folder: Path) -> AsyncIterator[tuple[World, Proxy, Certificates]]:
    certificates, port = Certificates(folder), free_port()
    certificates.use()
    async with running_world(installation, folder / "data", public_url=f"https://localhost:{port}",
                             trusted_proxies=(ip_network("127.0.0.1/32"),),
                             security_contact="security@example.com") as world:
        found = doctor(world)
        found.ground = replace(found.ground, tls=certificates.client)
        for app in world.simulator.world.apps.values():
            app.webhook_url = f"https://localhost:{port}{world.acme.webhook_path}"
        proxy = Proxy(int(world.base.rpartition(":")[2]))
        async with tls_proxy(proxy, port, certificates.server):
            yield world, proxy, certificates


def _mend(proxy: Proxy, tls: Certificates) -> None:
    proxy.tells_scheme, proxy.overwrites_address, proxy.alters_body, proxy.answers = True, True, False, None
    proxy.largest, proxy.holds_back, proxy.contact = None, False, None
    _versions(tls, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    tls.use()


async def test_what_is_wrong_at_the_public_address_turns_its_line(installation: Path, tmp_path: Path) -> None:
    async with _behind_a_proxy(installation, tmp_path) as (world, proxy, tls):
        first = await look(world, "")
        assert not not_in_order(first), first
        assert "79 more days" in first["certificate"].check.detail
        assert {name: first[name].state for name in PROXY} == dict.fromkeys(PROXY, State.OK), first
        for name, (breaks, wanted, words) in OUTSIDE.items():
            breaks(proxy, tls)
            found = await look(world, "")
            assert not_in_order(found) == wanted, name
            assert words in found[next(iter(wanted))].check.detail, (name, found[next(iter(wanted))])
            _mend(proxy, tls)
        assert not not_in_order(await look(world, ""))
        for name, (breaks, words) in ROUND_TRIPS.items():
            breaks(proxy, tls)
            found = await look(world)
            assert not_in_order(found) == {"signature round trip": FAIL}, name
            assert words in found["signature round trip"].check.detail, name
            _mend(proxy, tls)
        assert not not_in_order(await look(world))
        unknown = replace(doctor(world).ground, tls=ssl.create_default_context())
        doctor(world).ground = unknown
        assert "refuse it" in (await look(world, ""))["certificate"].check.detail, "of an authority nobody knows"


async def test_a_proxy_that_is_down_is_said(installation: Path, tmp_path: Path) -> None:
    async with running_world(installation, tmp_path / "data", public_url=f"https://localhost:{free_port()}",
                             trusted_proxies=(ip_network("127.0.0.1/32"),)) as world:
        found = await look(world, "")
        assert set(not_in_order(found)) == {"certificate", "https at the proxy"}
        assert "firewall" in found["certificate"].check.what_to_do


Usage = namedtuple("Usage", "total used free")


async def test_the_machine_and_the_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thing after the other; the tests' own address is http, which is red all along."""
    always = {"public address": FAIL}

    async def turned(name: str, state: State, words: str) -> None:
        found = await look(world, "")
        assert not_in_order(found) == always | {name: state}, name
        assert words in f"{found[name].check.detail} {found[name].check.what_to_do}", found[name]

    async def well() -> None:
        assert not_in_order(await look(world, "")) == always

    await well()
    (world.data_dir / "control.db").chmod(0o644)
    await turned("data folder", FAIL, "chmod -R go=")
    (world.data_dir / "control.db").chmod(0o600)
    place = world.data_dir / "workspaces" / world.acme.workspace_id / "journal.db"
    place.chmod(0o640)
    await turned("data folder", FAIL, "journal.db")
    place.chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: Usage(100 << 30, 97 << 30, 3 << 30))
        await turned("disk", WARN, "soon")
        patch.setattr(shutil, "disk_usage", lambda _: Usage(100 << 30, 100 << 30, 1 << 20))
        await turned("disk", FAIL, "now")
    with monkeypatch.context() as patch:
        patch.setattr("resource.getrlimit", lambda _: (1024, 1024))
        await turned("open files", WARN, "LimitNOFILE")
    await well()
    world.clock.pass_time(100 * SECOND)
    await look(world)
    await turned("clock", FAIL, "codes and signatures fail")
    world.clock.pass_time(-70 * SECOND)
    await turned("clock", WARN, "seconds from Meta")
    world.clock.pass_time(-30 * SECOND)
    await well()


async def test_work_that_waits_too_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.services.runner, "start", lambda *_: False)
    async with world.workspace(world.acme) as workspace:
        now = world.clock.now()
        async with workspace.journal_db.transaction() as tx:
            await tx.execute("INSERT INTO webhook_body (key, received_at, body) VALUES (x'01', ?, x'7b7d')",
                             now - 3 * MINUTE)
        found = await look(world, "")
        assert found["queue"].state is WARN and re.search("for 18. seconds", found["queue"].check.detail)
        async with workspace.journal_db.transaction() as tx:
            await tx.execute("UPDATE webhook_body SET received_at = ?", now - 20 * MINUTE)
        found = await look(world, "")
        assert found["queue"].state is FAIL and "Acme" in found["queue"].check.detail
        async with workspace.journal_db.transaction() as tx:
            await tx.execute("DELETE FROM webhook_body WHERE key = x'01'")
    assert (await look(world, ""))["queue"].state is State.OK


async def test_messages_wait_for_a_true_pause_of_their_number_only(world: World) -> None:
    maya, kim, paused = await talk(world), await world.session("kim"), "UPDATE channel SET paused_until = ?"
    async with world.workspace(world.acme) as workspace:
        for until, state in ((HOUR, State.OK), (30 * DAY, FAIL)):  # the second one was set by a clock that was ahead
            async with workspace.ingest("test") as tx:
                await tx.execute(paused, tx.now + HOUR)
            waiting = await maya.reply(kim, "soon")
            async with workspace.ingest("test") as tx:
                await tx.execute(paused, tx.now + until)
                await tx.execute("UPDATE message SET next_attempt_at = ? WHERE id = ?", tx.now - HOUR, waiting.id)
            assert (await look(world, ""))["queue"].state is state


async def test_a_broken_claim_and_a_check_that_fails_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = world.clock.real_now()
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO trust_finding (name, state, detail, at, since, milliseconds) "
                         "VALUES ('files_are_private', 'broken', 'one is not', ?, ?, 1)", now, now)

    async def fails(_: object) -> Check:
        raise ZeroDivisionError

    monkeypatch.setattr("chime.doctor.rounds._MACHINERY", {"mail": fails, "queue": machinery.backlog})
    found = await look(world, "")
    assert found["security: files_are_private"].state is FAIL
    assert found["mail"].state is FAIL and "ZeroDivisionError" in found["mail"].check.detail
    assert found["queue"].state is State.OK, "the others are looked at"


def test_what_the_trust_page_found_is_told_and_what_it_skipped_is_not() -> None:
    from chime.doctor import self_checks

    def finding(state: Claim) -> Finding:
        return Finding(name="x", state=state, detail="words", at=0, since=0, milliseconds=0)

    assert [one.state for one in self_checks({"x": finding(Claim.BROKEN)})] == [FAIL]
    assert [one.state for one in self_checks({"x": finding(Claim.HOLDS)})] == [State.OK]
    assert self_checks({"x": finding(Claim.SKIPPED)}) == []


def _backups(**changes: object) -> BackupState:
    usual = BackupState(worst_age_seconds=60.0, bytes=1, second_age_seconds=60.0, second_trouble="", trouble="",
                        ages={}, drilled_at=1, drill_seconds=3.0, files_gone=0)
    return msgspec.structs.replace(usual, **changes)


CASES: list[tuple[dict[str, object], dict[str, State]]] = [
    ({}, {}), ({"worst_age_seconds": 14 * 3600.0}, {"backup": WARN}), ({"worst_age_seconds": 27 * 3600.0},
                                                                      {"backup": FAIL}),
    ({"worst_age_seconds": None}, {"backup": FAIL}), ({"trouble": "no space"}, {"backup": FAIL}),
    ({"second_trouble": "away"}, {"second place": FAIL}), ({"second_age_seconds": 27 * 3600.0},
                                                          {"second place": FAIL}),
    ({"second_age_seconds": None}, {}), ({"drilled_at": None}, {}), ({"files_gone": 2}, {"stored files": FAIL})]


async def test_what_the_backups_say(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = doctor(world).ground
    monkeypatch.setattr(machinery, "read_state", lambda *_: _backups(worst_age_seconds=None))
    assert (await machinery.backups(ground))[0].state is State.SKIPPED, "the first check comes by itself"
    world.clock.pass_time(2 * DAY)
    for changes, wanted in CASES:
        monkeypatch.setattr(machinery, "read_state", lambda *_, changes=changes: _backups(**changes))
        found = await machinery.backups(ground)
        assert {check.name: check.state for check in found if check.state in (WARN, FAIL)} == wanted, changes
        assert all(check.what_to_do for check in found if check.state in (WARN, FAIL))


async def test_mail_that_is_not_taken(installation: Path, tmp_path: Path) -> None:
    async with running_world(installation, tmp_path / "data", mail_server=MailServer("127.0.0.1", 9, "plain")) as world:
        assert (await machinery.mail(doctor(world).ground)).state is State.OK
        await world.services.mailer.send("somebody@example.com", "Chime: a test", "words")
        async with asyncio.timeout(10):
            while (await machinery.mail(doctor(world).ground)).state is not FAIL:
                await asyncio.sleep(0.02)
        async with world.services.control.ingest("test") as tx:
            await tx.execute("DELETE FROM outgoing_mail")
        assert (await machinery.mail(doctor(world).ground)).state is State.OK


async def test_the_command_says_the_same_with_its_status(world: World) -> None:
    said = await commanded(world, "doctor", "--json")
    told = json.loads(said.stdout)
    names = {check["name"]: check for check in told["checks"]}
    assert not told["ok"] and said.returncode == 1, "the tests' own address is http"
    assert [name for name, check in names.items() if not check["ok"] and not name.startswith("security: ")] == [
        "public address"]
    assert {"name", "ok", "detail", "what_to_do"} <= set(names["queue"])
    assert names["number +1 555-010-0200: signature round trip"]["state"] == "ok"
    assert names["workspace acme"]["detail"].startswith("integrity ok, 1 numbers")
    # What the running service found of a number within the last hours stands for asking again.
    world.simulator.world.numbers[world.acme.number.phone_number_id].quality_rating = "RED"
    await look(world)
    world.simulator.world.numbers[world.acme.number.phone_number_id].quality_rating = "GREEN"
    lines = (await commanded(world, "doctor")).stdout
    assert "BAD  number +1 555-010-0200: quality" in lines and "BAD  number +1 555-010-0300" not in lines
    asked = await commanded(world, "channel", "check", "--workspace", "Acme")
    assert asked.returncode == 0 and "quality: rated GREEN" in asked.stdout, "that command asks now"
