"""Messages for later: what is asked when they are made and when their moment comes, and that each leaves once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from chime.clock import DAY, HOUR, MINUTE, rfc3339
from chime.inbox.actions import move_threads
from chime.simulator.sample_media import sample
from tests.http.inbox_setup import Talk, rows, stock_templates, talk, until, without_script
from tests.http.test_queues import listed, sweep
from tests.support.files import paths
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def later(client: httpx.AsyncClient, said: Talk, words: str = "See you", send_at: str = "hour",
                **fields: str) -> httpx.Response:
    return await client.post(f"{said.base}/messages", headers=HTMX,
                             data={"type": "text", "text": words, "send_at": send_at, **fields})


async def waiting(said: Talk) -> list[tuple[Any, ...]]:
    return await rows(said.world, said.tenant, "SELECT id, state, text FROM scheduled_message "
                      "WHERE conversation_id = ? ORDER BY send_at", said.id)


async def pass_an_hour(world: World) -> None:
    world.clock.advance(HOUR + MINUTE)
    await sweep(world)


async def test_it_leaves_at_its_moment_in_its_authors_name_and_once(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    answer = await later(alice, said, "See you at ten")
    assert answer.status_code == 200 and "See you at ten" in answer.text and "Scheduled for" in answer.headers[
        "hx-trigger"]
    assert "See you at ten" in (await mo.get(said.base)).text and not said.on_the_phone()
    await sweep(world)
    assert not await said.sent(), "not before its time"
    await pass_an_hour(world)
    await sweep(world)
    (message,) = await said.sent()
    assert (message.text, message.author_name, message.status.value) == ("See you at ten", "Alice", "read")
    assert len(said.on_the_phone()) == 1 and await waiting(said) == []
    actions = [row[0] for row in await rows(world, world.acme, "SELECT action FROM audit_event WHERE action IN "
                                            "('message.scheduled', 'message.queued') ORDER BY sequence")]
    assert actions == ["message.scheduled", "message.queued"]


async def test_the_same_press_twice_is_one_and_in_another_conversation_refused(world: World) -> None:
    alice = await world.session("alice")
    said, other = await talk(world), await talk(world, "And I", name="Olga", phone="+4915112345999")
    for _ in range(2):
        assert (await later(alice, said, "See you at ten", client_id="abc")).status_code == 200
    refused = await later(alice, other, "See you at ten", client_id="abc")
    assert refused.status_code == 422 and "used in another conversation" in refused.text
    assert len(await waiting(said)) == 1 and await waiting(other) == []


async def test_near_moments_need_no_sweep(world: World) -> None:
    said = await talk(world)
    async with world.client(world.acme.key or await world.key(world.acme)) as script:
        made = await script.post("/api/v1/scheduled-messages", json={
            "conversation_id": said.id, "type": "text", "text": {"body": "soon"},
            "send_at": rfc3339(world.clock.now() + 300)})
        assert made.status_code == 201, made.text
    await until(said.on_the_phone)
    assert [message.text for message in await said.sent()] == ["soon"]


async def test_the_window_is_asked_for_the_moment_and_a_template_offered(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    in_two_days = datetime.fromtimestamp((world.clock.now() + 2 * DAY) / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
    refused = await later(alice, said, send_at="", send_at_own=in_two_days)
    assert refused.status_code == 422 and "will be closed by then" in refused.text
    assert "Choose a template" in refused.text and await waiting(said) == []
    await stock_templates(world)
    taken = await alice.post(f"{said.base}/messages", headers=HTMX, data={
        "type": "template", "template_name": "feedback_request", "template_language": "en",
        "body.1": "Maya", "body.name": "Maya", "send_at_own": in_two_days})
    assert taken.status_code == 200, taken.text
    assert [row[1] for row in await waiting(said)] == ["waiting"]


@pytest.mark.parametrize("moment", ["never", "2020-01-01T10:00", "2999-01-01T10:00"])
async def test_a_moment_that_is_none_is_refused(world: World, moment: str) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    answer = await later(alice, said, send_at="", send_at_own=moment)
    assert answer.status_code == 422 and await waiting(said) == [] and await said.sent() == []


async def test_the_rules_are_asked_again_and_the_author_is_told(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    await later(alice, said, "too late")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET window_expires_at = ? WHERE id = ?", tx.now + 3 * MINUTE, said.id)
    await pass_an_hour(world)
    assert [row[1] for row in await waiting(said)] == ["failed"] and not said.on_the_phone()
    page = (await alice.get(said.base)).text
    assert "The 24-hour reply window is closed" in page and "too late" in page
    assert await listed(alice, "mentions") == [said.id] and await listed(mo, "mentions") == []
    scheduled_id = (await waiting(said))[0][0]
    again = await alice.post(f"{said.base}/scheduled/{scheduled_id}/now", headers=HTMX)
    assert again.status_code == 409 and "window is closed" in again.text
    await said.says("I am back")
    assert (await alice.post(f"{said.base}/scheduled/{scheduled_id}/now", headers=HTMX)).status_code == 200
    await world.settle()
    assert [message.text for message in await said.sent()] == ["too late"]


async def test_when_the_customer_writes_first_a_person_is_asked(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    await later(alice, said, "Do you still want it?")
    await said.says("I want it!")
    page = (await alice.get(said.base)).text
    assert "The customer wrote meanwhile" in page, "as soon as they wrote"
    await pass_an_hour(world)
    ((scheduled_id, state, _),) = await waiting(said)
    assert state == "held" and not said.on_the_phone() and await listed(alice, "mentions") == [said.id]
    await sweep(world)
    assert not said.on_the_phone()
    assert (await alice.post(f"{said.base}/scheduled/{scheduled_id}/keep", headers=HTMX)).status_code == 200
    await world.settle()
    assert [message.text for message in await said.sent()] == ["Do you still want it?"] and not await waiting(said)


async def test_said_beforehand_or_in_between_it_leaves_all_the_same(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    await later(alice, said, "one", sends_anyway="1")
    await later(alice, said, "two")
    await said.says("hello?")
    (_, (second, *_)) = await waiting(said)
    await alice.post(f"{said.base}/scheduled/{second}/keep", headers=HTMX)
    assert not await said.sent(), "it keeps its moment"
    await pass_an_hour(world)
    assert sorted(message.text for message in await said.sent()) == ["one", "two"]


async def test_editing_keeps_the_moment_unless_it_is_changed(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    await later(alice, said, "frist")
    ((scheduled_id, *_),) = await waiting(said)
    form = (await alice.get(f"{said.base}/scheduled/{scheduled_id}", headers=HTMX)).text
    own = form.split('name="send_at_own" value="')[1].split('"')[0]
    before = await rows(world, world.acme, "SELECT send_at FROM scheduled_message")
    saved = await alice.post(f"{said.base}/scheduled/{scheduled_id}", headers=HTMX,
                             data={"words": "first", "send_at_own": own})
    assert saved.status_code == 200, saved.text
    assert await rows(world, world.acme, "SELECT send_at FROM scheduled_message") == before
    await alice.post(f"{said.base}/scheduled/{scheduled_id}", headers=HTMX,
                     data={"words": "first", "send_at_own": "2020-01-01T10:00"})
    assert (await waiting(said))[0][2] == "first"
    await pass_an_hour(world)
    assert [message.text for message in await said.sent()] == ["first"]


async def test_cancelled_undone_and_forgotten(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    png = b"\x89PNG\r\n\x1a\n" + b"0" * 100
    sent = await alice.post(f"{said.base}/files", headers=HTMX, data={"caption": "look", "send_at": "evening"},
                            files={"file": ("a.png", png, "image/png")})
    assert sent.status_code == 200, sent.text
    ((scheduled_id, *_),) = await waiting(said)
    ((media_id,),) = await rows(world, world.acme, "SELECT media_id FROM scheduled_message")
    cancelled = await alice.post(f"{said.base}/scheduled/{scheduled_id}/cancel", headers=HTMX)
    assert '"DELETE"' in cancelled.headers["hx-trigger"] and "a.png" not in cancelled.text
    assert "a.png" in (await alice.delete(f"{said.base}/scheduled/{scheduled_id}/cancel", headers=HTMX)).text
    await alice.post(f"{said.base}/scheduled/{scheduled_id}/cancel", headers=HTMX)
    await sweep(world)
    assert [row[1] for row in await waiting(said)] == ["cancelled"]
    async with world.workspace(world.acme) as workspace:
        assert workspace.files.size(media_id) > 0
        await pass_an_hour(world)
        assert await waiting(said) == [] and not await workspace.db.value("SELECT 1 FROM media WHERE id = ?", media_id)
        assert not [path for path in paths(world.data_dir / "workspaces") if media_id in path.name]
    assert not await said.sent()


async def test_who_may_not_answer_any_more_sends_nothing(world: World) -> None:
    kim = await world.session("kim")
    said = await talk(world)
    await later(kim, said, "from Kim")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("DELETE FROM membership WHERE user_id = (SELECT id FROM user WHERE email = 'kim@example.com')")
    await pass_an_hour(world)
    assert [row[1] for row in await waiting(said)] == ["failed"] and not said.on_the_phone()


async def test_two_contacts_that_are_one_keep_what_is_scheduled(world: World) -> None:
    alice = await world.session("alice")
    maya, noor = await talk(world), await talk(world, name="Noor", phone="14155550102")
    await later(alice, noor, "for Noor")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await move_threads(tx, kept=maya.contact_id, gone=noor.contact_id)
    assert [row[2] for row in await waiting(maya)] == ["for Noor"]


async def test_a_form_without_scripts_schedules_and_an_agent_reaches_only_what_is_theirs(world: World) -> None:
    alice, bob = await world.session("alice"), await world.session("bob")
    said = await talk(world)
    plain, token = without_script(world, alice)
    async with plain:
        answer = await plain.post(f"{said.base}/messages", data={"csrf_token": token, "type": "text",
                                                                 "text": "plain words",
                                                                 "send_at": "hour"})
        assert answer.status_code == 303
    ((scheduled_id, *_),) = await waiting(said)
    assert (await bob.post(f"{said.base}/scheduled/{scheduled_id}/now")).status_code == 404
    assert "plain words" not in (await bob.get(said.base)).text, "in the queue an agent sees the first lines only"
    charlie = await world.session("charlie")
    assert (await charlie.get(f"{said.base}/scheduled/{scheduled_id}")).status_code == 404


async def test_scripts_schedule_change_and_cancel(world: World) -> None:
    said = await talk(world)
    async with world.client(await world.key(world.acme)) as script:
        at = rfc3339(world.clock.now() + HOUR)
        body = {"conversation_id": said.id, "type": "text", "text": {"body": "hello"}, "send_at": at}
        wrong = await script.post("/api/v1/scheduled-messages", json=body | {"send_at": "tomorrow"})
        assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "send_at"
        made = (await script.post("/api/v1/scheduled-messages", json=body)).json()
        assert (made["state"], made["text"], made["content"]) == ("waiting", "hello", {"body": "hello"})
        path = f"/api/v1/scheduled-messages/{made['id']}"
        changed = await script.patch(path, json={"message": {"type": "text", "text": {"body": "good day"}}})
        assert changed.json()["text"] == "good day" and changed.json()["send_at"] == made["send_at"]
        assert [one["id"] for one in (await script.get("/api/v1/scheduled-messages")).json()["items"]] == [made["id"]]
        second = (await script.post("/api/v1/scheduled-messages", json=body)).json()
        assert (await script.delete(f"/api/v1/scheduled-messages/{second['id']}")).status_code == 204
        sent = await script.post(f"{path}/send")
        assert sent.status_code == 202 and sent.json()["text"] == "good day"
        assert (await script.get(path)).status_code == 404
    await world.settle()
    assert len(said.on_the_phone()) == 1


async def test_undo_takes_a_message_back_before_anything_left(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    assert (await alice.post("/w/acme/undo-time", data={"seconds": "7"}, headers=HTMX)).status_code == 422
    assert 'value="30" aria-pressed="true"' in (await alice.post("/w/acme/undo-time", data={"seconds": "30"},
                                                                 headers=HTMX)).text
    answer = await alice.post(f"{said.base}/messages", data={"type": "text", "text": "oops"}, headers=HTMX)
    assert "data-undo-send" in answer.text
    await world.settle()
    (message,) = await said.sent()
    assert message.status.value == "queued" and not said.on_the_phone()
    assert await listed(alice, "waiting") == []
    taken = await alice.post(f"{said.base}/messages/{message.id}/undo", headers=HTMX)
    assert taken.json()["text"] == "oops" and await said.sent() == []
    assert await listed(alice, "waiting") == [said.id], "nobody has answered after all"
    world.clock.advance(MINUTE)
    await sweep(world)
    assert not said.on_the_phone()


async def test_after_its_seconds_it_leaves_and_cannot_be_undone(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    await alice.post("/w/acme/undo-time", data={"seconds": "5"}, headers=HTMX)
    await alice.post(f"{said.base}/messages", data={"type": "text", "text": "one"})
    await alice.post(f"{said.base}/messages", data={"type": "text", "text": "two"})
    world.clock.advance(6_000)
    await sweep(world)
    assert [(message.text, message.status.value) for message in await said.sent()] == [("one", "read"), ("two", "read")]
    late = await alice.post(f"{said.base}/messages/{(await said.sent())[0].id}/undo", headers=HTMX)
    assert late.status_code == 409 and len(await said.sent()) == 2
    mo = await world.session("mo")
    await said.reply(mo, "at once")
    assert len(said.on_the_phone()) == 3, "everybody chooses for themselves"


async def test_a_script_may_put_another_file_into_it(world: World) -> None:
    said = await talk(world)
    picture = sample("image").content
    async with world.client(await world.key(world.acme)) as script:
        made = await script.post("/api/v1/scheduled-messages", json={
            "conversation_id": said.id, "type": "text", "text": {"body": "without a picture"},
            "send_at": rfc3339(world.clock.now() + HOUR)})
        stored = (await script.post("/api/v1/media", files={"file": ("mug.png", picture, "image/png")})).json()
        question = (await said.messages("direction = 'in'"))[0]
        changed = await script.patch(f"/api/v1/scheduled-messages/{made.json()['id']}", json={"message": {
            "type": "image", "image": {"id": stored["id"], "caption": "with one"},
            "context": {"message_id": question.id}}})
        assert changed.status_code == 200 and changed.json()["media_id"] == stored["id"], changed.text
    await pass_an_hour(world)
    (arrived,) = said.on_the_phone()
    assert arrived.type == "image" and arrived.quoted == question.wamid
    assert world.simulator.world.media[arrived.content["id"]].content == picture
