"""An answer that never arrives was none: the customer waits again since they first wrote, in the list and on the
clocks, unless another answer stands."""

from __future__ import annotations

from typing import Any

import httpx

from chime import inbox
from chime.clock import HOUR, MINUTE, SECOND
from chime.security.permissions import SYSTEM
from chime.whatsapp import parse_message
from tests.http.inbox_setup import PHONE, Talk, talk
from tests.http.service_setup import HTMX, sweep, targets
from tests.http.test_service_level import due, times
from tests.support.webhook_bodies import Customer, body, inbound, statuses, take, text
from tests.support.world import World


async def tell(said: Talk, message: inbox.Message, word: str) -> None:
    """WhatsApp's word on a message of ours."""
    wamid = (await said.messages("id = ?", message.id))[0].wamid
    item: dict[str, Any] = {"id": wamid, "status": word, "timestamp": str(said.world.clock.now() // 1000),
                            "recipient_id": said.customer.phone}
    if word == "failed":
        item["errors"] = [{"code": 131026, "title": "Message undeliverable", "message": "Message undeliverable"}]
    await take(said.world, body(said.tenant.number, statuses(said.tenant.number, item)))


def mute(said: Talk) -> None:
    """WhatsApp takes messages and tells nothing about them: the test does."""
    said.world.simulator.world.subscriptions[said.tenant.number.waba_id].clear()


async def begun(world: World) -> tuple[httpx.AsyncClient, Talk, int]:
    """Somebody who waits for ten minutes of thirty, and since when."""
    alice = await world.session("alice")
    await targets(alice, first_minutes="30", resolution_minutes="4h")
    said = await talk(world)
    since = (await said.conversation()).waiting_since
    assert since is not None
    world.clock.advance(10 * MINUTE)
    return alice, said, since


async def first(world: World) -> list[tuple[str, int, int]]:
    return [one for one in await times(world) if one[0] == "first"]


async def test_refused_by_a_status_it_was_no_answer(world: World) -> None:
    alice, said, since = await begun(world)
    mute(said)
    message = await said.reply(alice, "we do")
    assert (await said.conversation()).waiting_since is None and await first(world) == [("first", 10, 30)]
    world.clock.advance(5 * MINUTE)
    await tell(said, message, "failed")
    assert (await said.conversation()).waiting_since == since and await first(world) == []
    assert await due(said) == ("first", 15), "as if nobody had answered"
    assert said.id in (await alice.get("/w/acme/inbox/list?v=waiting")).text
    await tell(said, message, "delivered")
    assert (await said.conversation()).waiting_since is None, "it is there after all"
    assert await first(world) == [("first", 10, 30)], "and was there when it was written"


async def test_refused_by_meta_it_waits_until_it_is_sent_again(world: World) -> None:
    alice, said, since = await begun(world)
    world.simulator.set_switches({"error_next": 1, "error_code": 131026})
    lost = await said.reply(alice, "we do")
    assert lost.status == "failed" and (await said.conversation()).waiting_since == since
    assert await due(said) == ("first", 20) and await first(world) == []
    world.clock.advance(MINUTE)
    await alice.post(f"{said.base}/messages/{lost.id}/retry", headers=HTMX)
    await world.settle()
    assert (await said.conversation()).waiting_since is None and await first(world) == [("first", 11, 30)]


async def test_undone_it_never_left(world: World) -> None:
    alice, said, since = await begun(world)
    await alice.post("/w/acme/undo-time", data={"seconds": "30"}, headers=HTMX)
    at = (await said.conversation()).last_message_at
    held = await said.reply(alice, "oops")
    await alice.post(f"{said.base}/messages/{held.id}/undo", headers=HTMX)
    found = await said.conversation()
    assert (found.waiting_since, found.last_message_at) == (since, at)
    assert await due(said) == ("first", 20) and await first(world) == []


async def test_another_answer_stands(world: World) -> None:
    alice, said, since = await begun(world)
    mute(said)
    lost, stands = await said.reply(alice, "we do"), await said.reply(alice, "from nine")
    await tell(said, lost, "failed")
    assert (await said.conversation()).waiting_since is None and await first(world) == [("first", 10, 30)]
    await alice.post(f"{said.base}/messages/{lost.id}/discard", headers=HTMX)
    assert (await said.conversation()).waiting_since is None
    await tell(said, stands, "failed")
    assert (await said.conversation()).waiting_since == since, "none is left"
    assert await due(said) == ("first", 20) and await first(world) == []


async def test_who_writes_meanwhile_waits_since_their_first_words(world: World) -> None:
    alice, said, since = await begun(world)
    await targets(alice, first_minutes="30", next_minutes="1h")
    mute(said)
    message = await said.reply(alice, "we do")
    world.clock.advance(MINUTE)
    await take(world, body(said.tenant.number, inbound(said.tenant.number, Customer("Maya Chen", PHONE), text(
        Customer("Maya Chen", PHONE), "wamid.again", world.clock.now() // 1000, "hello?"))))
    later = (await said.conversation()).waiting_since
    assert later is not None and later > since and await due(said) == ("next", 60)
    await tell(said, message, "failed")
    assert (await said.conversation()).waiting_since == since and await due(said) == ("first", 19)
    await tell(said, message, "read")
    assert (await said.conversation()).waiting_since == later and await due(said) == ("next", 60)


async def test_what_is_over_stays_over(world: World) -> None:
    alice, said, _ = await begun(world)
    mute(said)
    lost = await said.reply(alice, "we do")
    await alice.post(f"{said.base}/closure")
    await tell(said, lost, "failed")
    assert (await said.conversation()).waiting_since is None
    world.clock.advance(MINUTE)
    await alice.delete(f"{said.base}/closure")
    again = await said.reply(alice, "one more thing")
    await tell(said, again, "failed")
    found = await said.conversation()
    assert (found.state, found.waiting_since) == ("open", None), "that question was resolved"


async def test_lost_while_it_is_snoozed_it_is_due_when_it_comes_back(world: World) -> None:
    alice, said, since = await begun(world)
    mute(said)
    lost = await said.reply(alice, "we do")
    await alice.post(f"{said.base}/snooze", data={"until": "hour"})
    await tell(said, lost, "failed")
    assert (await said.conversation()).waiting_since == since and await due(said) == (None, None)
    world.clock.advance(HOUR + MINUTE)
    await sweep(world)
    assert await due(said) == ("first", -41)


async def test_a_doubt_that_is_given_up_was_no_answer(world: World) -> None:
    alice, said, since = await begun(world)
    world.simulator.set_switches({"answer_500": 2})
    doubtful = await said.reply(alice, "we do")
    assert doubtful.status == "unconfirmed" and (await said.conversation()).waiting_since is None
    await alice.post(f"{said.base}/messages/{doubtful.id}/settlement", data={"as": "failed"}, headers=HTMX)
    assert (await said.conversation()).waiting_since == since
    await alice.post(f"{said.base}/messages/{doubtful.id}/retry", headers=HTMX)
    await world.settle()
    assert (await said.messages("id = ?", doubtful.id))[0].status == "unconfirmed"
    assert (await said.conversation()).waiting_since is None
    await alice.post(f"{said.base}/messages/{doubtful.id}/discard", headers=HTMX)
    assert (await said.conversation()).waiting_since == since, "taken away, it is no answer either"


async def test_what_chime_says_by_itself_changes_nothing(world: World) -> None:
    alice, said, _ = await begun(world)
    mute(said)
    await said.reply(alice, "we do")
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        automatic = await inbox.queue_message(tx, said.id, inbox.Draft(
            origin=inbox.Origin.AUTOMATIC, message=parse_message({"type": "text", "text": {"body": "Bye"}})))
    await world.settle()
    await tell(said, (await said.messages("id = ?", automatic))[0], "failed")
    assert (await said.conversation()).waiting_since is None


async def test_resolved_by_a_slip_of_the_hand_they_wait_on(world: World) -> None:
    alice, said, since = await begun(world)
    await alice.post(f"{said.base}/closure")
    assert (await said.conversation()).waiting_since is None and await times(world) == [("resolution", 10, 240)]
    world.clock.advance(8 * SECOND)
    await alice.delete(f"{said.base}/closure")
    assert (await said.conversation()).waiting_since == since
    assert await due(said) == ("first", 20) and await times(world) == []
    mute(said)
    world.clock.advance(MINUTE)
    lost = await said.reply(alice, "we do")
    await tell(said, lost, "failed")
    assert (await said.conversation()).waiting_since == since and await due(said) == ("first", 19)


async def test_undone_after_an_answer_nobody_waits_and_the_matter_goes_on(world: World) -> None:
    alice, said, _ = await begun(world)
    await said.reply(alice, "we do")
    await alice.post(f"{said.base}/closure")
    await alice.delete(f"{said.base}/closure")
    assert (await said.conversation()).waiting_since is None and await times(world) == [("first", 10, 30)]
    world.clock.advance(HOUR)
    await targets(alice, first_minutes="30", next_minutes="1h", resolution_minutes="4h")
    await said.says("and on Monday?")
    assert await due(said) == ("next", 60), "they were answered before"
    await said.reply(alice, "too")
    await alice.post(f"{said.base}/closure")
    assert ("resolution", 10, 240) in await times(world), "the ten minutes before count on"
