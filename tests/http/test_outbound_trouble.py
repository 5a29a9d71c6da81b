"""When WhatsApp says no, not now, or nothing at all: no message is lost, none goes twice by itself, and a person reads
what happened and what to do.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import uvicorn
from litestar import Litestar

from chime.clock import DAY, HOUR, MINUTE, SECOND
from chime.inbox import Message, statuses
from chime.inbox.delivery import send
from chime.jobs import Pace, Work
from chime.log import Log
from chime.simulator import routes
from chime.simulator.model import LedgerEntry
from tests.http.inbox_setup import Left, Talk, leaving, rows, stock_templates, talk, until
from tests.support.world import World, free_port, running_world, serving

HTMX = {"HX-Request": "true"}


def ledger(world: World) -> list[LedgerEntry]:
    """What WhatsApp accepted."""
    return world.simulator.world.ledger


async def only(maya: Talk) -> Message:
    (message,) = await maya.sent()
    return message


async def run_due(world: World) -> None:
    """The minute's sweep comes by."""
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()


async def test_too_fast_for_meta_is_sent_later_by_itself_and_once(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 1})
    waiting = await maya.reply(kim, "patience")
    assert waiting.status == "queued" and waiting.error_code == 130429 and ledger(world) == []
    assert "Waiting; next try at" in (await kim.get(maya.base)).text
    message = await until(lambda: _read(maya), 12)
    assert len(ledger(world)) == 1 and message.wamid == ledger(world)[0].wamid
    assert (message.error_code, message.error_title, message.next_attempt_at) == (None, None, None)
    await run_due(world)
    assert len(ledger(world)) == 1


async def _read(maya: Talk) -> Message | None:
    message = await only(maya)
    return message if message.status == "read" else None


async def test_a_lost_reminder_is_found_by_the_sweep(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 1})
    await maya.reply(kim, "patience")
    world.clock.pass_time(MINUTE)
    await run_due(world)
    assert (await only(maya)).status == "read" and len(ledger(world)) == 1


async def test_nobody_waits_for_ever_and_the_end_is_told(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 100})
    await maya.reply(kim, "patience")
    for _ in range(10):
        world.clock.advance(HOUR)
        await run_due(world)
    message = await only(maya)
    assert (message.status, message.error_title) == ("failed", "The number sends faster than its limit")
    assert world.simulator.switches.answer_429 == 100 - 8, "eight attempts"
    world.simulator.set_switches({"answer_429": 1})
    assert (await kim.post(f"{maya.base}/messages/{message.id}/retry", headers=HTMX)).status_code == 200
    await world.settle()
    again = await only(maya)
    assert again.status == "queued" and again.next_attempt_at is not None
    assert again.next_attempt_at - world.clock.now() < 5 * SECOND, "the pauses begin anew"
    world.clock.pass_time(MINUTE)
    await run_due(world)
    assert (await only(maya)).status == "read" and len(ledger(world)) == 1


async def test_a_dropped_answer_is_a_doubt_that_the_status_settles(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"accept_then_drop": 1, "hold_statuses": True})
    await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "did you get this?"})
    doubtful = await until(lambda: _in(maya, "unconfirmed"))
    assert doubtful.wamid is None
    page = (await kim.get(maya.base)).text
    assert "May have been sent." in page and f"{doubtful.id}/settlement" in page and "gets it twice" in page
    world.clock.pass_time(HOUR)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.services.runner.idle()
    assert len(ledger(world)) == 1, "a doubt is never sent again by itself"
    world.simulator.set_switches({"hold_statuses": False})
    await world.settle()
    message = await only(maya)
    assert (message.status, message.wamid) == ("read", ledger(world)[0].wamid)
    assert "May have been sent." not in (await kim.get(maya.base)).text


async def _in(maya: Talk, status: str) -> Message | None:
    found = await maya.sent()
    return found[0] if found and found[0].status == status else None


async def test_statuses_that_overtake_the_lost_answer_leave_no_doubt(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"accept_then_drop": 1})
    assert (await maya.reply(kim, "quick")).status == "read" and len(ledger(world)) == 1


