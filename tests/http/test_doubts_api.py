"""Messages in doubt, for scripts: listed, told, settled once."""

from __future__ import annotations

from typing import Any

import httpx

from chime.clock import MINUTE
from tests.http.api_setup import MAYA, STRANGE_ID, TEXT, Scripting, fields, problem, scripting

__all__ = ["scripting"]
TO = {"to": f"+{MAYA}"}


async def doubt(scripting: Scripting, script: httpx.AsyncClient) -> dict[str, Any]:
    """A message WhatsApp may have taken."""
    scripting.world.simulator.set_switches({"answer_500": 1})
    queued = (await script.post("/api/v1/messages", json=TO | TEXT)).json()
    await scripting.world.settle()
    scripting.world.clock.pass_time(MINUTE)
    told: dict[str, Any] = (await script.get(f"/api/v1/messages/{queued['id']}")).json()
    assert told["status"] == "unconfirmed" and told["unconfirmed_since"] and told["settlement"] is None
    return told


async def test_they_are_listed_the_oldest_first(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    made = [await doubt(scripting, script) for _ in range(3)]
    await scripting.customer(name="Tom", phone="14155550102")
    page = (await script.get("/api/v1/messages?status=unconfirmed&limit=2")).json()
    assert [item["id"] for item in page["items"]] == [made[0]["id"], made[1]["id"]]
    assert page["items"][0] == made[0] | {"snippet": None}
    rest = (await script.get(f"/api/v1/messages?status=unconfirmed&limit=2&cursor={page['next_cursor']}")).json()
    assert [item["id"] for item in rest["items"]] == [made[2]["id"]] and rest["next_cursor"] is None
    talks = (await script.get("/api/v1/conversations")).json()["items"]
    by_talk = {item["contact"]["phone"]: item["id"] for item in talks}
    for phone, count in ((f"+{MAYA}", 3), ("+14155550102", 0)):
        found = await script.get(f"/api/v1/messages?status=unconfirmed&conversation_id={by_talk[phone]}")
        assert len(found.json()["items"]) == count, phone
    theirs = await scripting.script(tenant=scripting.world.globex)
    assert (await theirs.get("/api/v1/messages?status=unconfirmed")).json()["items"] == []


async def test_what_cannot_be_listed_names_its_field(scripting: Scripting) -> None:
    script = await scripting.script()
    for query, wrong in (("status=failed", "status"), ("status=", "status"), ("status=unconfirmed&search=x", "search"),
                         ("status=unconfirmed&limit=0", "limit"), ("", "search")):
        answer = await script.get(f"/api/v1/messages?{query}")
        assert answer.status_code == 422 and fields(answer).keys() == {wrong}, query
    problem(await script.get(f"/api/v1/messages?status=unconfirmed&conversation_id={STRANGE_ID}"), 404)


async def test_each_way_to_settle_one(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    for said, status in (("sent", "sent"), ("failed", "failed"), ("resend", "queued")):
        message = await doubt(scripting, script)
        answer = await script.post(f"/api/v1/messages/{message['id']}/settlement", json={"as": said})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["status"] == status and told["unconfirmed_since"] is None
        assert told["settlement"]["as"] == said and told["settlement"]["by"] == "test"
        assert (told["error"] or {}).get("title") == ("Not confirmed; given up by test" if said == "failed" else None)
        await scripting.world.settle()
        again = await script.post(f"/api/v1/messages/{message['id']}/settlement", json={"as": said})
        assert again.status_code == 200, "said twice, it counts once"
        other = "failed" if said == "sent" else "sent"
        refused = await script.post(f"/api/v1/messages/{message['id']}/settlement", json={"as": other})
        assert "no longer in doubt" in problem(refused, 409)["detail"]
    assert len(scripting.ledger) == 1, "only the one that was to be sent again"


async def test_a_repeated_request_gets_the_first_answer(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    message = await doubt(scripting, script)
    key = {"Idempotency-Key": "settle-1"}
    answers = [await script.post(f"/api/v1/messages/{message['id']}/settlement", json={"as": "resend"}, headers=key)
               for _ in range(2)]
    assert answers[0].json() == answers[1].json() and answers[1].headers["idempotency-replayed"] == "true"
    await scripting.world.settle()
    assert len(scripting.ledger) == 1


async def test_what_cannot_be_settled(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    message = await doubt(scripting, script)
    address = f"/api/v1/messages/{message['id']}/settlement"
    for body, wrong in (({}, "as"), ({"as": "lost"}, "as"), ({"as": None}, "as"), ({"as": "sent", "by": "me"}, "by"),
                        ([], "body")):
        assert fields(await script.post(address, json=body)).keys() == {wrong}, body
    reader = await scripting.script("inbox:read")
    problem(await reader.post(address, json={"as": "sent"}), 403)
    theirs = await scripting.script(tenant=scripting.world.globex)
    for client, where in ((theirs, address), (script, f"/api/v1/messages/{STRANGE_ID}/settlement")):
        problem(await client.post(where, json={"as": "sent"}), 404)
    assert (await script.get(f"/api/v1/messages/{message['id']}")).json()["status"] == "unconfirmed"
