"""What an agent wrote first arrives first, also when WhatsApp is slow or the first one has a file to upload; and it
does not wait for all that a script queued before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chime import channels
from chime.clock import MINUTE, SECOND
from chime.message_templates import SYNC
from chime.simulator import Template
from chime.workspaces.workspace import WEBHOOK_BODY
from tests.http.inbox_setup import Talk, talk, until
from tests.support.world import ACME_NUMBER, World

PNG = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?"
       b"\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82")

OFFER = {"type": "template", "template": {"name": "news", "language": {"code": "en"}}}


async def test_messages_of_one_conversation_go_one_after_the_other(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_delay_ms": 120})
    picture = await kim.post(f"{maya.base}/files", data={"caption": "0"}, files={"file": ("a.png", PNG, "image/png")})
    assert picture.status_code == 200, picture.text
    for number in range(1, 6):
        answer = await kim.post(f"{maya.base}/messages", data={"type": "text", "text": str(number)})
        assert answer.status_code == 200, answer.text
    await world.settle()
    arrived = [(message.content.get("body") or message.content.get("caption")) for message in maya.on_the_phone()]
    assert arrived == ["0", "1", "2", "3", "4", "5"]


async def test_a_slow_conversation_holds_up_no_other(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    tom = await talk(world, name="Tom Hughes", phone="14155550142")
    world.simulator.set_switches({"answer_delay_ms": 400})
    for number in range(4):
        await kim.post(f"{maya.base}/messages", data={"type": "text", "text": f"slow {number}"})
    await kim.post(f"{tom.base}/messages", data={"type": "text", "text": "not behind Maya's"})
    await world.settle()
    sent = sorted([*await maya.sent(), *await tom.sent()], key=lambda message: message.sent_at or 0)
    assert "not behind Maya's" in [message.text for message in sent[:2]]


@asynccontextmanager
async def much_waits(world: World, count: int, *, rate: int = 20) -> AsyncIterator[Talk]:
    """Maya, whose conversation is on a number for which a script has queued much more than leaves at once; all of it
    leaves after the block."""
    world.simulator.world.add_template(ACME_NUMBER.waba_id, Template(
        template_id="1", name="news", language="en", category="UTILITY",
        components=[{"type": "BODY", "text": "Your order is on its way."}]))
    world.services.runner.start(world.acme.workspace_id, SYNC, ACME_NUMBER.waba_id)
    maya = await talk(world)
    async with world.workspace(world.acme) as workspace:
        async with workspace.ingest("test") as tx:
            await channels.pause(tx, world.acme.channel_id, tx.now + MINUTE)
            await tx.execute("UPDATE channel SET messages_per_second = ?", rate)
        async with world.client(await world.key(world.acme)) as script:
            for number in range(count):
                answer = await script.post("/api/v1/messages", json=OFFER | {"to": f"+1415666{number:04}"})
                assert answer.status_code == 202, answer.text
        yield maya
    await world.settle()
    assert not world.simulator.world.ledger
    world.clock.pass_time(2 * MINUTE)
    await world.services.runner.sweep([world.acme.workspace_id])


async def test_what_a_person_writes_is_not_kept_behind_what_a_script_queued(world: World) -> None:
    kim = await world.session("kim")
    async with much_waits(world, 200) as maya:
        answer = await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "We do, from nine"})
        assert answer.status_code == 200, answer.text
    await until(lambda: maya.on_the_phone(), 5)
    assert len(world.simulator.world.ledger) < 30
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE channel SET messages_per_second = 500")
    await world.settle()
    assert len(world.simulator.world.ledger) == 201, "and all of it leaves"


async def test_a_long_queue_stops_as_soon_as_something_waits_to_be_heard(world: World) -> None:
    async with much_waits(world, 300, rate=5):
        world.simulator.set_switches({"hold_statuses": True})  # each would have what came before it applied
    await until(lambda: len(world.simulator.world.ledger) > 8)
    async with world.workspace(world.acme) as workspace:
        # As after a disk that took no effects for a while: it came ten seconds ago, and nobody has applied it.
        await workspace.journal.append(WEBHOOK_BODY, b"stop", world.clock.now() - 10 * SECOND, b"{}")
        await asyncio.sleep(4)
        before = len(world.simulator.world.ledger)
        await asyncio.sleep(1.5)
        assert await workspace.unapplied_since() is not None
    assert before < 40 and len(world.simulator.world.ledger) == before