async def test_a_doubt_is_for_a_person_to_decide(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_500": 2})
    first, second = await maya.reply(kim, "first"), await maya.reply(kim, "second")
    assert (first.status, second.status) == ("unconfirmed", "unconfirmed") and ledger(world) == []
    address = f"{maya.base}/messages/{first.id}"
    async with leaving(world, kim) as left:
        assert (await kim.post(f"{address}/retry", headers=HTMX)).status_code == 200
    assert left.audit == [("message.resent", "message", first.id)] and left.jobs["inbox.send"] == 1
    assert len(ledger(world)) == 1 and (await maya.messages("id = ?", first.id))[0].status == "read"
    assert (await kim.post(f"{address}/retry", headers=HTMX)).status_code == 409, "what arrived is not sent again"
    assert (await kim.post(f"{address}/discard", headers=HTMX)).status_code == 409
    async with leaving(world, kim) as left:
        assert (await kim.post(f"{maya.base}/messages/{second.id}/discard", headers=HTMX)).text == ""
    assert left == Left([("message.discarded", "message", second.id)], {("conversation", maya.id)})
    assert [message.id for message in await maya.sent()] == [first.id]
    assert "Kim discarded a message that may have been sent" in (await kim.get(maya.base)).text
    assert (await maya.conversation()).last_text == "first"


async def test_a_status_that_claims_our_message_without_our_signature_settles_nothing(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_500": 1})
    doubtful = await maya.reply(kim, "who took it?")
    number = world.acme.number
    for forged in (f"c1.{doubtful.id}.1.{'0' * 16}", f"c1.{doubtful.id}.1", doubtful.id, ""):
        value = {"messaging_product": "whatsapp", "metadata": {
            "display_phone_number": number.display_phone_number, "phone_number_id": number.phone_number_id},
            "statuses": [{"id": f"wamid.forged{len(forged)}", "status": "read", "recipient_id": maya.customer.phone,
                          "timestamp": str(world.clock.now() // 1000), "biz_opaque_callback_data": forged}]}
        answer = await world.webhook({"object": "whatsapp_business_account", "entry": [
            {"id": number.waba_id, "changes": [{"field": "messages", "value": value}]}]})
        assert answer.status_code == 200
    await world.settle()
    assert (await only(maya)).status == "unconfirmed" and (await only(maya)).wamid is None


async def test_each_refusal_is_told_in_words_with_what_to_do(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    for code, title, what_to_do in (
        (131026, "This number cannot receive WhatsApp messages", "Check the number."),
        (131051, "WhatsApp does not support this kind of message", "Send it as another kind of message."),
        (100, "Meta did not accept a value of the message", "report it with the code"),
        (131042, "There is a problem with the payment method", "Open Billing in Meta&#39;s Business settings"),
        (4711, "WhatsApp refused it with error 4711", "Look the code up in Meta&#39;s list of errors"),
    ):
        world.simulator.set_switches({"error_next": 1, "error_code": code})
        message = await maya.reply(kim, f"with {code}")
        assert (message.status, message.error_code, message.error_title) == ("failed", code, title)
        page = (await kim.get(maya.base)).text
        bubble = page.split(f'id="m-{message.id}"')[1].split("</li>")[0]
        assert f"<b>{title}</b>" in bubble and what_to_do in bubble and f"{message.id}/retry" in bubble, code
    assert ledger(world) == []
    await kim.post(f"{maya.base}/read")
    assert "Not sent</span>" in (await kim.get(f"{maya.workspace_base}/inbox/list")).text, "the list shows it too"


async def test_refusals_that_mean_more_than_one_message_are_heeded(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    await stock_templates(world)
    world.simulator.set_switches({"error_next": 1, "error_code": 131050})
    await maya.reply(kim, "an offer")
    assert await rows(world, world.acme, "SELECT marketing_consent FROM contact") == [("opted_out",)]
    world.simulator.set_switches({"error_next": 1, "error_code": 132001})
    synced = world.services.runner.finished["message_templates.sync"]
    await kim.post(f"{maya.base}/messages", data={"type": "template", "template_name": "feedback_request",
                                                  "template_language": "en"})
    await world.settle()
    assert world.services.runner.finished["message_templates.sync"] == synced + 1, "our copy was old: fetched anew"
    world.simulator.set_switches({"error_next": 1, "error_code": 131047})
    assert (await maya.reply(kim, "still there?")).error_title == "The 24-hour window has closed"
    assert "The reply window is closed" in (await kim.get(maya.base)).text


async def test_a_number_meta_holds_back_waits_an_hour_and_then_goes_on(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"error_next": 1, "error_code": 131048})
    assert (await maya.reply(kim, "one")).status == "failed"
    waiting = await maya.reply(kim, "two")
    assert waiting.status == "queued" and ledger(world) == []
    assert waiting.next_attempt_at is not None and waiting.next_attempt_at > world.clock.now() + 55 * MINUTE
    world.clock.pass_time(HOUR + SECOND)
    await run_due(world)
    assert [message.status for message in await maya.sent()] == ["failed", "read"]


async def test_a_pause_that_a_wrong_clock_set_ends_with_it(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 1})
    tried = await maya.reply(kim, "tried already")
    world.clock.pass_time(20 * MINUTE)
    # The machine's clock is 30 days ahead for a while, and just then Meta holds the number back.
    world.clock.advance(30 * DAY)
    await held_back(maya)
    await run_due(world)
    held = (await maya.messages("id = ?", tried.id))[0]
    assert held.next_attempt_at is not None and held.next_attempt_at > world.clock.now() + 59 * MINUTE
    world.clock.advance(-30 * DAY)
    await run_due(world)
    await run_due(world)
    assert (await only(maya)).status == "read", "what it held back leaves"
    assert (await maya.reply(kim, "written since")).status == "read"
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE channel SET paused_until = ?", tx.now + 30 * DAY)  # nothing of it was mended
    await held_back(maya)
    assert (await maya.reply(kim, "held back by the right clock")).status == "queued"


async def held_back(maya: Talk) -> None:
    """Meta has the number pause."""
    channel_id = maya.world.acme.channel_id
    async with maya.world.workspace(maya.world.acme) as workspace, workspace.ingest("test") as tx:
        await statuses.heed(tx, "pause_channel", channel_id=channel_id, conversation_id=maya.id, words="", at=tx.now)


async def test_a_true_pause_outlasts_messages_that_another_clock_put_off(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 1})
    await maya.reply(kim, "tried already")
    await held_back(maya)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE message SET next_attempt_at = ?, claimed_at = ? WHERE status = 'queued'",
                         tx.now + 30 * DAY, tx.now + 30 * DAY)
    for _ in range(3):
        await run_due(world)
    assert (await only(maya)).status == "queued" and ledger(world) == []
    world.clock.pass_time(HOUR + SECOND)
    await run_due(world)
    assert (await only(maya)).status == "read"


async def test_retries_wait_as_long_as_the_code_asks(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    for code in (1, 2, 131000, 131016):
        world.simulator.set_switches({"error_next": 1, "error_code": code})
        assert (await maya.reply(kim, f"with {code}")).status == "unconfirmed", code
        world.clock.pass_time(MINUTE)  # after several in a row Meta is tried now and then only
    for code, least, most in ((131056, 3 * SECOND, 5 * SECOND), (131057, 50 * SECOND, 61 * SECOND),
                              (131049, DAY - MINUTE, DAY)):
        customer = await talk(world, name=f"Customer {code}", phone=f"14155{code}")
        world.simulator.set_switches({"error_next": 1, "error_code": code})
        message = await customer.reply(kim, f"with {code}")
        assert message.status == "queued" and message.next_attempt_at is not None
        assert least <= message.next_attempt_at - world.clock.now() <= most, code
    assert ledger(world) == []


async def test_an_expired_token_shows_at_the_number_and_stops_its_sends(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"token_expired": True})
    message = await maya.reply(kim, "hello?")
    assert (message.status, message.error_code) == ("failed", 190)
    assert message.error_title == "The access token expired or was revoked"
    page = (await kim.get(maya.base)).text
    notices = page.split('id="window"')[1].split("</div>")[0]
    assert "The access token expired or was revoked" in notices
    answer = await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "again"}, headers=HTMX)
    assert answer.status_code == 422 and "needs to be reconnected" in answer.text
    assert await maya.says("are you there?"), "what comes in still comes in"
    world.simulator.set_switches({"token_expired": False})
    world.clock.pass_time(11 * MINUTE)
    await run_due(world)
    assert "The access token expired" not in (await kim.get(maya.base)).text.split('id="window"')[1].split("</div>")[0]
    assert (await kim.post(f"{maya.base}/messages/{message.id}/retry", headers=HTMX)).status_code == 200
    await world.settle()
    assert (await only(maya)).status == "read" and len(ledger(world)) == 1


async def test_a_failure_reported_later_is_told_like_one_reported_at_once(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"fail_next": 1, "fail_code": 131026, "out_of_order": True, "deliver_twice": True})
    message = await maya.reply(kim, "hello?")
    assert (message.status, message.error_code) == ("failed", 131026) and len(ledger(world)) == 1
    assert "Check the number." in (await kim.get(maya.base)).text
    world.simulator.set_switches({"out_of_order": False, "deliver_twice": False})
    assert (await kim.post(f"{maya.base}/messages/{message.id}/retry")).status_code == 200
    await world.settle()
    again = await only(maya)
    assert again.status == "read" and len(ledger(world)) == 2
    assert again.wamid == ledger(world)[1].wamid, "the new attempt has its own id"


async def test_retrying_asks_the_rules_again(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"error_next": 1, "error_code": 131026})
    message = await maya.reply(kim, "hello?")
    world.clock.advance(25 * HOUR)
    answer = await kim.post(f"{maya.base}/messages/{message.id}/retry", headers=HTMX)
    assert answer.status_code == 422 and "The 24-hour reply window is closed" in answer.text
    assert (await only(maya)).status == "failed" and ledger(world) == []


