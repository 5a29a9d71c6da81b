"""`/api/v1/conversations`, and the numbers and templates of a workspace."""

from __future__ import annotations

import pytest

from chime.message_templates.jobs import SYNC
from chime.simulator import Template
from tests.http.api_setup import MAYA, STRANGE_ID, TEXT, Scripting, fields, problem, scripting
from tests.support.world import ACME_NUMBER

__all__ = ["scripting"]


async def member(scripting: Scripting, name: str) -> str:
    found: str = await scripting.world.services.control.db.value("SELECT id FROM user WHERE name = ?", name)
    return found


async def test_a_conversation_as_it_is_told(scripting: Scripting) -> None:
    customer = await scripting.customer(username="maya", text="Where is my order?")
    script = await scripting.script()
    listed = (await script.get("/api/v1/conversations", params={"state": "open"})).json()
    assert listed["next_cursor"] is None and len(listed["items"]) == 1
    told = listed["items"][0]
    assert (await script.get(f"/api/v1/conversations/{told['id']}")).json() == told
    assert told["contact"]["phone"] == f"+{MAYA}" and told["contact"]["profile_name"] == "Maya"
    assert told["contact"]["user_id"] == customer.user_id
    assert told["channel_id"] == scripting.world.acme.channel_id and told["state"] == "open"
    assert told["assignee"] is None and told["unread_count"] == 1 and told["closed_at"] is None
    assert told["window_expires_at"] > told["created_at"] and told["window_expires_at"].endswith("Z")
    assert told["last_message"] == {"direction": "in", "type": "text", "status": "received",
                                    "text": "Where is my order?"}
    contact = (await script.get(f"/api/v1/contacts/{told['contact']['id']}")).json()
    assert contact["username"] == "maya" and contact["phone"] == f"+{MAYA}"


