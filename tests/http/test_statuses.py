"""What became of our messages: every status, in any order, before our own send was answered, and never a stranger's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chime import setup
from chime.channels import NewChannel
from chime.clock import HOUR, MINUTE
from chime.simulator import Number, Template, write
from tests.support.scripted_server import ScriptedServer, json_answer, takes_messages
from tests.support.webhook_bodies import DANA, body, bubble, inbound, message, rows, seconds, statuses, take, text
from tests.support.webhook_bodies import thread_page as page_of
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, GLOBEX_NUMBER, World, running_world

PRICE = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}
FREE = {"billable": False, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"}
Row = dict[str, Any]


async def hear(world: World, words: str) -> None:
    """Maya writes."""
    simulated = world.simulator.world
    write(world.simulator, simulated.customers["maya"], {"type": "text", "text": {"body": words}},
          number=simulated.number(ACME_NUMBER.phone_number_id))
    await world.settle()


class Desk:
    """Alice at a conversation with somebody who just wrote."""

    def __init__(self, world: World, conversation_id: str) -> None:
        self.world, self.conversation_id = world, conversation_id

    @classmethod
    async def open(cls, world: World) -> Desk:
        world.simulator.world.add_customer(name="Maya", phone="14155550101", customer_id="maya")
        await hear(world, "hello")
        [(conversation_id,)] = await rows(world, world.acme, "SELECT id FROM conversation")
        return cls(world, conversation_id)

    def mute(self) -> None:
        """WhatsApp takes messages and tells nothing about them: the test does."""
        self.world.simulator.world.subscriptions[ACME_NUMBER.waba_id].clear()

    async def post(self, path: str, **fields: str) -> str:
        alice = await self.world.session("alice")
        answer = await alice.post(f"/w/acme/inbox/{self.conversation_id}{path}", data=fields)
        assert answer.status_code in (200, 422), answer.text
        await self.world.settle()
        return answer.text

    async def send(self, words: str = "on its way") -> str:
        """Send a text; our id of the message."""
        drawn = await self.post("/messages", type="text", text=words)
        return drawn.split('id="m-')[1].split('"')[0]

    async def wamid(self, message_id: str) -> str:
        return str((await self.row(message_id))["wamid"])

    async def row(self, message_id: str) -> Row:
        names = ("status", "wamid", "error_code", "sent_at", "delivered_at", "read_at", "pricing_json",
                 "next_attempt_at")
        [found] = await rows(self.world, self.world.acme, "SELECT status, wamid, error_code, sent_at, delivered_at, "
                             "read_at, pricing_json, next_attempt_at FROM message WHERE id = ?", message_id)
        return dict(zip(names, found, strict=True))

    async def tell(self, *items: dict[str, Any]) -> None:
        await take(self.world, body(ACME_NUMBER, statuses(ACME_NUMBER, *items)))

    async def bubble(self, message_id: str) -> str:
        return bubble(await page_of(self.world, self.conversation_id), message_id)

    async def notices(self) -> str:
        """What stands above the thread."""
        return (await page_of(self.world, self.conversation_id)).split('id="window"')[1].split('id="scroller"')[0]

    async def sweep(self) -> None:
        await self.world.services.runner.sweep([self.world.acme.workspace_id])
        await self.world.settle()


def status(wamid: str, word: str, at: int, **more: Any) -> dict[str, Any]:
    return {"id": wamid, "status": word, "timestamp": str(at), "recipient_id": "14155550101", **more}


async def test_the_ticks_only_go_forward_in_whatever_order_they_come(world: World) -> None:
    desk = await Desk.open(world)
    desk.mute()
    at = seconds(world)
    told = {"sent": {"pricing": PRICE}, "delivered": {"pricing": PRICE}, "read": {}}
    rank = ["sent", "delivered", "read"]
    for order in (("sent", "read", "delivered"), ("delivered", "sent", "read"), ("read", "delivered", "sent")):
        message_id = await desk.send(" ".join(order))
        wamid = await desk.wamid(message_id)
        reached = "sent"
        for word in order:
            await desk.tell(status(wamid, word, at + rank.index(word), **told[word]))
            reached = max(reached, word, key=rank.index)
            assert (await desk.row(message_id))["status"] == reached, order
        await desk.tell(*(status(wamid, word, at + 50) for word in order))
        row = await desk.row(message_id)
        assert row["status"] == "read"
        assert (row["delivered_at"], row["read_at"]) == ((at + 1) * 1000, (at + 2) * 1000), "the first telling counts"
        assert json.loads(row["pricing_json"])["type"] == "regular"
        assert 'data-status="read"' in await desk.bubble(message_id)
        kept = await rows(world, world.acme, "SELECT status FROM message_status WHERE wamid = ? ORDER BY at", wamid)
        assert [word for word, in kept] == rank, "each once"


async def test_odd_words_payments_and_groups_are_kept_and_move_nothing_back(world: World) -> None:
    desk = await Desk.open(world)
    desk.mute()
    at = seconds(world)
    message_id = await desk.send()
    wamid = await desk.wamid(message_id)
    await desk.tell(status(wamid, "read", at, conversation={"id": "c", "pricing": FREE}),
                    status(wamid, "played", at + 1))
    row = await desk.row(message_id)
    assert (row["status"], json.loads(row["pricing_json"])["type"]) == ("played", "free_customer_service")
    await desk.tell(status(wamid, "deleted", at + 2), status(wamid, "warped", at + 3),
                    {**status(wamid, "captured", at + 4), "type": "payment", "payment": {"reference_id": "ord-1"}},
                    *(status(wamid, "delivered", at + 5, recipient_type="group", recipient_id="Y2Fw",
                             recipient_participant_id=f"1415555020{n}") for n in range(3)))
    assert (await desk.row(message_id))["status"] == "played"
    kept = await rows(world, world.acme, "SELECT status, count(*) FROM message_status GROUP BY 1 ORDER BY 1")
    assert kept == [("deleted", 1), ("delivered", 3), ("played", 1), ("read", 1), ("warped", 1)]
    assert await rows(world, world.acme, "SELECT field FROM webhook_event") == [("PaymentStatusReceived",)]
    # Of a message nobody here knows: kept, for it may be known tomorrow; nothing is made up for it.
    await desk.tell(status("wamid.unknown", "read", at))
    assert await rows(world, world.acme, "SELECT count(*) FROM message") == [(2,)]
    assert await rows(world, world.acme, "SELECT path FROM rejected_event") == []


async def test_failed_ends_what_was_not_delivered_and_nothing_else(world: World) -> None:
    desk = await Desk.open(world)
    desk.mute()
    at = seconds(world)
    failed = {"errors": [{"code": "131026", "title": "Message undeliverable", "message": "Message undeliverable",
                          "error_data": {"details": "to 14155550101"}}]}
    shown = "This number cannot receive WhatsApp messages"
    lost = await desk.send("lost")
    wamid = await desk.wamid(lost)
    await desk.tell(status(wamid, "sent", at), status(wamid, "failed", at + 1, **failed), status(wamid, "sent", at + 2))
    row = await desk.row(lost)
    assert (row["status"], row["error_code"]) == ("failed", 131026)
    drawn = await desk.bubble(lost)
    assert shown in drawn and "/retry" in drawn and "14155550101" not in drawn

    arrived = await desk.send("arrived")
    wamid = await desk.wamid(arrived)
    await desk.tell(status(wamid, "delivered", at), status(wamid, "failed", at + 1, **failed))
    assert (await desk.row(arrived))["status"] == "delivered" and shown not in await desk.bubble(arrived)

    late = await desk.send("late")
    wamid = await desk.wamid(late)
    await desk.tell(status(wamid, "failed", at, **failed), status(wamid, "delivered", at + 1))
    row = await desk.row(late)
    assert (row["status"], row["error_code"]) == ("delivered", None), "what arrived has no error any more"


async def test_statuses_and_reactions_may_come_before_the_answer(installation: Path, tmp_path: Path) -> None:
    """WhatsApp tells of the message, and the customer answers it, while our call still waits."""
    early: list[int] = []
    world: World

    async def graph(sent: dict[str, Any]) -> bytes:
        at, words = seconds(world), sent["text"]["body"]
        data = {} if words == "without our token" else {"biz_opaque_callback_data": sent["biz_opaque_callback_data"]}
        if words == "in vain":
            told = [status("wamid.early", "failed", at, errors=[{"code": 131026}], **data)]
        else:
            told = [status("wamid.early", word, at, **data) for word in ("delivered", "read")]
        liked = message(DANA, "wamid.r", at, type="reaction", reaction={"message_id": "wamid.early", "emoji": "🚀"})
        answer = await world.webhook(body(ACME_NUMBER, statuses(ACME_NUMBER, *told), inbound(ACME_NUMBER, DANA, liked)))
        early.append(answer.status_code)
        return json_answer({"messages": [{"id": "wamid.early"}], "contacts": []})

    outcomes = {"with our token": "read", "without our token": "read", "in vain": "failed"}
    for number, (words, outcome) in enumerate(outcomes.items()):
        async with ScriptedServer([takes_messages(graph)]) as server, \
                running_world(installation, tmp_path / str(number), graph_url=server.url) as world:
            await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.1", seconds(world), "?"))))
            [(conversation_id,)] = await rows(world, world.acme, "SELECT id FROM conversation")
            desk = Desk(world, conversation_id)
            message_id = await desk.send(words)
            row = await desk.row(message_id)
            assert (row["status"], row["wamid"]) == (outcome, "wamid.early"), words
            assert row["sent_at"] and (outcome == "failed" or (row["delivered_at"] and row["read_at"]))
            drawn = await desk.bubble(message_id)
            assert "🚀" in drawn and ("cannot receive" in drawn) == (outcome == "failed")
    assert early == [200] * 3


async def test_only_our_own_token_settles_a_send_whose_answer_was_lost(world: World) -> None:
    desk = await Desk.open(world)
    desk.mute()
    other = await desk.send("another one")
    world.simulator.set_switches({"accept_then_drop": 1})
    message_id = await desk.send("in doubt")
    assert (await desk.row(message_id))["status"] == "unconfirmed"
    assert "May have been sent." in await desk.bubble(message_id)
    entry = world.simulator.world.ledger[-1]
    token = str(entry.callback_data)
    form, ours, attempt, signature = token.split(".")
    forged = [
        "", "x", ours, f"{form}.{ours}.{attempt}", f"{form}.{ours}.{attempt}.", f"{form}.{ours}.2.{signature}",
        f"{form}.{ours}.{attempt}.{signature[::-1]}", f"{form}.{ours}.{attempt}.{'0' * 16}", f"c2{token[2:]}",
        str(world.simulator.world.ledger[-2].callback_data).replace(other, ours), "." * 500, f"{token}.{signature}",
    ]
    assert token not in forged
    at = seconds(world)
    await desk.tell(*(status(f"wamid.forged{n}", "read", at, biz_opaque_callback_data=data)
                      for n, data in enumerate(forged)))
    # Globex's number cannot settle it with the right token either: another workspace has another key.
    await take(world, body(GLOBEX_NUMBER, statuses(GLOBEX_NUMBER, status(
        "wamid.globex", "read", at, biz_opaque_callback_data=token))))
    row = await desk.row(message_id)
    assert (row["status"], row["wamid"]) == ("unconfirmed", None)
    liked = message(DANA, "wamid.r", at, type="reaction", reaction={"message_id": entry.wamid, "emoji": "🚀"})
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, liked)))
    await desk.tell(status(entry.wamid, "sent", at, biz_opaque_callback_data=token, pricing=FREE))
    row = await desk.row(message_id)
    assert (row["status"], row["wamid"]) == ("sent", entry.wamid)
    assert "🚀" in await desk.bubble(message_id)
    # The same token cannot lead two ids of Meta's to one message.
    await desk.tell(status("wamid.twice", "failed", at, biz_opaque_callback_data=token, errors=[{"code": 131026}]))
    assert (await desk.row(message_id))["status"] == "sent"
    assert len(world.simulator.world.ledger) == 2, "a doubt is never sent again by itself"


async def test_our_own_token_in_the_wrong_place_settles_nothing(world: World) -> None:
    """Of another number of the same workspace, of an attempt before the last one, of a message that is gone."""
    desk = await Desk.open(world)
    desk.mute()
    await setup.connect(world.services.config, "Acme", NewChannel(
        phone_number_id="811222333444555", waba_id="877001122334455", display_phone="+1 555-010-0900",
        app_id="200300400500600", access_token=ACCESS_TOKEN))
    other = Number(phone_number_id="811222333444555", waba_id="877001122334455",
                   display_phone_number="+1 555-010-0900", verified_name="Acme too")
    world.simulator.set_switches({"accept_then_drop": 1})
    message_id = await desk.send("in doubt")
    first = str(world.simulator.world.ledger[-1].callback_data)
    at = seconds(world)
    await take(world, body(other, statuses(other, status("wamid.other", "read", at, biz_opaque_callback_data=first))))
    assert await rows(world, world.acme, "SELECT message_id FROM message_status") == [(None,)], "taken, for no message"
    row = await desk.row(message_id)
    assert (row["status"], row["wamid"]) == ("unconfirmed", None)

    world.clock.pass_time(MINUTE)
    world.simulator.set_switches({"accept_then_drop": 1})
    await desk.post(f"/messages/{message_id}/retry")
    second = str(world.simulator.world.ledger[-1].callback_data)
    assert second != first
    await desk.tell(status("wamid.first", "read", at, biz_opaque_callback_data=first))
    row = await desk.row(message_id)
    assert (row["status"], row["wamid"]) == ("unconfirmed", None), "the attempt before the last one"

    await desk.post(f"/messages/{message_id}/discard")
    await desk.tell(status("wamid.second", "read", at, biz_opaque_callback_data=second))
    assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE direction = 'out'") == [(0,)]
    assert await rows(world, world.acme, "SELECT message_id FROM message_status WHERE wamid = 'wamid.second'"
                      ) == [(None,)]
    assert await rows(world, world.acme, "SELECT path FROM rejected_event") == []


async def test_a_repeated_status_of_a_failed_send_does_not_capture_its_second_attempt(world: World) -> None:
    desk = await Desk.open(world)
    desk.mute()
    at = seconds(world)
    message_id = await desk.send("twice")
    first = world.simulator.world.ledger[-1]
    late = {"biz_opaque_callback_data": first.callback_data}
    await desk.tell(status(first.wamid, "failed", at, errors=[{"code": 131026}], **late))
    world.simulator.set_switches({"error_next": 1, "error_code": 131057})  # in maintenance: again in a minute
    await desk.post(f"/messages/{message_id}/retry")
    assert (await desk.row(message_id))["status"] == "queued"
    await desk.tell(status(first.wamid, "sent", at, **late), status(first.wamid, "failed", at, **late))
    row = await desk.row(message_id)
    assert (row["status"], row["wamid"]) == ("queued", None)
    world.clock.pass_time(2 * MINUTE)
    await desk.sweep()
    second = world.simulator.world.ledger[-1]
    assert second.wamid != first.wamid and await desk.wamid(message_id) == second.wamid
    await desk.tell(status(second.wamid, "delivered", at + 200))
    assert (await desk.row(message_id))["status"] == "delivered"


def fail(world: World, way: str, code: int) -> None:
    """The next send fails: in the answer to the call, or by a status later."""
    told = {"answer": {"error_next": 1, "error_code": code}, "status": {"fail_next": 1, "fail_code": code}}
    world.simulator.set_switches(told[way])


@pytest.mark.parametrize("way", ["answer", "status"])
async def test_what_an_error_means_beyond_its_message(world: World, way: str) -> None:
    components = [{"type": "BODY", "text": "Sale!"}]
    world.simulator.world.add_template(ACME_NUMBER.waba_id, Template(
        template_id="1", name="sale", language="en", category="MARKETING", components=components))
    desk = await Desk.open(world)
    # The person stopped marketing: remembered as a refusal, and the door says so from now on.
    fail(world, way, 131050)
    refused = await desk.send("an offer")
    assert (await desk.row(refused))["error_code"] == 131050
    assert await rows(world, world.acme, "SELECT marketing_consent FROM contact") == [("opted_out",)]
    assert "Refused" in await page_of(world, desk.conversation_id)
    await desk.sweep()
    said = await desk.post("/messages", type="template", template_name="sale", template_language="en")
    assert "opted out" in said, said
    # Meta holds the number back: what comes next waits for an hour, then goes.
    fail(world, way, 131048)
    assert (await desk.row(await desk.send("too much")))["status"] == "failed"
    held = await desk.send("patience")
    assert (await desk.row(held))["status"] == "queued"
    world.clock.pass_time(HOUR + MINUTE)
    world.sessions_are_over()
    await desk.sweep()
    assert (await desk.row(held))["status"] == "read"
    # Our idea of the window was wrong: it closes, until the customer writes again.
    fail(world, way, 131047)
    assert (await desk.row(await desk.send("too late")))["status"] == "failed"
    assert 'data-open="false"' in await page_of(world, desk.conversation_id)
    assert "24-hour" in await desk.post("/messages", type="text", text="still too late")
    await hear(world, "here again")
    assert 'data-open="true"' in await page_of(world, desk.conversation_id)
    assert (await desk.row(await desk.send("good")))["status"] == "read"


async def test_a_refused_token_stops_the_number_until_meta_takes_it_again(world: World) -> None:
    desk = await Desk.open(world)
    world.simulator.set_switches({"token_expired": True})
    failed = await desk.send("with an old token")
    assert (await desk.row(failed))["error_code"] == 190
    assert "The access token expired or was revoked" in await desk.notices()
    assert "reconnected" in await desk.post("/messages", type="text", text="and again")
    # What customers write still comes in, and the number heals by itself once the token is good.
    await hear(world, "anybody there?")
    assert "anybody there?" in await page_of(world, desk.conversation_id)
    world.simulator.set_switches({"token_expired": False})
    world.clock.pass_time(11 * MINUTE)
    await desk.sweep()
    assert "token" not in await desk.notices()
    await desk.post(f"/messages/{failed}/retry")
    assert (await desk.row(failed))["status"] == "read"
