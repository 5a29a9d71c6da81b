"""Keys are replaced while the files are in use, and whatever was under way goes on where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chime.clock import Clock
from chime.db.rekey import InUse, _opens_first_page, change_key, fits
from chime.errors import StartRefused
from chime.ids import Ids
from chime.security.crypto import CannotOpen, context, derive, master_key_id, seal
from chime.security.permissions import OPERATOR
from chime.workspaces import Control, Registry, create_control, open_keys
from chime.workspaces.control_key import NAME, wrapped_for
from chime.workspaces.keys import Purpose, coming_key_file, key_file, make_master_key
from chime.workspaces.presence import guest
from chime.workspaces.rotation import KEPT_RETIRED, Rotator, ask
from tests.support import keys as made
from tests.support.keys import NEW_MASTER, OLD_MASTER, everything_opens, old_anywhere, opened


@pytest.fixture
async def data_dir(tmp_path: Path) -> AsyncIterator[Path]:
    await made.make(tmp_path / "data")
    yield tmp_path / "data"


def rotator(control: Control, registry: Registry) -> Rotator:
    return Rotator(control, registry, Clock(), Ids())


def salt(data_dir: Path) -> bytes:
    """What SQLCipher makes anew with each file."""
    return (data_dir / "control.db").read_bytes()[:16]


async def test_another_master_key_and_every_key_below_it(data_dir: Path) -> None:
    before = salt(data_dir)
    async with opened(data_dir, NEW_MASTER, OLD_MASTER) as (control, registry):
        assert control.keys.master_key_id == master_key_id(OLD_MASTER)
        assert await rotator(control, registry).step()
        await everything_opens(control, registry)
        assert not await old_anywhere(control, registry)
        assert await control.db.value("SELECT count(*) FROM audit_event WHERE action = 'key.rotated'") == 1
    assert wrapped_for(data_dir) == (master_key_id(NEW_MASTER),)
    assert salt(data_dir) != before
    async with opened(data_dir, NEW_MASTER) as (control, registry):
        await everything_opens(control, registry)
    with pytest.raises(StartRefused, match="master key is not the one"):
        open_keys(data_dir, OLD_MASTER)


async def test_with_the_new_master_key_alone_nothing_opens_before_the_rotation(data_dir: Path) -> None:
    with pytest.raises(StartRefused, match="master key is not the one"):
        open_keys(data_dir, NEW_MASTER)


@pytest.mark.parametrize("beside", [True, False])
async def test_who_runs_with_the_older_key_finds_the_newer_in_its_place(data_dir: Path, beside: bool) -> None:
    if beside:
        make_master_key(key_file(data_dir), OLD_MASTER)
        make_master_key(coming_key_file(data_dir), NEW_MASTER)
    running = open_keys(data_dir, OLD_MASTER)
    async with opened(data_dir, NEW_MASTER, OLD_MASTER) as (control, registry):
        assert await rotator(control, registry).step()
    assert running.take_over() and running.is_left_behind is not beside
    assert running.master_key_id == master_key_id(NEW_MASTER if beside else OLD_MASTER)
    assert running.bundle.newest.number == (2 if beside else 1)
    assert not running.take_over()


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_a_workspaces_key_for_one_purpose(data_dir: Path, purpose: Purpose) -> None:
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        acme, globex = [record.id for record in await control.workspaces()]
        async with registry.use(acme) as workspace:  # it stays open and in use throughout
            async with control.write(OPERATOR) as tx:
                assert await ask(tx, control.keys, Ids(), workspace_id=acme, purposes=[purpose]) == 2
            assert await rotator(control, registry).step()
            await everything_opens(control, registry)
            assert not await old_anywhere(control, registry)
            uses = {name: use.version for name, use in (await control.workspace_keys(acme)).uses.items()}
            assert uses == {name: 2 if name is purpose else 1 for name in Purpose}
            assert workspace.keys.vault.keys.active == (2 if purpose is Purpose.FIELD else 1)
        assert (await control.workspace_keys(globex)).uses[purpose].version == 1
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        await everything_opens(control, registry)


async def test_what_is_retired_is_destroyed_when_nothing_can_need_it(data_dir: Path) -> None:
    clock = Clock()
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        acme = (await control.workspaces())[0].id
        async with control.write(OPERATOR) as tx:
            await ask(tx, control.keys, Ids(), workspace_id=acme, purposes=list(Purpose))
        assert await rotator(control, registry).step()
        versions = "SELECT version, retired_at FROM workspace_key WHERE workspace_id = ? ORDER BY version"
        (first, retired_at), (second, in_use) = await control.db.rows(versions, acme)
        assert (first, second, in_use) == (1, 2, None) and retired_at is not None
        async with registry.use(acme) as workspace:
            callbacks = workspace.callback_key
        async with control.ingest("test") as tx:
            await tx.execute("UPDATE workspace_key SET retired_at = retired_at - ?", KEPT_RETIRED + 1)
        assert await Rotator(control, registry, clock, Ids()).step()
        assert [row[0] for row in await control.db.rows(versions, acme)] == [2]
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        await everything_opens(control, registry)
        async with registry.use(acme) as workspace:
            assert workspace.callback_key == callbacks, "tokens that are out come back for weeks"


async def test_a_second_rotation_waits_for_the_first(data_dir: Path) -> None:
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        acme = (await control.workspaces())[0].id
        for _ in range(3):
            async with control.write(OPERATOR) as tx:
                await ask(tx, control.keys, Ids(), workspace_id=acme, purposes=list(Purpose))
            assert await rotator(control, registry).step()
        assert (await control.workspace_keys(acme)).uses[Purpose.FILE].version == 4
        await everything_opens(control, registry)


async def test_a_command_at_work_holds_it_up_and_loses_nothing(data_dir: Path) -> None:
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        acme = (await control.workspaces())[0].id
        async with control.write(OPERATOR) as tx:
            await ask(tx, control.keys, Ids(), workspace_id=acme, purposes=list(Purpose))
        with guest(data_dir):
            assert not await rotator(control, registry).step()
        assert await rotator(control, registry).step()
        await everything_opens(control, registry)


async def test_a_file_that_another_connection_has_open_keeps_its_key(data_dir: Path) -> None:
    async with opened(data_dir, OLD_MASTER) as (control, _), opened(data_dir, OLD_MASTER) as (other, _):
        await other.db.value("SELECT 1 FROM user")
        before = control.db.key
        with pytest.raises(InUse):
            await change_key(control.db, open_keys(data_dir, OLD_MASTER).newest_control_file[::-1])
        assert control.db.key == before
        async with control.ingest("test") as tx:
            await tx.execute("INSERT INTO meta (key, value) VALUES ('still', 'writable')")
        assert await other.db.value("SELECT value FROM meta WHERE key = 'still'") == "writable"
    assert not made.left_over(data_dir)


async def test_an_installation_from_before_this_file_goes_on_and_its_first_rotation_frees_it(tmp_path: Path) -> None:
    """There every key was derived from the master key; the roots were wrapped with it."""
    data_dir = tmp_path / "data"
    keys = open_keys(data_dir, OLD_MASTER, create=True)
    create_control(data_dir, keys)
    (data_dir / NAME).unlink()
    await _as_before(data_dir, keys.control_file)
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        name = master_key_id(OLD_MASTER)
        wrapped = seal_as_before(derive(OLD_MASTER, "wrap"), b"r" * 32, context("wrap", "w", 1, name))
        assert control.keys.root(wrapped, "w", 1).secret == b"r" * 32
        assert control.keys.pepper == derive(OLD_MASTER, "password-pepper")
        control.keys.begin(Ids(), 1)
        assert await rotator(control, registry).step()
        assert control.keys.pepper == derive(OLD_MASTER, "password-pepper"), "or nobody could sign in"
        assert not fits(data_dir / "control.db", derive(OLD_MASTER, "control-file"))


async def test_the_key_of_a_file_is_known_from_its_first_page(data_dir: Path) -> None:
    async with opened(data_dir, OLD_MASTER) as (control, _):
        key = control.db.key
    path = data_dir / "control.db"
    assert fits(path, key) and _opens_first_page(path, key)
    assert not fits(path, key[::-1]) and not _opens_first_page(path, key[::-1])


async def _as_before(data_dir: Path, key: bytes) -> None:
    from chime.db import DatabaseFile

    file = await DatabaseFile.open(data_dir / "control.db", key)
    await change_key(file, derive(OLD_MASTER, "control-file"))
    await file.close()


def seal_as_before(key: bytes, plain: bytes, associated: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return b"\x01\x00\x00\x00\x01" + b"n" * 12 + AESGCM(key).encrypt(b"n" * 12, plain, associated)


async def test_values_of_the_first_form_are_read_and_leave_with_the_first_rotation(data_dir: Path) -> None:
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        acme = (await control.workspaces())[0].id
        async with registry.use(acme) as workspace:
            field = derive(workspace.keys.roots[1].secret, "field")
            old = seal_as_before(field, made.secret("token").encode(), context(acme, "channel", "channel",
                                                                              "access_token"))
            async with workspace.ingest("test") as tx:
                await tx.execute("UPDATE channel SET access_token_sealed = ?", old)
            await everything_opens(control, registry)
            async with control.write(OPERATOR) as tx:
                await ask(tx, control.keys, Ids(), workspace_id=acme, purposes=[Purpose.FIELD])
            assert await rotator(control, registry).step()
            assert (await workspace.db.value("SELECT access_token_sealed FROM channel"))[0] == 2
            await everything_opens(control, registry)


async def test_a_damaged_value_stays_as_it_is_and_stops_nothing(data_dir: Path) -> None:
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        acme = (await control.workspaces())[0].id
        async with registry.use(acme) as workspace:
            async with workspace.ingest("test") as tx:
                await tx.execute("UPDATE channel SET access_token_sealed = ?", seal(b"k" * 32, b"x", b"elsewhere"))
            async with control.write(OPERATOR) as tx:
                await ask(tx, control.keys, Ids(), workspace_id=acme, purposes=list(Purpose))
            assert await rotator(control, registry).step()
            sealed = await workspace.db.value("SELECT access_token_sealed FROM channel")
            with pytest.raises(CannotOpen):
                workspace.vault.open(sealed, table="channel", row="channel", column="access_token")