async def test_two_workers_on_one_message_send_it_once(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 1})
    message = await maya.reply(kim, "only once")
    world.clock.pass_time(MINUTE)
    world.simulator.set_switches({"answer_delay_ms": 100})
    async with world.workspace(world.acme) as workspace:
        works = [Work(workspace=workspace, control=world.services.control, graph=world.services.graph,
                      clock=world.clock, pace=Pace(world.clock), log=Log("test"),
                      start=lambda kind, object_id, *, delay=0.0: True, egress=world.services.egress,
                      mailer=world.services.mailer) for _ in range(3)]
        world.services.runner.start(world.acme.workspace_id, "inbox.deliver", world.acme.channel_id)
        await asyncio.gather(*(send(work, message.id) for work in works))
    await world.settle()
    assert len(ledger(world)) == 1 and (await only(maya)).status == "read"


async def test_while_meta_is_out_of_reach_messages_wait(installation: Path, tmp_path: Path) -> None:
    port = free_port()
    async with running_world(installation, tmp_path / "data",
                             graph_url=f"http://127.0.0.1:{port}/simulator/graph") as world:
        kim, maya = await world.session("kim"), await talk(world)
        await maya.reply(kim, "into the void")
        for _ in range(12):
            world.clock.advance(HOUR)
            await run_due(world)
        waiting = await only(maya)
        assert waiting.status == "queued" and waiting.next_attempt_at is not None
        assert waiting.next_attempt_at <= world.clock.now() + MINUTE
        back = Litestar(route_handlers=routes(world.simulator), openapi_config=None, logging_config=None)
        async with serving(uvicorn.Config(back, log_config=None, ws="none", lifespan="off"), port):
            world.clock.pass_time(MINUTE)
            await run_due(world)
        assert (await only(maya)).status == "read" and len(ledger(world)) == 1


async def test_a_broken_queue_file_refuses_nothing_that_is_saved(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    with sqlite3.connect(world.data_dir / "queue.db") as queue:
        queue.execute("DROP TABLE task")
        queue.execute("DROP TABLE schedule")
    queue.close()
    answer = await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "hello"}, headers=HTMX)
    assert answer.status_code == 200, "it is in the thread, so nobody may be told that it is not"
    assert await until(lambda: _read(maya)) and len(ledger(world)) == 1


async def test_after_a_crash_only_what_never_left_goes_again(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 1})  # the second one waits behind the first
    before, during = await maya.reply(kim, "claimed only"), await maya.reply(kim, "on its way")
    async with world.workspace(world.acme) as workspace:
        # As the process leaves it: claimed, and of one the journal says that its send had begun.
        async with workspace.ingest("test") as tx:
            await tx.execute("UPDATE message SET status = 'sending', attempts = 2, claimed_at = ?", tx.now)
        await workspace.record_begun(during.id, 2, world.clock.now())
    world.clock.pass_time(4 * MINUTE)
    await run_due(world)
    await run_due(world)
    assert {message.id: message.status for message in await maya.sent()} == {
        before.id: "read", during.id: "unconfirmed"}
    assert len(ledger(world)) == 1
