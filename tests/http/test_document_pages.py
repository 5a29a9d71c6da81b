"""How long a document is: counted once it is stored, told in its bubble, in the contact's files and to scripts."""

from __future__ import annotations

from chime.simulator.sample_media import pdf
from tests.http.inbox_setup import rows, talk
from tests.http.test_media import bubble, sends
from tests.http.test_outbound_files import attach
from tests.support.world import World

THREE = pdf("Menu").replace(b"/Count 1", b"/Count 3")


async def test_what_comes_and_what_goes_tells_its_pages(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    came = await sends(maya, "document", THREE, "application/pdf", "menu.pdf")
    assert "3 pages" in await bubble(maya, kim, (await maya.messages("id = ?", came.id))[0])
    await attach(maya, kim, "receipt.pdf", pdf("Receipt"), "application/pdf")
    sent = (await maya.sent())[-1]
    assert "one page" in await bubble(maya, kim, sent)
    files = await kim.get(f"/w/acme/contacts/{maya.contact_id}/files?tab=documents")
    assert "3 pages" in files.text and "one page" in files.text
    async with world.client(await world.key(world.acme)) as script:
        told = (await script.get(f"/api/v1/messages/{sent.id}")).json()
        assert told["media"]["pages"] == 1
        shared = (await script.get(f"/api/v1/contacts/{maya.contact_id}/files", params={"kind": "document"})).json()
        assert [one["pages"] for one in shared["items"]] == [1, 3]


async def test_a_file_that_does_not_tell_is_looked_at_once(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    came = await sends(maya, "document", b"%PDF-1.7 broken", "application/pdf", "menu.pdf")
    text = await bubble(maya, kim, came)
    assert "menu.pdf" in text and "page" not in text.partition("menu.pdf")[2].partition("</a>")[0]
    assert await rows(world, world.acme, "SELECT pages FROM media") == [(0,)]


async def test_what_was_there_before_is_counted_by_the_sweep(world: World) -> None:
    maya = await talk(world)
    await sends(maya, "document", THREE, "application/pdf", "menu.pdf")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE media SET pages = NULL")
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    assert await rows(world, world.acme, "SELECT pages FROM media") == [(3,)]
