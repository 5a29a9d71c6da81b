"""What the business's own phone tells, echoes and memory: the same in every order, and nothing of it twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from chime import inbox
from chime.inbound.replay import replay
from chime.inbox import claims
from chime.whatsapp import parse
from chime.whatsapp.events import HistoryReceived
from tests.http.service_setup import targets
from tests.http.test_statuses import Desk, status
from tests.support.scripted_server import ScriptedServer, json_answer, takes_messages
from tests.support.webhook_bodies import (
    DANA,
    Customer,
    body,
    bubble,
    change,
    inbound,
    message,
    rows,
    seconds,
    statuses,
    take,
    text,
    thread_page,
)
from tests.support.world import ACME_NUMBER, World, running_world


def echo(wamid: str, at: int, words: str) -> dict[str, Any]:
    return change(ACME_NUMBER, "smb_message_echoes", message_echoes=[
        {"to": DANA.phone, "to_user_id": DANA.user_id, "id": wamid, "timestamp": str(at), "type": "text",
         "text": {"body": words}}])


def remembered(*old: dict[str, Any]) -> dict[str, Any]:
    return change(ACME_NUMBER, "history", history=[{"metadata": {"phase": 0, "chunk_order": 1}, "threads": [
        {"id": DANA.phone, "context": {"wa_id": DANA.phone, "user_id": DANA.user_id}, "messages": list(old)}]}])


@pytest.mark.parametrize("order", ["question first", "answer first"])
async def test_who_was_answered_on_the_phone_does_not_wait(world: World, order: str) -> None:
    await targets(await world.session("alice"), first_minutes="1h")
    at = seconds(world, 600)
    story = [inbound(ACME_NUMBER, DANA, text(DANA, "wamid.1", at, "?")), echo("wamid.o", at + 60, "!")]
    for told in story if order == "question first" else reversed(story):
        await take(world, body(ACME_NUMBER, told))
    assert await rows(world, world.acme, "SELECT waiting_since, answered_at / 1000, due_at FROM conversation") == [
        (None, at + 60, None)]
    assert await rows(world, world.acme, "SELECT kind, took FROM response_time") == [("first", 60_000)]
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.2", at + 90, "And?"))))
    assert await rows(world, world.acme, "SELECT waiting_since / 1000 FROM conversation") == [(at + 90,)]


async def test_an_answer_from_tomorrow_answers_nobody_who_writes_now(world: World) -> None:
    at = seconds(world, 600)
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.0", at, "?"))))
    await take(world, body(ACME_NUMBER, echo("wamid.o", at + 5 * 3600, "!")))
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.1", at + 60, "And now?"))))
    assert await rows(world, world.acme, "SELECT waiting_since / 1000 FROM conversation") == [(at + 60,)]


async def test_old_reactions_edits_and_deletions_are_laid_over_their_messages(world: World) -> None:
    at = seconds(world, 600)
    old = [message(DANA, f"wamid.h{place}", at + place, **part) for place, part in enumerate((
        {"type": "text", "text": {"body": "first"}}, {"type": "text", "text": {"body": "a slip"}},
        {"type": "reaction", "reaction": {"message_id": "wamid.ours", "emoji": "👍"}},
        {"type": "edit", "edit": {"original_message_id": "wamid.h0", "message": {
            "type": "text", "text": {"body": "first, mended"}}}},
        {"type": "revoke", "revoke": {"original_message_id": "wamid.h1"}}))]
    await take(world, body(ACME_NUMBER, echo("wamid.ours", at - 5, "ours")))
    for told in (old, old[::-1], old):
        await take(world, body(ACME_NUMBER, remembered(*told)))
    found = dict(await rows(world, world.acme, "SELECT wamid, id FROM message"))
    assert set(found) == {"wamid.ours", "wamid.h0", "wamid.h1"}, "what only changes another is no message"
    [(conversation_id,)] = await rows(world, world.acme, "SELECT id FROM conversation")
    page = await thread_page(world, conversation_id)
    assert "first, mended" in bubble(page, found["wamid.h0"]) and "👍" in bubble(page, found["wamid.ours"])
    assert "This message was deleted" in bubble(page, found["wamid.h1"]) and "a slip" not in page
    assert await rows(world, world.acme, "SELECT applied, duplicate FROM applied_body ORDER BY journal_id") == [
        (1, 0), (1, 0), (0, 1), (0, 1)]
    async with world.workspace(world.acme) as workspace:
        assert (await replay(workspace)).differences == ()


async def test_a_phone_with_a_wrong_clock_is_not_the_newest_for_ever(world: World) -> None:
    at = seconds(world, 600)
    await take(world, body(ACME_NUMBER, remembered(message(DANA, "wamid.h", 2_147_483_000, type="text",
                                                           text={"body": "from 2038"}))))
    world.clock.advance(1000 * 3600)
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.1", at + 3600, "Hello"))))
    assert await rows(world, world.acme, "SELECT wamid, message.at / 1000 FROM conversation JOIN message "
                      "ON message.id = last_message_id") == [("wamid.1", at + 3600)]


@pytest.mark.parametrize("answered", [True, False])
async def test_an_echo_before_the_answer_is_our_own_message(installation: Path, tmp_path: Path, answered: bool) -> None:
    """Also when the answer is lost and a status settles it: with two ids nobody would know that it had left."""
    tokens: list[str] = []
    world: World

    async def graph(sent: dict[str, Any]) -> bytes:
        tokens.append(sent["biz_opaque_callback_data"])
        at = seconds(world)
        await world.webhook(body(ACME_NUMBER, echo("wamid.early", at, sent["text"]["body"]), statuses(
            ACME_NUMBER, status("wamid.early", "sent", at))))
        await asyncio.sleep(0.3)
        return (json_answer({"messages": [{"id": "wamid.early"}], "contacts": []}) if answered else
                json_answer({"error": {"code": 131000, "message": "who knows"}}, 500))

    async with ScriptedServer([takes_messages(graph)]) as server, \
            running_world(installation, tmp_path / "in", graph_url=server.url) as world:
        await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.1", seconds(world), "?"))))
        [(conversation_id,)] = await rows(world, world.acme, "SELECT id FROM conversation")
        message_id = await Desk(world, conversation_id).send("Hello")
        await world.settle()
        if not answered:
            assert (await Desk(world, conversation_id).row(message_id))["status"] == "unconfirmed"
            await take(world, body(ACME_NUMBER, statuses(ACME_NUMBER, status(
                "wamid.early", "delivered", seconds(world), biz_opaque_callback_data=tokens[0]))))
        assert await rows(world, world.acme, "SELECT id, status, wamid FROM message WHERE direction = 'out'") == [
            (message_id, "sent" if answered else "delivered", "wamid.early")]
        assert await rows(world, world.acme, "SELECT last_message_id FROM conversation") == [(message_id,)]
        assert await rows(world, world.acme, "SELECT 1 FROM message_status WHERE message_id IS NOT ?", message_id) == []
        async with world.workspace(world.acme) as workspace:
            assert (await replay(workspace)).differences == ()


@pytest.mark.parametrize("told_as", ["an echo", "history"])
async def test_an_echo_in_another_thread_leaves_it_as_it_was(world: World, told_as: str) -> None:
    """The number had a new holder: Meta's answer names what stands in the thread of the one before."""
    at = seconds(world, 600)
    early = echo("wamid.o", at + 5, "for you") if told_as == "an echo" else remembered(
        message(Customer("Acme", "15550000001"), "wamid.o", at + 5, type="text", text={"body": "for you"}))
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.0", at, "?"))))
    await take(world, body(ACME_NUMBER, early))
    noor = Customer("Noor", "14155550777")
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, noor, text(noor, "wamid.1", at, "Hello"))))
    threads = dict(await rows(world, world.acme, "SELECT contact.phone, conversation.id FROM conversation "
                              "JOIN contact ON contact.id = contact_id"))
    assert len(await rows(world, world.acme, "SELECT id FROM message")) == 3
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute(
            "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, text, at, "
            "created_at, attempts) VALUES ('ours', ?, ?, 'out', 'agent', 'text', 'sending', 'for you', ?, ?, 1)",
            threads[noor.phone], world.acme.channel_id, tx.now, tx.now)
        await claims.confirm(tx, "ours", world.acme.channel_id, "wamid.o")
    assert await rows(world, world.acme, "SELECT status FROM message WHERE wamid = 'wamid.o'") == [("sent",)]
    assert await rows(world, world.acme, "SELECT conversation.id FROM conversation JOIN message "
                      "ON message.id = last_message_id AND conversation_id <> conversation.id") == []
    assert await rows(world, world.acme, "SELECT wamid FROM conversation JOIN message ON message.id = last_message_id "
                      "WHERE conversation.id = ?", threads[DANA.phone]) == [("wamid.0",)]


async def test_a_long_memory_holds_nobody_up(world: World) -> None:
    """Thousands of old messages come in one piece; meanwhile Meta and the team want to be answered."""
    at = seconds(world, 90_000)
    [told] = parse(json.dumps(body(ACME_NUMBER, remembered(*(
        text(DANA, f"wamid.h{place}", at + place, "old") for place in range(400))))).encode())
    assert isinstance(told, HistoryReceived)
    turns, done = 0, False

    async def others() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        waiting = asyncio.create_task(others())
        assert await inbox.history(tx, world.acme.channel_id, told) == 400
        done = True
        await waiting
    assert turns >= 100
