"""What waits in the journal is heard before anything leaves: a STOP that got its 200 counts, however much is before it;
and what an error of Meta's says is held against what the customer did since."""

from __future__ import annotations

import pytest

from chime import channels
from chime.clock import HOUR
from chime.inbox import queue_message
from chime.inbox.model import Origin
from chime.inbox.sending import Draft
from chime.message_templates import SYNC
from chime.security.permissions import OPERATOR, SYSTEM
from chime.simulator import Template, write
from chime.whatsapp import parse_message
from chime.workspaces import closing
from tests.http.inbox_setup import Talk, rows, talk, text
from tests.support.webhook_bodies import Customer, body, inbound, seconds, statuses
from tests.support.webhook_bodies import text as said_by
from tests.support.world import ACME_NUMBER, World

# Several times what one transaction of applying takes: sends found a place between two.
BEFORE_IT = 450
OFFER = {"type": "template", "template": {"name": "sale", "language": {"code": "en"}}}


async def with_an_offer(world: World) -> tuple[Talk, str]:
    """Maya, and a marketing message to her that a number on hold has not sent when its workspace is suspended."""
    world.simulator.world.add_template(ACME_NUMBER.waba_id, Template(
        template_id="1", name="sale", language="en", category="MARKETING",
        components=[{"type": "BODY", "text": "Sale!"}]))
    world.services.runner.start(world.acme.workspace_id, SYNC, ACME_NUMBER.waba_id)
    maya = await talk(world)
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await channels.pause(tx, world.acme.channel_id, tx.now + HOUR)
        message_id = await queue_message(tx, maya.id, Draft(message=parse_message(OFFER), origin=Origin.API))
    await world.settle()
    assert [message.status for message in await maya.sent()] == ["queued"]
    async with world.services.control.write(OPERATOR) as tx:
        await closing.suspend(tx, world.acme.workspace_id)
    await world.settle()
    return maya, message_id


async def many_write(world: World) -> None:
    for number in range(BEFORE_IT):
        customer = Customer("Somebody", f"1415666{number:04d}", f"US.{number}")
        answer = await world.webhook(body(ACME_NUMBER, inbound(ACME_NUMBER, customer, said_by(
            customer, f"wamid.some.{number}", seconds(world), "hi"))))
        assert answer.status_code == 200


async def goes_on(world: World) -> None:
    """Hours later the workspace works again."""
    world.clock.pass_time(2 * HOUR)
    async with world.services.control.write(OPERATOR) as tx:
        await closing.resume(tx, world.acme.workspace_id)
    for _ in range(2):
        await world.services.runner.sweep([world.acme.workspace_id])
        await world.settle(60)


@pytest.mark.parametrize("words", ["STOP", "thank you"])
async def test_nothing_leaves_before_what_came_meanwhile_is_heard(world: World, words: str) -> None:
    maya, _ = await with_an_offer(world)
    await many_write(world)
    write(world.simulator, maya.customer, text(words), number=ACME_NUMBER)
    await goes_on(world)
    (message,) = await maya.sent()
    if words == "STOP":
        assert message.status == "failed" and "opted out" in (message.error_title or "")
        assert world.simulator.world.ledger == []
    else:
        assert message.status == "read" and len(world.simulator.world.ledger) == 1


async def test_an_opt_out_of_somebody_who_was_deleted_meanwhile_is_kept(world: World) -> None:
    maya = await talk(world)
    alice = await world.session("alice")
    world.simulator.world.subscriptions[ACME_NUMBER.waba_id].clear()  # the statuses are this test's
    answer = await maya.reply(alice, "On its way")
    async with world.client(await world.key(world.acme)) as script:
        assert (await script.delete(f"/api/v1/contacts/{maya.contact_id}")).status_code == 204
    failed = {"id": answer.wamid, "status": "failed", "timestamp": str(seconds(world)), "recipient_id": "14155550101",
              "errors": [{"code": 131050, "title": "stopped"}]}
    assert (await world.webhook(body(ACME_NUMBER, statuses(ACME_NUMBER, failed)))).status_code == 200
    await world.settle()
    assert (await maya.sent())[0].status == "failed"
    assert await rows(world, world.acme, "SELECT count(*) FROM rejected_event") == [(0,)]
    assert await rows(world, world.acme, "SELECT marketing_consent FROM contact") == [("opted_out",)]


@pytest.mark.parametrize("first", ["failed", "customer"])
async def test_a_late_failure_closes_no_window_that_the_customer_opened_since(world: World, first: str) -> None:
    maya = await talk(world)
    world.simulator.world.subscriptions[ACME_NUMBER.waba_id].clear()
    answer = await maya.reply(await world.session("alice"), "Too late?")
    earlier = seconds(world)
    world.clock.pass_time(25 * HOUR)
    customer = Customer("Maya Chen", maya.customer.phone, maya.customer.user_id)
    told = {
        "failed": statuses(ACME_NUMBER, {
            "id": answer.wamid, "status": "failed", "timestamp": str(earlier + 60),
            "recipient_id": maya.customer.phone, "errors": [{"code": 131047, "title": "window"}]}),
        "customer": inbound(ACME_NUMBER, customer, said_by(customer, "wamid.again", seconds(world), "Here again"))}
    for name in sorted(told, key=lambda name: name != first):
        assert (await world.webhook(body(ACME_NUMBER, told[name]))).status_code == 200
        await world.settle()
    found = await maya.conversation()
    assert found.window_expires_at is not None and found.window_expires_at > world.clock.now() + 23 * HOUR
