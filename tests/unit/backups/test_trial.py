"""A backup that can be laid is not yet a good one: its audit trail is what was signed, and its stored files open."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chime.audit import installation_trail, sign, trail_of
from chime.backup_commands import drilled, verified
from chime.backups import CONTROL, Backups, lay_control, lay_workspace, listing
from chime.backups import loop as backup_loop
from chime.backups.follower import FileFollower
from chime.backups.shelf import control_proofs, workspace_proofs
from chime.clock import DAY, HOUR
from chime.db import DatabaseFile, Key, open_connection
from chime.doctor.ground import Ground
from chime.doctor.machinery import backups as checked_by_doctor
from chime.doctor.model import Check as DoctorCheck
from chime.ids import Ids
from chime.inbox import queries as inbox_queries
from chime.restores import trial
from chime.workspaces import Space
from tests.support.world import MASTER_KEY, World
from tests.unit.backups.test_loop import _metrics as metrics
from tests.unit.backups.test_whole_way import note

FILES = {f"0000000000000000000000fi{number:02}": os.urandom(size)
         for number, size in enumerate((1, 500, 64 * 1024, 200_000))}
TAMPER = "UPDATE audit_event SET actor_name = 'Mallory' WHERE sequence = 2"
FORGE_TRIGGER = "audit_event_is_never_changed"


@pytest.fixture(autouse=True)
def the_test_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing looks after the shelf by itself."""
    monkeypatch.setattr(backup_loop, "LOOK_EVERY", 3_600.0)


def _tampered(path: Path, key: Key) -> None:
    """As somebody would who has the key: the trigger is put back, and SQLite finds nothing."""
    connection = open_connection(path, key, writes=True)
    try:
        trigger = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (FORGE_TRIGGER,)).fetchone()[0]
        connection.execute(f"DROP TRIGGER {FORGE_TRIGGER}")
        assert connection.execute(TAMPER).rowcount == 1
        connection.execute(trigger)
    finally:
        connection.close()


async def _put_on_shelf(world: World, owner: str, path: Path, key: Key, proofs: Any) -> None:
    """The newest state on the shelf is this one now, as if the backup had kept it: every piece is proven ours."""
    file = await DatabaseFile.open(path, key)
    place = world.app.state.backups.shelf.place(owner, path.name)
    follower = FileFollower(file, place, lambda: proofs, world.clock, Ids(), Space(path.parent, reserve=0))
    assert await asyncio.to_thread(follower.look)
    await asyncio.to_thread(follower.let_go)
    await file.close()


def _reason(world: World, owner: str) -> str:
    return str(world.app.state.backups.shelf.result(owner).reason)


async def _doctor(world: World) -> list[DoctorCheck]:
    services = world.services
    return await checked_by_doctor(Ground(services.config, services.control, services.registry, world.clock,
                                          services.ids, services.graph))


async def _is_told(world: World, owner: str, words: str) -> None:
    """Where people and monitors look."""
    backups: Backups = world.app.state.backups
    assert words in _reason(world, owner)
    assert words in backups.state().trouble and owner in backups.state().trouble
    assert (await metrics(world))["chime_backup_trouble"] == 1
    (found, *_) = await _doctor(world)
    assert found.state == "fail" and words in str(found.values), found
    if owner != CONTROL:
        item = next(item for item in listing(backups.shelf) if item.workspace_id == owner)
        assert words in item.reason
        assert words in (await (await world.session("alice")).get("/w/acme/settings/backups")).text


