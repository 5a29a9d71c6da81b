"""Tags of conversations: put on and taken off, shown, kept by a merge, gone with an erasure."""

from __future__ import annotations

from chime.exports import subject
from chime.inbox.actions import move_threads
from tests.http.inbox_setup import rows, talk
from tests.http.test_queues import audited, events_of
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def test_put_on_and_taken_off(world: World) -> None:
    alice, said = await world.session("alice"), await talk(world)
    answer = await alice.post(f"{said.base}/tags", data={"name": "  Late   delivery "}, headers=HTMX)
    assert answer.status_code == 200 and "Late delivery" in answer.text and 'hx-target="#thread-header"' in answer.text
    await alice.post(f"{said.base}/tags", data={"name": "late DELIVERY"}, headers=HTMX)
    (tag_id,), = await rows(world, world.acme, "SELECT id FROM thread_tag")
    assert await events_of(world, said.id) == ["tagged"], "a tag is the same in small letters, and put on once"
    page = (await alice.get(said.base)).text
    assert page.count("Late delivery") >= 3, "in the row, in the header, in the thread"
    await alice.post(f"{said.base}/tags", data={"remove": tag_id})
    await alice.post(f"{said.base}/tags", data={"tag_id": tag_id}, headers=HTMX)
    assert (await alice.delete(f"{said.base}/tags/{tag_id}", headers=HTMX)).status_code == 200
    assert await events_of(world, said.id) == ["tagged", "untagged", "tagged", "untagged"]
    assert await audited(world, said.id) == ["conversation.tagged", "conversation.untagged"] * 2


async def test_what_is_no_tag_is_refused(world: World) -> None:
    alice, said = await world.session("alice"), await talk(world)
    for name in (" ", "x" * 41):
        answer = await alice.post(f"{said.base}/tags", data={"name": name}, headers=HTMX)
        assert answer.status_code == 422 and "1 to 40 characters" in answer.text
    assert (await alice.post(f"{said.base}/tags", data={"tag_id": "nothing"}, headers=HTMX)).status_code == 404
    for number in range(20):
        await alice.post(f"{said.base}/tags", data={"name": f"tag {number}"}, headers=HTMX)
    answer = await alice.post(f"{said.base}/tags", data={"name": "one more"}, headers=HTMX)
    assert answer.status_code == 422 and "at most 20 tags" in answer.text
    assert await rows(world, world.acme, "SELECT count(*) FROM thread_tag") == [(20,)], "nothing half done"


async def test_who_may_not_answer_may_not_tag(world: World) -> None:
    vera, bob, said = await world.session("vera"), await world.session("bob"), await talk(world)
    assert (await vera.post(f"{said.base}/tags", data={"name": "x"})).status_code == 403
    assert (await bob.post(f"{said.base}/tags", data={"name": "x"})).status_code == 404, "it waits in the queue"
    assert "tag-tool" not in (await vera.get(said.base)).text


async def test_two_threads_that_become_one_have_the_tags_of_both(world: World) -> None:
    alice = await world.session("alice")
    maya, noor = await talk(world), await talk(world, name="Noor", phone="14155550102")
    for one, name in ((maya, "both"), (noor, "both"), (noor, "hers")):
        await alice.post(f"{one.base}/tags", data={"name": name}, headers=HTMX)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await move_threads(tx, kept=maya.contact_id, gone=noor.contact_id)
    found = await rows(world, world.acme, "SELECT conversation_id, name FROM conversation_tag JOIN thread_tag "
                       "ON thread_tag.id = tag_id ORDER BY name")
    assert found == [(maya.id, "both"), (maya.id, "hers")]


async def test_a_person_gets_them_with_their_data(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    await alice.post(f"{maya.base}/tags", data={"name": "complaint"}, headers=HTMX)
    async with world.workspace(world.acme) as workspace:
        told = await subject._about(workspace.db, maya.contact_id, masked=False)
    assert told["conversation_tags"] == ["complaint"]
