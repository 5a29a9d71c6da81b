"""Messages that wait for somebody's word, after a restore or an outage: owners and admins are told by bell and mail,
once for what is new, and nothing of a customer's stands in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chime.clock import HOUR
from chime.config import MailServer as Where
from chime.restores import restorer as restorers
from tests.http.inbox_setup import Talk, rows, talk
from tests.http.people_setup import id_of
from tests.http.restore_setup import sweep, then
from tests.http.test_doubts import QUARTER, doubt
from tests.http.test_restore import later, queued
from tests.support.mail_server import MailServer, mail_server, mails_told
from tests.support.world import NEVER, World, running_world

BELLS = "SELECT kind, path, user_id FROM notification WHERE kind LIKE 'messages_%' ORDER BY at"


@asynccontextmanager
async def _world(installation: Path, folder: Path, server: MailServer) -> AsyncIterator[World]:
    async with running_world(installation, folder, public_url="https://chime.example",
                             mail_server=Where("127.0.0.1", server.port, "plain")) as world:
        yield world


def _tells_nothing(text: str, maya: Talk) -> bool:
    return not any(word in text for word in ("Maya", "private words", maya.contact_id, maya.id))


async def test_after_a_restore_owners_hear_of_what_is_held(installation: Path, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restorers, "LOOK_EVERY", NEVER)
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        maya = await talk(world)
        await queued(maya, "private words")
        await later(maya, "private words for later", after=HOUR)
        moment = await then(world, tmp_path / "then")
        await sweep(world)
        assert not await rows(world, world.acme, BELLS), "what waits as usual is no news"
        await moment.take_over(await moment.copy())
        await sweep(world)
        await sweep(world)
        [(to, text)] = await mails_told(server, 1)
        assert to == "alice@example.com" and "Chime: messages wait for your word" in text and "on hold: 2." in text
        assert "https://chime.example/w/acme/held" in text and _tells_nothing(text, maya)
        assert await rows(world, world.acme, BELLS) == [("messages_held", "/held", await id_of(world, "alice"))]
        page = (await (await world.session("alice")).get("/w/acme/notifications")).text
        assert "Messages are on hold until somebody says" in page and "/w/acme/held" in page
        assert await rows(world, world.acme, "SELECT count(*) FROM audit_event WHERE action = "
                          "'messages.unsettled_announced'") == [(1,)]
        world.clock.pass_time(2 * HOUR)
        await sweep(world)
        await mails_told(server, 1)


async def test_after_an_outage_owners_hear_of_what_is_in_doubt(installation: Path, tmp_path: Path) -> None:
    async with mail_server() as server, _world(installation, tmp_path / "data", server) as world:
        maya = await talk(world)
        await doubt(maya, "private words")
        await sweep(world)
        assert not await rows(world, world.acme, BELLS), "WhatsApp's own word is waited for first"
        world.clock.pass_time(QUARTER)
        await sweep(world)
        [(to, text)] = await mails_told(server, 1)
        assert to == "alice@example.com" and "Chime: messages may have been sent" in text and "in doubt: 1." in text
        assert "https://chime.example/w/acme/inbox?view=doubt" in text and _tells_nothing(text, maya)
        alice = await world.session("alice")
        assert (await alice.get("/w/acme/inbox?view=doubt")).status_code == 200
        # More of it within the hour is told with the hour.
        await doubt(maya, "private words again")
        world.clock.pass_time(QUARTER)
        await sweep(world)
        await mails_told(server, 1)
        world.clock.pass_time(HOUR)
        await sweep(world)
        assert "in doubt: 2." in (await mails_told(server, 2))[1][1]
        assert {row[:2] for row in await rows(world, world.acme, BELLS)} == {
            ("messages_in_doubt", "/inbox?view=doubt")}
