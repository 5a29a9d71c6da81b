"""Asking how it was: when, when not and why not; what counts as an answer; what the report makes of it."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from chime.clock import DAY, HOUR, MINUTE, SECOND
from tests.http.inbox_setup import Talk, rows, stock_templates, talk
from tests.http.people_setup import id_of
from tests.http.service_setup import PAGE, asks, events, sweep
from tests.support.world import World

REASONS = {"window_closed": "the reply window is closed and no template is chosen", "recent": "asked 0 days ago",
           "opted_out": "the customer opted out"}


async def resolve(said: Talk, client: httpx.AsyncClient) -> None:
    """And let the question leave."""
    assert (await client.post(f"{said.base}/closure")).status_code == 303
    said.world.clock.advance(30 * SECOND)
    await sweep(said.world)


def questions(said: Talk) -> list[Any]:
    return [message for message in said.on_the_phone() if message.type == "interactive"]


async def taps(said: Talk, score: int) -> None:
    """On the newest list they got."""
    (satisfaction_id,), = await rows(said.world, said.tenant, "SELECT id FROM satisfaction WHERE conversation_id = ? "
                                     "ORDER BY closed_at DESC LIMIT 1", said.id)
    row = {"id": f"csat:{satisfaction_id}:{score}", "title": f"{score} stars"}
    assert row["id"] in str(questions(said)[-1].content)
    await said.says({"type": "interactive", "interactive": {
        "type": "list_reply", "list_reply": row}})


async def kept(world: World) -> list[tuple[Any, ...]]:
    return await rows(world, world.acme, "SELECT reason, score, comment_id IS NOT NULL FROM satisfaction "
                      "ORDER BY closed_at")


async def test_a_number_that_does_not_ask_asks_nobody(world: World) -> None:
    said = await talk(world)
    await resolve(said, await world.session("alice"))
    assert questions(said) == [] and await kept(world) == []


async def test_a_tap_is_the_rating_and_reopens_nothing(world: World) -> None:
    alice = await world.session("alice")
    assert (await asks(world, alice, thanks="Thank you!")).status_code == 303
    said = await talk(world)
    await resolve(said, alice)
    await sweep(world)
    assert len(questions(said)) == 1, "once"
    await taps(said, 4)
    found = await said.conversation()
    assert (found.state, found.unread_count, found.waiting_since) == ("closed", 1, None)
    assert await kept(world) == [("", 4, 0)]
    assert "Thank you!" in str(said.on_the_phone()[-1].content)
    assert "rated this conversation 4 of 5" in (await alice.get(said.base)).text
    await taps(said, 2)
    assert await kept(world) == [("", 2, 0)], "they may think better of it"
    assert sum("Thank you!" in str(message.content) for message in said.on_the_phone()) == 1
    actions = [row[0] for row in await rows(world, world.acme, "SELECT action FROM audit_event WHERE object_id = ? "
                                            "AND (action LIKE 'satisf%' OR action LIKE '%rated')", said.id)]
    assert actions == ["satisfaction.asked", "conversation.rated", "conversation.rated"]


async def test_a_bare_digit_as_the_next_message_and_then_a_comment(world: World) -> None:
    alice = await world.session("alice")
    await asks(world, alice)
    said = await talk(world)
    await resolve(said, alice)
    await said.says(" 5 ")
    assert (await said.conversation()).state == "closed" and await kept(world) == [("", 5, 0)]
    world.clock.advance(MINUTE)
    await said.says("Quick and kind.")
    assert (await said.conversation()).state == "open", "words want a reader"
    await said.says("And cheap.")
    assert await kept(world) == [("", 5, 1)]
    page = (await alice.get("/w/acme/reports/service")).text
    assert "Quick and kind." in page and "And cheap." not in page


@pytest.mark.parametrize("text", ["6", "5 boxes please", "0"])
async def test_other_words_are_no_rating(world: World, text: str) -> None:
    alice = await world.session("alice")
    await asks(world, alice)
    said = await talk(world)
    await resolve(said, alice)
    await said.says(text)
    assert (await said.conversation()).state == "open" and await kept(world) == [("", None, 0)]
    await said.says("5")
    assert await kept(world) == [("", None, 0)], "a digit later is about something else"


async def test_a_digit_a_day_later_or_without_a_question_is_a_message(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    await resolve(said, alice)
    await said.says("5")
    assert (await said.conversation()).state == "open"
    await asks(world, alice)
    await resolve(said, alice)
    world.clock.advance(DAY + HOUR)
    await said.says("5")
    assert (await said.conversation()).state == "open" and await kept(world) == [("", None, 0)]


async def test_somebody_elses_tap_counts_for_nothing(world: World) -> None:
    alice = await world.session("alice")
    await asks(world, alice)
    said, other = await talk(world), await talk(world, name="Noor", phone="14155550102")
    await resolve(said, alice)
    row_id = f"csat:{(await rows(world, world.acme, 'SELECT id FROM satisfaction'))[0][0]}:1"
    await other.says({"type": "interactive", "interactive": {
        "type": "list_reply", "list_reply": {"id": row_id, "title": "1"}}})
    assert await kept(world) == [("", None, 0)]


async def test_undone_in_time_nobody_is_asked(world: World) -> None:
    alice = await world.session("alice")
    await asks(world, alice)
    said = await talk(world)
    await alice.post(f"{said.base}/closure")
    await alice.delete(f"{said.base}/closure", headers={"HX-Request": "true"})
    world.clock.advance(MINUTE)
    await sweep(world)
    assert questions(said) == [] and await kept(world) == []


async def test_why_not_stands_in_the_thread(world: World) -> None:
    alice = await world.session("alice")
    await asks(world, alice)
    said = await talk(world)
    await resolve(said, alice)
    await said.says("one more question")
    await resolve(said, alice)
    world.clock.advance(2 * DAY)
    other = await talk(world, name="Noor", phone="14155550102")
    world.clock.advance(DAY + HOUR)
    await resolve(other, alice)
    third = await talk(world, name="Ann", phone="14155550103")
    await third.says("stop")
    await resolve(third, alice)
    assert [await events(world, one.id, "satisfaction_not_asked") for one in (said, other, third)] == [
        [{"reason": "recent", "days": 0}], [{"reason": "window_closed"}], [{"reason": "opted_out"}]]
    for one, reason in ((said, "recent"), (other, "window_closed"), (third, "opted_out")):
        assert f"Not asked how it was: {REASONS[reason]}" in (await alice.get(one.base)).text
        assert len(questions(one)) == (one is said)


async def test_a_chosen_template_asks_when_the_window_is_closed(world: World) -> None:
    alice = await world.session("alice")
    await stock_templates(world)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute(
            "INSERT INTO message_template (id, meta_template_id, waba_id, name, language, category, status, "
            "components_json, synced_at) VALUES ('t', '990001', ?, 'how_was_it', 'en', 'UTILITY', 'APPROVED', ?, 0)",
            world.acme.number.waba_id, '[{"type": "BODY", "text": "How was it? Answer 1 to 5."}]')
    assert (await asks(world, alice, template="order_update/en")).status_code == 422, "it has something to fill in"
    assert (await asks(world, alice, template="how_was_it/en")).status_code == 303
    said = await talk(world)
    world.clock.advance(2 * DAY)
    await resolve(said, alice)
    sent = await said.sent()
    assert [(one.type, one.origin.value) for one in sent] == [("template", "automatic")]
    assert await rows(world, world.acme, "SELECT reason, asked_at IS NOT NULL FROM satisfaction") == [("", 1)]


async def test_the_report_by_person_and_as_csv(world: World) -> None:
    alice = await world.session("alice")
    await asks(world, alice)
    bob = await id_of(world, "bob")
    for number, score in enumerate((5, 4, 1)):
        said = await talk(world, name=f"Customer {number}", phone=f"1415555030{number}")
        if number:
            await alice.post(f"{said.base}/assignment", data={"assignee_id": bob})
        await resolve(said, alice)
        await taps(said, score)
    page = (await alice.get("/w/acme/reports/service")).text
    assert "<dd>3.3</dd>" in page
    assert '<th scope="row">Bob</th><td class="num">2.5</td><td class="num">2</td>' in page
    found = await alice.get("/w/acme/reports/service/ratings")
    table = list(csv.DictReader(io.StringIO(found.text)))
    assert [(row["agent"], row["score"]) for row in table] == [("", "5"), ("Bob", "4"), ("Bob", "1")]
    async with world.client(await world.key(world.acme, "service:read")) as script:
        first = (await script.get("/api/v1/service/ratings", params={"limit": "2"})).json()
        rest = (await script.get("/api/v1/service/ratings", params={
            "limit": "2", "cursor": first["next_cursor"]})).json()
        assert [one["score"] for one in first["items"] + rest["items"]] == [5, 4, 1]
        assert {one["conversation_id"] for one in first["items"]} == {None}, "this key sees no conversations"


async def test_whoever_may_not_read_a_conversation_reads_no_comment(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    await asks(world, alice)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('north', ?, 'North', 0)",
                         world.acme.workspace_id)
    said = await talk(world)
    await alice.post(f"{said.base}/assignment", data={"team_id": "north"}, headers={"HX-Request": "true"})
    await resolve(said, alice)
    await taps(said, 1)
    await said.says("Never again.")
    path = "/w/acme/reports/service"
    for where in (path, f"{path}/ratings"):
        assert "Never again." in (await alice.get(where)).text
    for text in ((await mo.get(path)).text, (await mo.get(f"{path}/ratings")).text):
        assert "Never again." not in text and said.id not in text
    assert "<dd>1.0</dd>" in (await mo.get(path)).text


@pytest.mark.parametrize("fields", [{"question": ""}, {"every_days": "x"}, {"every_days": "999"},
                                    {"template": "nothing/en"}, {"thanks": "x" * 1001}])
async def test_a_question_that_cannot_be_asked_is_refused(world: World, fields: dict[str, str]) -> None:
    alice = await world.session("alice")
    answer = await asks(world, alice, **fields)
    assert answer.status_code == 422 and 'aria-invalid="true"' in answer.text
    assert await rows(world, world.acme, "SELECT count(*) FROM satisfaction_setting") == [(0,)]


async def test_scripts_set_the_question(world: World) -> None:
    async with world.client(await world.key(world.acme)) as script:
        path = f"/api/v1/service/questions/{world.acme.channel_id}"
        assert (await script.get(path)).json()["is_on"] is False
        body = {"is_on": True, "question": "How was it?"}
        assert (await script.put(path, json=body)).json()["question"] == "How was it?"
        assert (await script.put(path, json=body | {"every_days": 400})).status_code == 422
        assert (await script.get("/api/v1/service/questions/nothing")).status_code == 404
        assert "How was it?" in (await (await world.session("alice")).get(PAGE)).text