async def test_a_tampered_audit_row_in_a_backup(world: World, tmp_path: Path) -> None:
    backups: Backups = world.app.state.backups
    acme = world.acme.workspace_id
    await note(world, "one")
    async with world.workspace(world.acme) as workspace:
        await sign(trail_of(workspace, world.services.control))
        keys = workspace.keys
    await backups.once()
    assert (await backups.check(acme)).ok and backups.state().trouble == ""
    laid = await asyncio.to_thread(lay_workspace, backups.shelf, acme, keys, at=None, target=tmp_path / "laid")
    await asyncio.to_thread(_tampered, laid.folder / "workspace.db", laid.workspace_key)
    await _put_on_shelf(world, acme, laid.folder / "workspace.db", laid.workspace_key, workspace_proofs(keys))
    again = await asyncio.to_thread(lay_workspace, backups.shelf, acme, keys, at=None, target=tmp_path / "again")
    assert again.bytes, "to SQLite there is nothing wrong with it"
    checked = await backups.check(acme)
    assert not checked.ok and "audit trail does not verify from row 2 on" in checked.reason
    await _is_told(world, acme, "audit trail")
    assert [one.ok for one in await drilled(world.services.config)] == [True, False, True]
    assert not (await verified(world.services.config, "Acme"))[0].ok


async def test_a_tampered_row_of_the_installation(world: World, tmp_path: Path) -> None:
    backups: Backups = world.app.state.backups
    await sign(installation_trail(world.services.control))
    await backups.once()
    assert (await backups.check(CONTROL)).ok
    masters = [MASTER_KEY]
    laid = await asyncio.to_thread(lay_control, backups.shelf, masters, at=None, target=tmp_path / "laid")
    await asyncio.to_thread(_tampered, laid.folder / "control.db", laid.control_key)
    await _put_on_shelf(world, CONTROL, laid.folder / "control.db", laid.control_key,
                        control_proofs(world.services.control.keys))
    assert not (await backups.check(CONTROL)).ok
    await _is_told(world, CONTROL, "audit trail")


async def test_what_was_signed_since_is_not_held_against_a_backup(world: World) -> None:
    backups: Backups = world.app.state.backups
    await note(world, "one")
    await backups.once()
    async with world.workspace(world.acme) as workspace:
        await note(world, "after the backup")
        await sign(trail_of(workspace, world.services.control))
    assert (await backups.check(world.acme.workspace_id)).ok


async def _stored(world: World) -> Path:
    """Files with their rows, older than what is on its way to the shelf. Where the shelf keeps them."""
    async with world.workspace(world.acme) as workspace:
        for file_id, content in FILES.items():
            async def pieces(content: bytes = content) -> Any:
                yield content

            await workspace.files.write(file_id, pieces())
            live = workspace.folder / "media" / file_id[-2:] / file_id
            os.utime(live, (live.stat().st_atime, live.stat().st_mtime - 3_600))
            async with workspace.ingest("test") as tx:
                await tx.execute(
                    "INSERT INTO media (id, channel_id, direction, kind, mime_type, sha256, size, state, created_at) "
                    "VALUES (?, ?, 'out', 'document', 'text/plain', ?, ?, 'ready', ?)", file_id,
                    world.acme.channel_id, hashlib.sha256(content).hexdigest(), len(content), tx.now)
            assert await inbox_queries.media(workspace.db, file_id) is not None
    backups: Backups = world.app.state.backups
    await backups.once()
    kept = backups.shelf.owner(world.acme.workspace_id) / "media"
    assert len([path for path in kept.rglob("*") if path.is_file()]) == len(FILES)
    assert (await backups.check(world.acme.workspace_id)).ok
    return kept