async def test_messages_newest_first_in_pages_that_stay_right(scripting: Scripting) -> None:
    customer = await scripting.customer(text="0")
    for number in range(1, 6):
        await scripting.writes(customer, text=str(number))
    script = await scripting.script()
    conversation = (await script.get("/api/v1/conversations")).json()["items"][0]
    where = f"/api/v1/conversations/{conversation['id']}/messages"
    first = (await script.get(where, params={"limit": 2})).json()
    await scripting.writes(customer, text="6")
    second = (await script.get(where, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    third = (await script.get(where, params={"limit": 2, "cursor": second["next_cursor"]})).json()
    assert [row["text"] for page in (first, second, third) for row in page["items"]] == ["5", "4", "3", "2", "1", "0"]
    assert third["next_cursor"] is None
    assert all(row["status"] == "received" and row["direction"] == "in" for row in first["items"])
    assert (await script.get(f"/api/v1/messages/{first['items'][0]['id']}")).json() == first["items"][0]


async def test_lists_by_state_and_assignee_in_pages_that_stay_right(scripting: Scripting) -> None:
    script = await scripting.script()
    for number in range(6):
        await scripting.customer(name=f"C{number}", phone=f"1415555030{number}")
    rows = (await script.get("/api/v1/conversations")).json()["items"]
    assert [row["contact"]["profile_name"] for row in rows] == ["C5", "C4", "C3", "C2", "C1", "C0"]
    kim = await member(scripting, "Kim")
    for index, change in ((1, {"state": "closed"}), (3, {"state": "closed", "assignee_id": kim}),
                          (4, {"assignee_id": kim})):
        answer = await script.patch(f"/api/v1/conversations/{rows[index]['id']}", json=change)
        assert answer.status_code == 200, answer.text

    async def names(**query: str) -> list[str]:
        items = (await script.get("/api/v1/conversations", params=query)).json()["items"]
        return [row["contact"]["profile_name"] for row in items]

    assert await names(state="open") == ["C5", "C3", "C1", "C0"]
    assert await names(state="closed") == ["C4", "C2"]
    assert await names(assignee=kim) == ["C2", "C1"] and await names(assignee=kim, state="open") == ["C1"]
    assert await names(assignee="none") == ["C5", "C4", "C3", "C0"] and await names(assignee=STRANGE_ID) == []
    seen, cursor = [], ""
    for _ in range(3):
        page = (await script.get("/api/v1/conversations", params={"limit": "2"} | (
            {"cursor": cursor} if cursor else {}))).json()
        seen += [row["contact"]["profile_name"] for row in page["items"]]
        cursor = page["next_cursor"]
        await scripting.customer(name="new", phone=f"1415555040{len(seen)}")
    assert seen == ["C5", "C4", "C3", "C2", "C1", "C0"] and cursor is None


async def test_resolving_reopening_and_assigning(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    where = f"/api/v1/conversations/{(await script.get('/api/v1/conversations')).json()['items'][0]['id']}"
    kim = await member(scripting, "Kim")
    closed = (await script.patch(where, json={"state": "closed", "assignee_id": kim})).json()
    assert closed["state"] == "closed" and closed["closed_at"] and closed["assignee"] == {"id": kim, "name": "Kim"}
    written = await script.post("/api/v1/messages", json={"to": f"+{MAYA}"} | TEXT)
    await scripting.world.settle()
    assert written.status_code == 202 and (await script.get(where)).json()["state"] == "closed"
    opened = (await script.patch(where, json={"state": "open", "assignee_id": None})).json()
    assert opened["state"] == "open" and opened["closed_at"] is None and opened["assignee"] is None
    assert (await script.patch(where, json={})).json() == opened
    charlie = await member(scripting, "Charlie")
    for body, wrong in (({"state": "done"}, {"state"}), ({"state": None}, {"state"}),
                        ({"assignee_id": charlie}, {"assignee_id"}), ({"assignee_id": 5}, {"assignee_id"}),
                        ({"asignee_id": kim, "state": 1}, {"asignee_id", "state"})):
        answer = await script.patch(where, json=body)
        problem(answer, 422)
        assert fields(answer).keys() == wrong, body
    replying = await scripting.script("inbox:read,inbox:reply")
    assert (await replying.patch(where, json={"state": "closed"})).status_code == 200
    problem(await replying.patch(where, json={"assignee_id": kim}), 403)


async def test_read_and_typing_reach_the_customer(scripting: Scripting) -> None:
    customer = await scripting.customer()
    script = await scripting.script()
    where = f"/api/v1/conversations/{(await script.get('/api/v1/conversations')).json()['items'][0]['id']}"
    assert (await script.post(where + "/typing")).status_code == 204
    await scripting.world.settle()
    chat = scripting.world.simulator.world.conversation(customer, ACME_NUMBER.phone_number_id)
    assert chat.typing_until > scripting.world.clock.now()
    await scripting.writes(customer)
    read = await script.post(where + "/read")
    assert read.status_code == 204 and read.content == b""
    await scripting.world.settle()
    assert (await script.get(where)).json()["unread_count"] == 0
    assert {message.status for message in chat.messages} == {"read"}


async def test_another_workspaces_conversations_do_not_exist(scripting: Scripting) -> None:
    await scripting.customer()
    script, theirs = await scripting.script(), await scripting.script(tenant=scripting.world.globex)
    known = (await script.get("/api/v1/conversations")).json()["items"][0]["id"]
    assert (await theirs.get("/api/v1/conversations")).json()["items"] == []
    for conversation_id in (known, STRANGE_ID, "x", "%F0%9F%98%80"):
        where = f"/api/v1/conversations/{conversation_id}"
        for answer in (await theirs.get(where), await theirs.get(where + "/messages"),
                       await theirs.post(where + "/read"), await theirs.post(where + "/typing"),
                       await theirs.patch(where, json={"state": "closed"}), await theirs.patch(where, json={})):
            problem(answer, 404)


@pytest.mark.parametrize("path", ["/api/v1/conversations", "/api/v1/contacts", "/api/v1/tags", "/api/v1/channels",
                                  "/api/v1/templates"])
async def test_queries_that_do_not_fit(scripting: Scripting, path: str) -> None:
    script = await scripting.script()
    for query, wrong in (("limit=0", "limit"), ("limit=201", "limit"), ("limit=-1", "limit"), ("limit=", "limit"),
                         ("limit=%C2%B2", "limit"), ("limit=" + "9" * 5000, "limit"), ("limit=1e2", "limit"),
                         ("cursor=x", "cursor"), ("cursor=%00", "cursor"), ("cursor=WzFd", "cursor"),
                         ("cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAsICJ4Il0", "cursor"), ("sort=name", "sort"),
                         ("limit=5&limit=6", "limit")):
        answer = await script.get(f"{path}?{query}")
        problem(answer, 422)
        assert fields(answer).keys() == {wrong}, query
    assert (await script.get(f"{path}?limit=200")).status_code == 200
    assert (await script.get(f"{path}?limit=1&cursor=")).status_code == 200


async def test_filters_that_do_not_fit_are_named(scripting: Scripting) -> None:
    script = await scripting.script()
    for query, wrong in (("state=done", "state"), ("state=", "state"), ("assignee=", "assignee")):
        answer = await script.get(f"/api/v1/conversations?{query}")
        assert fields(answer).keys() == {wrong} and answer.status_code == 422


async def test_channels_without_their_secrets(scripting: Scripting) -> None:
    script = await scripting.script()
    answer = await script.get("/api/v1/channels")
    assert answer.json()["next_cursor"] is None
    told = answer.json()["items"][0]
    assert told["id"] == scripting.world.acme.channel_id and told["state"] == "connected"
    assert told["phone_number_id"] == ACME_NUMBER.phone_number_id and len(answer.json()["items"]) == 1
    assert "token" not in answer.text and "secret" not in answer.text


async def test_templates_in_metas_words(scripting: Scripting) -> None:
    world = scripting.world
    body = [{"type": "BODY", "text": "Hello {{1}}"}]
    for name, status in (("a", "APPROVED"), ("b", "REJECTED"), ("c", "APPROVED")):
        world.simulator.world.add_template(ACME_NUMBER.waba_id, Template(
            template_id=name, name=name, language="en", category="UTILITY", components=body, status=status))
    world.services.runner.start(world.acme.workspace_id, SYNC, ACME_NUMBER.waba_id)
    await world.settle()
    script, theirs = await scripting.script(), await scripting.script(tenant=world.globex)
    first = (await script.get("/api/v1/templates", params={"limit": 2})).json()
    rest = (await script.get("/api/v1/templates", params={"cursor": first["next_cursor"]})).json()
    assert sorted(row["name"] for row in first["items"] + rest["items"]) == ["a", "b", "c"]
    assert first["items"][0]["components"] == body and rest["next_cursor"] is None
    approved = (await script.get("/api/v1/templates?status=approved")).json()["items"]
    assert sorted(row["name"] for row in approved) == ["a", "c"]
    assert [row["status"] for row in (await script.get("/api/v1/templates?name=b")).json()["items"]] == ["REJECTED"]
    assert (await theirs.get("/api/v1/templates")).json()["items"] == []
