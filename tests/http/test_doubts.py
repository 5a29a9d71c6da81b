"""A message that may have been sent: WhatsApp's word is waited for, then a person is asked, and nothing ever goes twice
by itself.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from chime.clock import HOUR, MINUTE
from chime.errors import Refused
from chime.inbox import Message, claims, list_pane
from chime.inbox.doubts import settle
from chime.inbox.jobs import forget_claims
from chime.inbox.model import Settlement
from tests.http.inbox_setup import Talk, leaving, listening, rows, talk, until
from tests.http.test_inbox_pages import door
from tests.support.webhook_bodies import body, bubble, statuses, take
from tests.support.world import ACME_NUMBER, World, running_world

HTMX = {"HX-Request": "true"}
QUARTER = 15 * MINUTE


async def doubt(maya: Talk, words: str = "did you get this?", *, taken: bool = False) -> Message:
    """A message whose answer was lost; `taken`: WhatsApp has it, but from now on only the test tells what of it."""
    if taken:
        maya.world.simulator.world.subscriptions[ACME_NUMBER.waba_id].clear()
    maya.world.simulator.set_switches({"accept_then_drop": 1} if taken else {"answer_500": 1})
    kim = await maya.world.session("kim")
    drawn = await kim.post(f"{maya.base}/messages", data={"type": "text", "text": words})
    message_id = drawn.text.split('id="m-')[1].split('"')[0]

    async def found() -> Message | None:
        message = await one(maya, message_id)
        return message if message.status == "unconfirmed" else None

    message: Message = await until(found)
    await maya.world.settle()
    # After lost answers Meta is tried now and then only; the next send of a test must not wait for that.
    maya.world.clock.pass_time(MINUTE)
    return message


async def one(maya: Talk, message_id: str) -> Message:
    (message,) = await maya.messages("id = ?", message_id)
    return message


async def say(client: httpx.AsyncClient, maya: Talk, message: Message, said: str, **more: str) -> httpx.Response:
    answer = await client.post(f"{maya.base}/messages/{message.id}/settlement", headers=HTMX,
                               data={"as": said, "doubt": str(message.claimed_at), **more})
    if answer.status_code == 200:
        await maya.world.settle()
    return answer


async def tell(maya: Talk, wamid: str, word: str, token: str, **more: Any) -> None:
    """A status of WhatsApp's with our callback data."""
    at = str(maya.world.clock.now() // 1000)
    await take(maya.world, body(ACME_NUMBER, statuses(ACME_NUMBER, {
        "id": wamid, "status": word, "timestamp": at, "recipient_id": maya.customer.phone,
        "biz_opaque_callback_data": token, **more})))


async def token_of(maya: Talk) -> str:
    """The callback data of the newest send that WhatsApp took."""
    return str(maya.world.simulator.world.ledger[-1].callback_data)


async def drawn(maya: Talk, message: Message, who: str = "kim") -> str:
    return bubble((await (await maya.world.session(who)).get(maya.base)).text, message.id)


async def sweep(world: World) -> None:
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()


async def test_first_it_is_waited_for_and_then_a_person_is_asked(world: World) -> None:
    maya = await talk(world)
    message = await doubt(maya)
    young = await drawn(maya, message)
    assert "May have been sent." in young and "Waiting for WhatsApp" in young and "<details" in young
    assert young.count("/settlement") == 3 and "Did this message arrive?" not in young
    world.clock.pass_time(QUARTER - 2 * MINUTE)
    assert "Did this message arrive?" not in await drawn(maya, message)
    world.clock.pass_time(2 * MINUTE)
    asking = await drawn(maya, message)
    assert "Did this message arrive?" in asking and "<details" not in asking
    for words in ("It arrived", "Send again", "Don’t send again", "It may arrive twice.", "the customer gets it twice"):
        assert words in asking, words
    watched = await drawn(maya, message, "vera")
    assert "Somebody who may reply has to decide." in watched and "/settlement" not in watched


async def test_browsers_hear_when_the_wait_is_over(world: World) -> None:
    maya = await talk(world)
    message = await doubt(maya)
    async with listening(await world.session("kim"), world.acme) as stream:
        await sweep(world)
        assert ("message", message.id) not in stream.nudges
        world.clock.pass_time(QUARTER - MINUTE)
        await sweep(world)
        await until(lambda: ("message", message.id) in stream.nudges)
        world.clock.pass_time(10 * MINUTE)
        heard = stream.nudges.count(("message", message.id))
        await sweep(world)
        assert stream.nudges.count(("message", message.id)) == heard <= 2, "not for ever"


async def test_it_arrived(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya, taken=True)
    async with leaving(world, kim) as left:
        answer = await say(kim, maya, message, "sent")
    assert 'data-status="sent"' in answer.text and "Kim said that it arrived" in answer.text
    assert left.audit == [("message.doubt_settled", "message", message.id)] and not left.jobs
    assert left.nudges == {("message", message.id), ("conversation", maya.id)}
    page = (await kim.get(maya.base)).text
    assert "Kim said that a message arrived that may have been sent" in page
    async with leaving(world, kim) as left:
        assert (await say(kim, maya, message, "sent")).status_code == 200
    assert left.audit == [], "said twice, it counts once"
    told = await say(kim, maya, message, "failed")
    assert told.status_code == 409 and "it was sent" in told.text
    await tell(maya, world.simulator.world.ledger[0].wamid, "read", await token_of(maya))
    late = await one(maya, message.id)
    assert late.status == "read" and late.wamid == world.simulator.world.ledger[0].wamid
    assert "Kim said that it arrived" in await drawn(maya, message), "the note stays"
    assert len(world.simulator.world.ledger) == 1


async def test_a_failure_that_is_told_later_outweighs_what_a_person_saw(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya, taken=True)
    await say(kim, maya, message, "sent")
    await tell(maya, "wamid.late", "failed", await token_of(maya), errors=[{"code": 131026}])
    late = await one(maya, message.id)
    assert (late.status, late.error_code) == ("failed", 131026)
    assert "cannot receive" in await drawn(maya, message) and "said that it arrived" not in await drawn(maya, message)


async def test_do_not_send_again(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya)
    async with leaving(world, kim) as left:
        answer = await say(kim, maya, message, "failed")
    assert 'data-status="failed"' in answer.text and "Not confirmed; given up by Kim" in answer.text
    assert "/discard" in answer.text and "the customer gets it twice" in answer.text, "Retry asks first"
    assert left.audit == [("message.doubt_settled", "message", message.id)] and not left.jobs
    assert "Kim gave up a message that may have been sent" in (await kim.get(maya.base)).text
    assert (await say(kim, maya, message, "failed")).status_code == 200
    told = await say(kim, maya, message, "sent")
    assert told.status_code == 409 and "it was not sent" in told.text
    assert (await kim.post(f"{maya.base}/messages/{message.id}/discard", headers=HTMX)).status_code == 200
    assert await maya.sent() == [] and world.simulator.world.ledger == []


@pytest.mark.parametrize(("word", "status"), [("sent", "sent"), ("delivered", "delivered"), ("failed", "failed")])
async def test_whatsapp_knows_better_than_who_gave_up(world: World, word: str, status: str) -> None:
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya, taken=True)
    await say(kim, maya, message, "failed")
    await tell(maya, "wamid.late", word, await token_of(maya), **({"errors": [{"code": 131026}]} if word == "failed"
                                                                  else {}))
    late = await one(maya, message.id)
    assert (late.status, late.wamid) == (status, "wamid.late")
    assert (late.error_code, "given up" in (late.error_title or "")) == (131026 if word == "failed" else None, False)
    assert ("Kim had given it up" in await drawn(maya, message)) == (word != "failed")


