"""Mails of what was not read: only while somebody is away, only as often as they chose, and little in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chime.clock import DAY, HOUR, MINUTE
from chime.config import MailServer as Where
from chime.notifications import Kind, notify
from chime.notifications.digest_jobs import MAIL
from tests.http.inbox_setup import Talk, rows, talk
from tests.http.test_notifications import assign, choose, id_of
from tests.support.mail_server import MailServer, mail_server
from tests.support.world import World, running_world


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as found:
        yield found


@pytest.fixture
async def world(installation: Path, tmp_path: Path, server: MailServer) -> AsyncIterator[World]:
    where = Where(host="127.0.0.1", port=server.port, user="", password="", security="none")
    async with running_world(installation, tmp_path / "data", mail_server=where,
                             mail_from="chime@acme.example") as found:
        yield found


async def given_to_bob(world: World, **choices: str) -> Talk:
    """Bob chose, and was given a conversation."""
    await choose(await world.session("bob"), **choices)
    said = await talk(world, "My card is lost")
    await assign(world, said, await world.session("alice"), "bob")
    return said


async def passes(world: World, time: int) -> None:
    """So much time goes by, and the minute's sweep comes round."""
    world.clock.pass_time(time)
    for (user_id,) in await rows(world, world.acme, "SELECT DISTINCT user_id FROM notification "
                                 "WHERE mailed_at IS NULL AND read_at IS NULL"):
        world.services.runner.start(world.acme.workspace_id, MAIL, user_id)
    await world.settle()
    await world.services.mailer.send_due()


async def test_who_is_away_gets_one_mail_of_it(world: World, server: MailServer) -> None:
    said = await given_to_bob(world, digest="hourly")
    await passes(world, 5 * MINUTE)
    assert server.mails == [], "they may still read it"
    await passes(world, 10 * MINUTE)
    mail, = server.mails
    assert mail.recipients == ["bob@example.com"]
    plain, html = [part.get_content() for part in mail.message.iter_parts()]
    assert "Alice assigned Maya Chen to you" in plain and f"{world.base}/w/acme/inbox/{said.id}" in plain
    assert "card" not in plain + html and f'<a href="{world.base}/me/notifications">' in html
    await said.says("Anybody?")
    await passes(world, 20 * MINUTE)
    assert len(server.mails) == 1, "at most one an hour"
    await passes(world, HOUR)
    assert "Maya Chen wrote to you" in server.mails[1].message.iter_parts().__next__().get_content()
    await passes(world, DAY)
    assert len(server.mails) == 2, "each thing is mailed once"


async def test_a_mail_says_how_many_it_leaves_out(world: World, server: MailServer) -> None:
    await choose(await world.session("bob"), digest="hourly")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        for number in range(120):
            await notify(tx, [await id_of(world, "bob")], Kind.CAMPAIGN_FINISHED, title=f"Sale {number}",
                         from_chime=True)
    await passes(world, 15 * MINUTE)
    mail, = server.mails
    plain = mail.message.iter_parts().__next__().get_content()
    assert plain.count("is finished") == 20 and "And 100 more." in plain


async def test_the_usual_is_no_mail(world: World, server: MailServer) -> None:
    await given_to_bob(world)
    await passes(world, HOUR)
    assert server.mails == []
    await choose(await world.session("bob"), digest="hourly")
    await passes(world, HOUR)
    assert server.mails == [], "what is over is not mailed later"


async def test_who_was_here_just_now_gets_none(world: World, server: MailServer) -> None:
    await given_to_bob(world, digest="hourly")
    world.clock.pass_time(15 * MINUTE)
    await (await world.session("bob")).get("/w/acme/inbox")
    await passes(world, MINUTE)
    assert server.mails == []


async def test_words_only_on_wish_and_nothing_out_of_sight(world: World, server: MailServer) -> None:
    said = await given_to_bob(world, digest="hourly", shows_text="yes")
    await said.says("<b>Where</b> is it?")
    await passes(world, HOUR)
    plain, html = [part.get_content() for part in server.mails[0].message.iter_parts()]
    assert "“<b>Where</b> is it?”" in plain and "&lt;b&gt;Where&lt;/b&gt; is it?" in html
    world.sessions_are_over()
    await said.says("Hello?")
    await assign(world, said, await world.session("alice"), "kim")
    await passes(world, 2 * HOUR)
    assert [mail.recipients for mail in server.mails].count(["bob@example.com"]) == 1


async def test_who_was_removed_gets_none(world: World, server: MailServer) -> None:
    await given_to_bob(world, digest="daily", digest_at="00:00")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET state = 'suspended' WHERE user_id = ?", await id_of(world, "bob"))
    await passes(world, HOUR)
    assert server.mails == []
