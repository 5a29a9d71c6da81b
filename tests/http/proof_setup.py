"""What the tests of the delivery proof share: a busy day of webhooks, the proof as the command line tells it."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from typing import Any

from tests.http.inbox_setup import talk
from tests.support.processes import CHIME, run
from tests.support.webhook_bodies import (
    DANA,
    Customer,
    account_body,
    bodies,
    body,
    change,
    contact,
    inbound,
    message,
    seconds,
    statuses,
    take,
    text,
)
from tests.support.world import ACME_NUMBER, GLOBEX_NUMBER, MASTER_KEY, World

STRANGER = Customer("Mallory", "447700900123", "GB.mallory")


def unreadable(at: int) -> dict[str, Any]:
    """Nobody is named: the parser sets it aside."""
    return {"id": "wamid.poison", "timestamp": str(at), "type": "text", "text": {"body": "the poisoned words"}}


def unappliable(at: int) -> dict[str, Any]:
    """Fails in the middle of its effects: the evidence of the STOP, this id, is longer than any may be."""
    return text(STRANGER, "wamid.poison" + "x" * 2100, at, "STOP")


async def busy_day(world: World) -> None:
    """Messages, repeats, edits, reactions, revocations, a STOP, echoes, history, statuses, records, poison; of both
    workspaces, one body for both of them. 29 events at Acme, of which 2 are set aside."""
    at = seconds(world, 900)
    maya = await talk(world)  # 1 message; the reply brings 3 statuses
    await maya.reply(await world.session("alice"), "We open at nine.")
    ours = (await maya.sent())[0]
    wamid = (await maya.messages("id = ?", ours.id))[0].wamid
    first = body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, *(text(DANA, f"wamid.d{n}", at + n, f"no. {n}")
                                                           for n in range(4))))
    for _ in range(3):
        await take(world, first)  # 4 events, 3 times
    people = [contact(DANA), contact(STRANGER)]
    edit = message(DANA, "wamid.e1", at + 11, type="edit", edit={"original_message_id": "wamid.d0", "message": {
        "type": "text", "text": {"body": "no. 0, better"}}})
    revoke = message(DANA, "wamid.r1", at + 12, type="revoke", revoke={"original_message_id": "wamid.d1"})
    reaction = message(DANA, "wamid.h1", at + 13, type="reaction", reaction={"message_id": wamid, "emoji": "❤️"})
    await take(world, bodies(
        (ACME_NUMBER, [change(ACME_NUMBER, contacts=people, messages=[
            edit, revoke, reaction, text(DANA, "wamid.d5", at + 20, "STOP"), unreadable(at), unappliable(at),
            text(DANA, "wamid.d0", at, "no. 0")])]),  # known already
        (GLOBEX_NUMBER, [inbound(GLOBEX_NUMBER, DANA, text(DANA, "wamid.g1", at, "for Globex"))])))
    await take(world, body(ACME_NUMBER, statuses(ACME_NUMBER, {
        "id": "wamid.unknown", "status": "delivered", "timestamp": str(at), "recipient_id": DANA.phone})))
    await take(world, account_body(ACME_NUMBER.waba_id, "account_alerts", at, {
        "alert_severity": "WARNING", "alert_type": "OBA_APPROVED", "entity_type": "WABA", "entity_id": "1"}))


async def proved(world: World, *options: str) -> tuple[int, dict[str, Any]]:
    """`chime prove-inbox --json` beside the running appliance: its exit status and what it says."""
    done = await commanded(world, "prove-inbox", "--json", *options)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


async def commanded(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the command line, on the files of the world."""
    key = {"CHIME_MASTER_KEY": base64.b64encode(MASTER_KEY).decode()}
    return await asyncio.to_thread(run, [*CHIME, *arguments, "--data", str(world.data_dir)], extra=key)


async def behind_its_back(world: World, sql: str, *values: Any) -> None:
    """Change Acme's file as no code of Chime's does."""
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        assert await tx.execute(sql, *values)
