"""The simulator's webhooks over real HTTP: signature, order, retries, and every switch."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from chime.simulator import Template
from tests.http.simulator_setup import GRAPH, PHONE, PNID, SECRET, WABA, Setup, code, setup

__all__ = ["setup"]


async def test_a_message_is_posted_signed_over_its_own_bytes(setup: Setup) -> None:
    customer = await setup.customer()
    wamid = await setup.writes(customer, {"type": "text", "text": {"body": "Grüße/🙂"}})
    await setup.settled()
    headers, body = setup.receiver.posts[0]
    wanted = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-hub-signature-256"] == wanted
    assert b"Gr\\u00fc\\u00dfe\\/\\ud83d\\ude42" in body
    message = setup.receiver.items("messages")[0]
    assert (message["id"], message["from"], message["text"]["body"]) == (wamid, PHONE, "Grüße/🙂")
    assert PHONE.encode() in base64.b64decode(wamid.removeprefix("wamid."))
    assert setup.receiver.changes[0]["value"]["metadata"]["phone_number_id"] == PNID


async def test_a_reply_gets_its_ticks_with_callback_data_and_price(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.quiet()
    answer = await setup.text(biz_opaque_callback_data="row:1")
    assert answer.status_code == 200
    assert answer.json()["contacts"] == [{"input": f"+{PHONE}", "wa_id": PHONE}]
    await setup.settled()
    assert setup.receiver.statuses == ["sent", "delivered", "read"]
    items = setup.receiver.items("statuses")
    assert {item["id"] for item in items} == {answer.json()["messages"][0]["id"]}
    assert all(item["biz_opaque_callback_data"] == "row:1" and item["recipient_user_id"] for item in items)
    assert items[0]["pricing"]["type"] == "free_customer_service"
    assert setup.receiver.items("contacts")[0]["wa_id"] == PHONE


async def test_someone_known_by_username_only_has_no_number_anywhere(setup: Setup) -> None:
    customer = await setup.customer(name="Noor", phone=None, username="@noor.makes")
    await setup.writes(customer)
    await setup.settled()
    message, contact = setup.receiver.items("messages")[0], setup.receiver.items("contacts")[0]
    assert "from" not in message and "wa_id" not in contact
    assert contact["profile"] == {"name": "Noor", "username": "noor.makes"}
    user_id = message["from_user_id"]
    answer = await setup.text(to=None, recipient=user_id)
    assert answer.json()["contacts"] == [{"input": user_id, "user_id": user_id}]
    await setup.settled()
    assert setup.receiver.statuses == ["sent", "delivered", "read"]
    assert all("recipient_id" not in item for item in setup.receiver.items("statuses"))


async def test_a_user_id_given_as_a_number_fails_later_not_at_once(setup: Setup) -> None:
    template = Template(
        template_id="1000000000000001", name="plain", language="en", category="UTILITY",
        components=[{"type": "BODY", "text": "Hello"}],
    )
    setup.simulator.world.add_template(WABA, template)
    body = {"type": "template", "template": {"name": "plain", "language": {"code": "en"}}}
    answer = await setup.send(body, to="US.13491208655302741918")
    assert answer.json()["contacts"][0]["wa_id"] == "13491208655302741918"
    await setup.settled()
    failed = setup.receiver.items("statuses")[0]
    assert (failed["status"], failed["errors"][0]["code"]) == ("failed", 131026)


async def test_retries_until_the_answer_is_200(setup: Setup) -> None:
    setup.receiver.answers = [503, 201, 302]
    await setup.writes(await setup.customer())
    await setup.settled()
    assert len(setup.receiver.posts) == 4
    assert len({body for _, body in setup.receiver.posts}) == 1
    deliveries = (await setup.http.get("/simulator/deliveries")).json()
    assert [one["status"] for one in deliveries["items"]] == [503, 201, 302, 200]
    assert (deliveries["open"], deliveries["lost"]) == (0, 0)


async def test_gives_up_at_the_end_and_says_so(setup: Setup) -> None:
    setup.receiver.answers = [500] * 4
    await setup.writes(await setup.customer())
    await setup.settled()
    assert (await setup.http.get("/simulator/deliveries")).json()["lost"] == 1


async def test_deliver_twice_and_batch(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.switch(deliver_twice=True)
    await setup.writes(customer)
    await setup.settled()
    assert len(setup.receiver.posts) == 2 and setup.receiver.posts[0][1] == setup.receiver.posts[1][1]
    await setup.switch(deliver_twice=False, batch=3)
    setup.receiver.posts.clear()
    wamids = [await setup.writes(customer) for _ in range(5)]
    await setup.settled()
    sizes = [len(json.loads(body)["entry"][0]["changes"][0]["value"]["messages"]) for _, body in setup.receiver.posts]
    assert max(sizes) == 3 and sum(sizes) == 5
    assert [item["id"] for item in setup.receiver.items("messages")] == wamids


async def test_out_of_order_turns_the_ticks_round(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.quiet()
    await setup.switch(out_of_order=True)
    await setup.text()
    await setup.settled()
    assert setup.receiver.statuses == ["read", "delivered", "sent"]


async def test_refusals_on_demand_accept_nothing(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.switch(answer_429=1, answer_500=1, error_next=1, error_code=131048)
    answers = [await setup.text(biz_opaque_callback_data="row:1") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 500, 400, 200]
    assert [code(answer) for answer in answers[:3]] == [130429, 1, 131048]
    ledger = (await setup.http.get("/simulator/ledger")).json()
    assert ledger["count_by_callback_data"] == {"row:1": 1}


async def test_accept_then_drop_closes_without_a_byte_but_the_message_arrives(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.writes(customer)
    await setup.quiet()
    await setup.switch(accept_then_drop=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await setup.text(biz_opaque_callback_data="row:1")
    await setup.settled()
    ledger = (await setup.http.get("/simulator/ledger")).json()
    assert [entry["dropped"] for entry in ledger["items"]] == [True]
    assert setup.receiver.statuses == ["sent", "delivered", "read"]
    assert (await setup.text()).status_code == 200


async def test_statuses_can_be_held_and_read_receipts_be_off(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.quiet()
    await setup.switch(hold_statuses=True, no_read_receipts=True)
    await setup.text()
    assert not await setup.simulator.settled(0.2)
    assert setup.receiver.posts == []
    await setup.switch(hold_statuses=False)
    await setup.settled()
    assert setup.receiver.statuses == ["sent", "delivered"]


async def test_failing_later_and_the_pair_limit(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.quiet()
    await setup.switch(fail_next=1, fail_code=131049, pair_limit=True)
    answers = [await setup.text() for _ in range(46)]
    assert [answer.status_code for answer in answers] == [200] * 45 + [400]
    assert code(answers[-1]) == 131056
    await setup.settled()
    failed = [item for item in setup.receiver.items("statuses") if item["status"] == "failed"]
    assert [item["errors"][0]["code"] for item in failed] == [131049]


async def test_delays(setup: Setup) -> None:
    await setup.switch(delay_ms=150, answer_delay_ms=150)
    clock = setup.simulator.clock
    started = clock.monotonic()
    await setup.http.get(f"{GRAPH}/{PNID}")
    assert clock.monotonic() - started >= 0.15
    await setup.writes(await setup.customer())
    await setup.settled()
    assert clock.monotonic() - started >= 0.3


@pytest.mark.parametrize("body", [{"batch": 0}, {"delay_ms": "soon"}, {"surprise": True}, [1]])
async def test_a_wrong_switch_is_named(setup: Setup, body: Any) -> None:
    answer = await setup.http.put("/simulator/switches", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == (next(iter(body)) if isinstance(body, dict) else "switches")


