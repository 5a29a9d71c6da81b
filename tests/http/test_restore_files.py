"""The stored files of a restored state: all that its rows name, and none besides. What the shelf keeps of a forgotten
person for its five weeks comes back into no folder."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from chime.backups import Backups, Shelf
from chime.backups.media import keep_media
from chime.clock import DAY, Clock
from chime.restores import restorer as restorers
from chime.restores.box import restore_box
from chime.restores.unnamed import NAMED, remove_unnamed
from chime.workspaces.registry import workspace_folder
from tests.http.inbox_setup import rows, talk
from tests.http.restore_setup import Then, then
from tests.http.test_erasure import a_person, forgotten
from tests.http.test_quick_replies import PAPER, PICTURE, made
from tests.support.world import MASTER_KEY, NEVER, World, running_world

SQL_OF_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%sha256 TEXT%' ORDER BY name"


@pytest.fixture(autouse=True)
def the_appliance_leaves_restores_to_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restorers, "LOOK_EVERY", NEVER)


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "media").glob("*/*")}


def live(world: World) -> Path:
    return workspace_folder(world.data_dir, world.acme.workspace_id)


def lays_all_of(earlier: Path, moment: Then) -> None:
    """As from the shelf, which still has what is gone."""
    shutil.copytree(earlier / "media", moment.folder / "media", dirs_exist_ok=True)


async def test_a_forgotten_persons_files_do_not_come_back(world: World, tmp_path: Path) -> None:
    await made(world, "mo", code="own", scope="personal", text="", files=[("files", PICTURE), ("files", PAPER)])
    stays, doomed = await a_person(world, 1), await a_person(world, 2)
    await world.settle()
    earlier = await then(world, tmp_path / "earlier")
    before = names(live(world))
    await forgotten(world, doomed.contact_id)
    kept = names(live(world))
    assert kept < before
    after = await then(world, tmp_path / "after")
    lays_all_of(earlier.folder, after)
    for moment in (after, earlier):
        copy = await moment.copy(f"Acme {moment.at}")
        assert names(workspace_folder(world.data_dir, copy.id)) == kept, "what is named is there, and nothing else"
        await moment.take_over(copy)
        assert names(live(world)) == kept
    named = await rows(world, world.acme, "SELECT id FROM media WHERE state = 'ready' UNION ALL "
                       "SELECT id FROM quick_reply_file")
    assert {row[0] for row in named} == kept
    assert await rows(world, world.acme, "SELECT 1 FROM message JOIN media ON media.id = media_id "
                      "WHERE conversation_id = ?", stays.id)
    async with world.workspace(world.acme) as workspace:
        for file_id in kept:
            assert b"".join([part async for part in workspace.files.read(file_id)])


async def test_the_replaced_states_files_are_in_the_copy_and_come_back_with_it(world: World, tmp_path: Path) -> None:
    maya = await talk(world)
    moment = await then(world, tmp_path / "then")
    await maya.says({"type": "image", "image": {"caption": "after the moment"}})
    since = names(live(world))
    assert len(since) == 1
    copy = await moment.copy()
    await moment.take_over(copy)
    assert since <= names(workspace_folder(world.data_dir, copy.id)) and not since & names(live(world))
    await moment.take_over(copy)
    assert since <= names(live(world))


async def test_what_chime_took_away_itself_is_not_counted_as_named(world: World) -> None:
    """Old files go in time and leave their row; one that waits to be dropped may be asked back for some seconds."""
    maya = await talk(world, {"type": "image", "image": {"caption": "old"}})
    await maya.says({"type": "image", "image": {"caption": "unsent"}})
    found = [row[0] for row in await rows(world, world.acme, "SELECT id FROM media ORDER BY created_at, id")]
    async with world.workspace(world.acme) as workspace:
        async with workspace.ingest("test") as tx:
            for file_id, trouble in zip(found, ("kept_long_enough", "unsent"), strict=True):
                await tx.execute("UPDATE media SET state = 'failed', trouble = ? WHERE id = ?", trouble, file_id)
        assert await remove_unnamed(workspace) == 1
    assert names(live(world)) == {found[1]}


async def test_every_table_with_files_is_asked(world: World) -> None:
    """A stored file has a row with its hash: a table that is new here has to be asked too, before files go."""
    tables = [row[0] for row in await rows(world, world.acme, SQL_OF_TABLES)]
    assert tables == ["media", "quick_reply_file"]
    assert all(f"FROM {table} " in NAMED for table in tables)


async def _backed_up(world: World) -> Shelf:
    backups: Backups = world.app.state.backups
    assert await backups.once() == ""
    keep_media(backups.shelf, live(world), world.acme.workspace_id, Clock().real_now(), 35 * DAY)
    return backups.shelf


def test_nor_do_they_on_a_new_machine(installation: Path, tmp_path: Path) -> None:
    data, new = tmp_path / "data", tmp_path / "new"

    async def lived_in() -> tuple[str, set[str], set[str], Path]:
        async with running_world(installation, data) as world:
            await made(world, "mo", code="own", scope="personal", text="", files=[("files", PICTURE)])
            await a_person(world, 1)
            person = await a_person(world, 2)
            await world.settle()
            before = names(live(world))
            await _backed_up(world)
            await forgotten(world, person.contact_id)
            shelf = await _backed_up(world)
            assert before <= names(shelf.owner(world.acme.workspace_id)), "the shelf keeps them for a while"
            return world.acme.workspace_id, before, names(live(world)), shelf.folder

    workspace_id, before, kept, source = asyncio.run(lived_in())
    assert kept < before
    asyncio.run(restore_box(new, source, (MASTER_KEY,), lambda said: None))
    assert names(workspace_folder(new, workspace_id)) == kept