async def test_send_again(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya)
    async with leaving(world, kim) as left:
        answers = [await say(kim, maya, message, "resend") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert left.audit == [("message.resent", "message", message.id)] and left.jobs["inbox.send"] == 1
    assert len(world.simulator.world.ledger) == 1 and (await one(maya, message.id)).status == "read"
    assert "Kim sent a message again that may have been sent" in (await kim.get(maya.base)).text
    assert (await say(kim, maya, message, "sent")).status_code == 409


async def test_a_word_on_an_older_doubt_does_not_fall_on_a_newer_one(world: World) -> None:
    maya, kim, alice = await talk(world), await world.session("kim"), await world.session("alice")
    message = await doubt(maya)
    world.simulator.set_switches({"answer_500": 1})
    await say(kim, maya, message, "resend")
    anew = await one(maya, message.id)
    assert anew.status == "unconfirmed" and anew.claimed_at != message.claimed_at
    assert (await say(kim, maya, message, "resend")).status_code == 200, "the same click, only late"
    told = await say(alice, maya, message, "failed")
    assert told.status_code == 409 and "in doubt once more" in told.text
    assert (await one(maya, message.id)).status == "unconfirmed" and world.simulator.world.ledger == []
    assert (await say(alice, maya, anew, "failed")).status_code == 200


async def test_a_status_that_was_first_wins(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya, taken=True)
    await tell(maya, "wamid.first", "read", await token_of(maya))
    async with leaving(world, kim) as left:
        for said in ("sent", "failed", "resend"):
            told = await say(kim, maya, message, said)
            assert told.status_code == 409 and "the customer has read it" in told.text, said
    assert left.audit == [] and left.nudges == set()
    assert (await one(maya, message.id)).status == "read" and len(world.simulator.world.ledger) == 1


async def test_two_people_at_once_settle_it_once(world: World) -> None:
    maya, kim, alice = await talk(world), await world.session("kim"), await world.session("alice")
    message = await doubt(maya)
    answers = await asyncio.gather(say(kim, maya, message, "sent"), say(alice, maya, message, "failed"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    settled = await one(maya, message.id)
    assert (settled.status, settled.settled_by) in {("sent", "Kim"), ("failed", "Alice")}
    assert await rows(world, world.acme, "SELECT count(*) FROM audit_event WHERE action = 'message.doubt_settled'"
                      ) == [(1,)]


async def hold(world: World, until_at: int | None) -> None:
    """Meta holds the number back: what is due waits."""
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE channel SET paused_until = ?", until_at)


@pytest.mark.parametrize("failed_uploads", [0, 2])
async def test_the_word_that_comes_while_the_second_one_waits_keeps_it_back(world: World, failed_uploads: int) -> None:
    """Also when its file could not be uploaded meanwhile, which counts as attempts."""
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya, taken=True)
    await hold(world, world.clock.now() + HOUR)
    await say(kim, maya, message, "resend")
    assert (await one(maya, message.id)).status == "queued"
    token = await token_of(maya)
    for _ in range(failed_uploads):
        async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
            await claims.upload_failed(tx, message.id, was_there=True)
    await tell(maya, "wamid.first", "failed", token, errors=[{"code": 131026}])
    waiting = await one(maya, message.id)
    assert (waiting.status, waiting.wamid) == ("queued", None), "the first one failed, so the second is wanted"
    await tell(maya, "wamid.first", "warped", token)
    assert (await one(maya, message.id)).wamid is None
    await tell(maya, "wamid.first", "delivered", token)
    await hold(world, None)
    world.clock.pass_time(2 * HOUR)
    await sweep(world)
    arrived = await one(maya, message.id)
    assert (arrived.status, arrived.wamid) == ("delivered", "wamid.first")
    assert len(world.simulator.world.ledger) == 1, "nobody got it twice"


async def test_nothing_but_a_person_sends_it_again(installation: Path, tmp_path: Path) -> None:
    """Sweeps, a restart, recovery and two days: still one."""
    async with running_world(installation, tmp_path / "first") as world:
        message = await doubt(await talk(world), taken=True)
        script = world.client(await world.key(world.acme))
        sent = await script.post("/api/v1/messages", json={"to": "+14155550101", "type": "text",
                                                           "text": {"body": "by script"}})
        assert sent.status_code == 202
        await script.aclose()
        await world.settle()
        accepted = len(world.simulator.world.ledger)
        for _ in range(6):
            world.clock.pass_time(4 * HOUR)
            await sweep(world)
        assert len(world.simulator.world.ledger) == accepted == 2
    async with running_world(tmp_path / "first", tmp_path / "again") as world:
        async with world.workspace(world.acme) as workspace:
            await forget_claims(workspace, world.clock)
        for _ in range(6):
            world.clock.pass_time(8 * HOUR)
            await sweep(world)
        assert world.simulator.world.ledger == []
        assert await rows(world, world.acme, "SELECT status FROM message WHERE id = ?", message.id
                          ) == [("unconfirmed",)]
        async with world.workspace(world.acme) as workspace:
            with pytest.raises(Refused, match="Only a person"):
                async with workspace.ingest("test") as tx:
                    await settle(tx, message.id, Settlement.RESEND)


async def test_what_cannot_be_settled(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya)
    said = (await maya.messages("direction = 'in'"))[0]
    told = await say(kim, maya, said, "sent", doubt="")
    assert told.status_code == 409 and "came from the customer" in told.text
    for form in ({"as": ""}, {"as": "lost"}, {}, {"as": "sent", "doubt": "x"}):
        answer = await kim.post(f"{maya.base}/messages/{message.id}/settlement", headers=HTMX, data=form)
        assert answer.status_code == 422, form
    world.clock.advance(25 * HOUR)
    told = await say(kim, maya, message, "resend")
    assert told.status_code == 422 and "24-hour reply window is closed" in told.text
    assert (await one(maya, message.id)).status == "unconfirmed"
    assert (await say(kim, maya, message, "sent")).status_code == 200, "the other ways stay open"


async def listed(world: World, query: str = "v=doubt") -> str:
    return (await (await world.session("kim")).get(f"/w/acme/inbox/list?{query}")).text


def names(page: str) -> list[str]:
    return [part.split(">", 1)[1].split("<")[0] for part in page.split('class="row-name')[1:]]


async def test_the_list_of_what_waits_for_a_person(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    people = {name: await talk(world, name=name, phone=f"1415555020{number}")
              for number, name in enumerate(("Ann", "Ben", "Cid"))}
    for name in ("Cid", "Ann", "Ben"):
        await doubt(people[name])
        await doubt(people[name], "and this?")
    kim = await world.session("kim")
    assert "view-doubt" not in await listed(world, "v=all") and "doubt-notice" not in await listed(world, "v=all")
    world.clock.pass_time(QUARTER)
    await kim.post(f"{people['Ann'].base}/closure")
    page = await listed(world)
    assert names(page) == ["Cid", "Ann", "Ben"], "each once, the oldest first, resolved or not"
    assert 'id="view-doubt"' in page and ">3</span>" in page.split('id="view-doubt"')[1].split("</a>")[0]
    assert 'id="doubt-notice"' not in page
    other = await listed(world, "v=mine")
    assert "In 3 conversations it is unclear whether a message arrived." in other
    monkeypatch.setattr(list_pane, "PAGE", 2)
    page = await listed(world)
    more = door(page, "more-rows")
    assert names(page) == ["Cid", "Ann"] and more is not None
    assert names((await kim.get(more)).text) == ["Ben"]
    monkeypatch.undo()
    for message in await people["Ben"].sent():
        await say(kim, people["Ben"], message, "sent")
    assert names(await listed(world)) == ["Cid", "Ann"] and "In 2 conv" in await listed(world, "v=all")
    for name in ("Cid", "Ann"):
        for message in await people[name].sent():
            await say(kim, people[name], message, "failed")
    assert "Nothing is in doubt" in await listed(world)
    assert "view-doubt" not in await listed(world, "v=all")


async def test_a_row_leads_to_the_message_that_is_asked_about(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    message = await doubt(maya)
    world.clock.pass_time(QUARTER)
    address = f"{maya.base}?v=doubt&amp;at={message.id}"
    assert f'href="{address}#m-{message.id}"' in await listed(world)
    opened = (await kim.get(address.replace("&amp;", "&"))).text
    assert f'data-shown="{message.id}"' in opened and "Did this message arrive?" in opened


async def test_a_clock_that_was_put_back_hides_no_doubt(world: World) -> None:
    maya = await talk(world)
    world.clock.advance(400 * 24 * HOUR)
    await maya.says("so that the window is open")
    message = await doubt(maya)
    world.clock.advance(-400 * 24 * HOUR)
    assert "Did this message arrive?" in await drawn(maya, message)
    assert names(await listed(world)) == ["Maya Chen"]


async def test_nobody_is_asked_about_a_reaction(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")
    said = (await maya.messages("direction = 'in'"))[0]
    world.simulator.set_switches({"answer_500": 1})
    await kim.post(f"{maya.base}/messages/{said.id}/reaction", data={"emoji": "👍"})
    await world.settle()
    assert await rows(world, world.acme, "SELECT status FROM message WHERE type = 'reaction'") == [("unconfirmed",)]
    world.clock.pass_time(HOUR)
    assert "view-doubt" not in await listed(world, "v=all")


async def test_the_monitor_counts_them(world: World) -> None:
    maya, kim = await talk(world), await world.session("kim")

    async def counted() -> str:
        async with httpx.AsyncClient(base_url=world.base) as monitor:
            return (await monitor.get("/metrics")).text

    assert "\nchime_messages_unconfirmed 0\n" in await counted()
    message = await doubt(maya)
    await doubt(maya)
    assert "\nchime_messages_unconfirmed 2\n" in await counted()
    await say(kim, maya, message, "sent")
    assert "\nchime_messages_unconfirmed 1\n" in await counted()
