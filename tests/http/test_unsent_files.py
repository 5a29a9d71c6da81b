"""Files that belong to nobody's conversation any more, or not yet: they go with a person, come with their data, and lie
about for nobody."""

from __future__ import annotations

import io
import json
import zipfile

from chime.clock import HOUR, MINUTE, rfc3339
from chime.simulator.sample_media import sample
from tests.http.data_setup import fetch, newest
from tests.http.inbox_setup import rows, talk
from tests.http.test_erasure import forgotten
from tests.http.test_media import stored_files
from tests.http.test_outbound_files import attach
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def test_the_file_of_a_send_that_was_undone_goes_a_little_later(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    await kim.post("/w/acme/undo-time", data={"seconds": "30"}, headers=HTMX)
    await attach(maya, kim, "plan.txt", b"a plan", "text/plain")
    sent = (await maya.sent())[-1]
    undone = await kim.post(f"{maya.base}/messages/{sent.id}/undo", headers=HTMX)
    assert undone.status_code == 200 and undone.json()["mime_type"] == "text/plain"
    assert len(stored_files(world)) == 1, "the browser may still be fetching it"
    world.clock.advance(11 * MINUTE)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    assert stored_files(world) == [] and await rows(world, world.acme, "SELECT 1 FROM media") == []


async def test_files_for_later_come_with_a_persons_data(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    await maya.says({"type": "image", "image": {}})
    await attach(maya, alice, "plan.txt", b"a plan for later", "text/plain", send_at="hour")
    assert (await alice.post(f"/w/acme/contacts/{maya.contact_id}/export")).status_code == 303
    await world.settle()
    whole = await fetch(world, "alice", await newest(world))
    with zipfile.ZipFile(io.BytesIO(whole.content)) as found:
        names = [name for name in found.namelist() if name.startswith("files/")]
        about = json.loads(found.read("contact.json"))
        later_one = next(name for name in names if name.endswith("plan.txt"))
        assert len(names) == 2 and found.read(later_one) == b"a plan for later"
    assert about["scheduled_messages"][0]["file"] in later_one


async def test_a_file_that_somebody_else_gets_later_too_stays(world: World) -> None:
    maya, ravi = await talk(world), await talk(world, name="Ravi", phone="14155550102")
    async with world.client(await world.key(world.acme)) as script:
        form = {"file": ("mug.png", sample("image").content, "image/png")}
        media_id = (await script.post("/api/v1/media", files=form)).json()["id"]
        at = rfc3339(world.clock.now() + HOUR)
        for one in (maya, ravi):
            made = await script.post("/api/v1/scheduled-messages", json={
                "conversation_id": one.id, "send_at": at, "type": "image", "image": {"id": media_id}})
            assert made.status_code == 201, made.text
    await forgotten(world, maya.contact_id)
    assert [path.name for path in stored_files(world)] == [media_id]
    world.clock.advance(2 * HOUR)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    assert [message.type for message in await ravi.sent()] == ["image"]