def _rewritten(path: Path, content: bytes) -> None:
    """Another file under the same name, the workspace's own as it was: disks do such things."""
    stamp = path.stat()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def _changed_byte(path: Path, kept: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    _rewritten(path, bytes(content))


def _cut_by_a_piece(path: Path, kept: Path) -> None:
    _rewritten(path, path.read_bytes()[:64 * 1024])


def _emptied(path: Path, kept: Path) -> None:
    _rewritten(path, b"")


def _anothers(path: Path, kept: Path) -> None:
    other = next(one for one in sorted(kept.rglob("*")) if one.is_file() and one.name != path.name)
    _rewritten(path, other.read_bytes())


def _removed(path: Path, kept: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(("harm", "words"), [
    (_changed_byte, "do not open"), (_cut_by_a_piece, "do not open"), (_emptied, "do not open"),
    (_anothers, "do not open"), (_removed, "1 of 4 stored files are missing")])
async def test_a_stored_file_that_was_damaged_on_the_shelf(world: World, harm: Callable[[Path, Path], None],
                                                           words: str) -> None:
    kept = await _stored(world)
    backups: Backups = world.app.state.backups
    acme = world.acme.workspace_id
    path = next(path for path in kept.rglob("*03") if path.is_file())
    whole = path.read_bytes()
    harm(path, kept)
    checked = await backups.check(acme)
    assert not checked.ok and words in checked.reason
    await _is_told(world, acme, words)
    assert [one.ok for one in await drilled(world.services.config)] == [True, False, True]
    path.unlink(missing_ok=True)
    path.write_bytes(whole)
    assert (await backups.check(acme)).ok
    assert backups.state().trouble == "" and (await metrics(world))["chime_backup_trouble"] == 0


async def test_a_missing_file_comes_back_by_itself(world: World) -> None:
    """Found missing, it is looked for in the workspace, whatever was known of the folder."""
    kept = await _stored(world)
    backups: Backups = world.app.state.backups
    (path,) = kept.rglob("*03/*03")
    world.clock.pass_time(HOUR)
    await note(world, "later")
    await backups.once()
    path.unlink()
    assert not (await backups.check(world.acme.workspace_id)).ok
    await note(world, "later still")
    await backups.once()
    assert path.is_file() and (await backups.check(world.acme.workspace_id)).ok


async def test_what_is_not_there_for_long_is_not_held_against_it(world: World) -> None:
    kept = await _stored(world)
    backups: Backups = world.app.state.backups
    new = next(path for path in kept.rglob("*01") if path.is_file())
    async with world.workspace(world.acme) as workspace:
        os.utime(workspace.folder / "media" / new.name[-2:] / new.name)
    new.unlink()
    assert (await backups.check(world.acme.workspace_id)).ok


async def test_what_is_nowhere_any_more_is_told_unless_chime_removed_it(world: World) -> None:
    kept = await _stored(world)
    backups: Backups = world.app.state.backups
    removed, taken = (next(path for path in kept.rglob(f"*{number}") if path.is_file()) for number in ("00", "01"))
    async with world.workspace(world.acme) as workspace:
        for path in (removed, taken):
            workspace.files.remove(path.name)
            path.unlink()
        async with workspace.ingest("test") as tx:
            await tx.execute("UPDATE media SET state = 'failed' WHERE id = ?", removed.name)
    checked = await backups.check(world.acme.workspace_id)
    assert checked.ok and checked.files_gone == 1, "the backup is as good as what it was made of"
    assert [one.files_gone for one in listing(backups.shelf) if one.workspace_id == world.acme.workspace_id] == [1]
    (*_, told) = await _doctor(world)
    assert told.state == "fail" and told.values == {"count": 1}
    assert "1 file of the conversations is gone" in (
        await (await world.session("alice")).get("/w/acme/settings/backups")).text


def test_of_many_files_all_have_their_turn() -> None:
    known = [trial.Stored(f"{number:05}", 1, None) for number in range(trial.MOST_FILES * 3 + 7)]
    turns = [trial.of_this_turn(known, number * trial.TURN) for number in range(4)]
    assert max(map(len, turns)) <= trial.MOST_FILES
    assert sorted(one for turn in turns for one in turn) == known
    assert trial.of_this_turn(known[:trial.MOST_FILES], DAY) == known[:trial.MOST_FILES]


async def test_of_a_large_file_the_beginning_and_the_end_are_opened(world: World,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "WHOLE", 150_000)
    monkeypatch.setattr(trial, "EDGE", 70_000)
    kept = await _stored(world)
    path = next(path for path in kept.rglob("*03") if path.is_file())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    _rewritten(path, bytes(content))
    assert "do not open" in (await world.app.state.backups.check(world.acme.workspace_id)).reason
