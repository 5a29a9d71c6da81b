"""What a release does with its hands on the data, each as a command of its own: look whether an upgrade may begin, back
up, try itself on copies, write down what became of it.

`chime upgrade` runs these as the service's user: the old release looks and backs up, the new one rehearses on a copy
of control.db and of a few workspaces. Promise: the copies are removed, start no jobs and tell nobody anything.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from chime.app import build, create_app, routes_of
from chime.clock import Clock
from chime.config import Config
from chime.db import Key, Kind
from chime.db.copies import copy_file, size_on_disk
from chime.db.migrate import breaks, migrate
from chime.errors import ChimeError, StartRefused
from chime.ids import Ids
from chime.security.permissions import OPERATOR, SYSTEM
from chime.setup import keys_of, opened
from chime.workspaces import Control, KeyRing, Registry, find_masters, migrate_all, open_keys
from chime.workspaces.control_key import NAME as CONTROL_KEY
from chime.workspaces.provision import check_control
from chime.workspaces.registry import workspace_folder

WORKSPACES = 3
# Copying more than this to try a release on would take minutes and say no more.
LARGEST = 512 * 2**20
BACKED_UP_IN = 3000.0
_FILES = ("workspace.db", "journal.db")
_PREFIX = ".rehearsal-"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """`failing` are files that this release cannot use either: an upgrade is not what they wait for."""

    workspaces: int
    failing: list[str]
    free: int


async def ready(config: Config, *, room_for: int) -> Readiness:
    """Look whether an upgrade may begin. Raises StartRefused."""
    check_control(config.data_dir, keys_of(config))
    async with opened(config) as (control, _):
        records = await control.workspaces()
        files = await migrate_all(config.data_dir, control, check_only=True)
    largest = max((_size(config, record.id) for record in records), default=0)
    free = shutil.disk_usage(config.data_dir).free
    needed = room_for + 2 * largest + size_on_disk(config.data_dir / "control.db") + config.disk_reserve
    if free < needed:
        raise StartRefused(f"{config.data_dir} has {free // 2**20} MB free and an upgrade needs {needed // 2**20} MB")
    return Readiness(workspaces=len(records), failing=[name for name, steps in files.items() if steps < 0], free=free)


def _size(config: Config, workspace_id: str) -> int:
    folder = workspace_folder(config.data_dir, workspace_id)
    return sum(size_on_disk(folder / name) for name in _FILES)


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """`breaking` are kinds of files that the release before cannot work with when this one has migrated them."""

    workspaces: int
    breaking: list[str]


async def rehearse(config: Config) -> Rehearsed:
    """Migrate copies, open them and work with them, as this release. Raises StartRefused saying where it failed."""
    for left in config.data_dir.glob(f"{_PREFIX}*"):  # of one that was killed
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=config.data_dir))
    try:
        copied = await _copy(config, folder)
        breaking = sorted({f"{kind.value} files" for path, key, kind in copied if breaks(path, key, kind)})
        masters = find_masters(config.data_dir, config.master_key, config.master_key_previous)
        keys = open_keys(folder, *masters)
        migrate(folder / "control.db", keys.control_file, Kind.CONTROL)
        chosen = list(dict.fromkeys(path.parent.name for path, _, kind in copied if kind is not Kind.CONTROL))
        await _work_with(folder, keys, chosen)
        await _put_together(config, folder, keys)
    except ChimeError as error:
        raise StartRefused(f"rehearsal: {error}") from error
    except Exception as error:  # whatever a release stumbles over here it would stumble over in earnest
        raise StartRefused(f"rehearsal: {type(error).__name__} in {_place(error)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Rehearsed(workspaces=len(chosen), breaking=breaking)


async def _copy(config: Config, folder: Path) -> list[tuple[Path, Key, Kind]]:
    """control.db with its keys, and the files of a large, a middling and a small workspace."""
    keys = keys_of(config)
    made = [(folder / "control.db", keys.control_file, Kind.CONTROL)]
    await asyncio.to_thread(copy_file, config.data_dir / "control.db", keys.control_file, folder / "control.db")
    shutil.copyfile(config.data_dir / CONTROL_KEY, folder / CONTROL_KEY)
    control = await Control.open(config.data_dir, keys, Clock(), Ids())
    try:
        sizes = sorted((_size(config, record.id), record.id) for record in await control.workspaces())
        for workspace_id in _spread([name for size, name in sizes if 0 < size <= LARGEST]):
            source, target = (workspace_folder(place, workspace_id) for place in (config.data_dir, folder))
            target.mkdir(parents=True, mode=0o700)
            of = (await control.workspace_keys(workspace_id)).fit(source)
            for name, key, kind in ((_FILES[0], of.workspace_file, Kind.WORKSPACE),
                                    (_FILES[1], of.journal_file, Kind.JOURNAL)):
                await asyncio.to_thread(copy_file, source / name, key, target / name)
                made.append((target / name, key, kind))
            (target / "media").mkdir(mode=0o700)
        return made
    finally:
        await control.close()


def _spread(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names[index] for index in (-1, len(names) // 2, 0))) if names else []


async def _work_with(folder: Path, keys: KeyRing, chosen: Sequence[str]) -> None:
    """Open, look through and write to each copy."""
    clock, ids = Clock(), Ids()
    control = await Control.open(folder, keys, clock, ids)
    registry = Registry(folder, control, clock, ids)
    try:
        for workspace_id in chosen:
            async with registry.use(workspace_id) as workspace:
                for db in (workspace.db, workspace.journal_db):
                    found = await db.value("PRAGMA quick_check(1)")
                    if found != "ok":
                        raise StartRefused(f"the copy of {db.path.name} is damaged: restore that workspace first")
                async with workspace.write(SYSTEM) as tx:
                    await tx.audit("release.rehearsed", "release", "copy")
    finally:
        await registry.close()
        await control.close()


async def _put_together(config: Config, folder: Path, keys: KeyRing) -> None:
    """Build the whole appliance on the copy, without letting it run."""
    services = await build(msgspec.structs.replace(config, data_dir=folder, audit_anchor_file=None), keys)
    try:
        if not routes_of(create_app(services)):
            raise StartRefused("it has no pages")
        await services.pages.compile_all()
    finally:
        services.passwords.close()
        await services.graph.close()
        await services.registry.close()
        await services.control.close()


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


async def back_up(config: Config) -> None:
    """Have everything that is committed now in the backup. Raises StartRefused."""
    from chime.backups import backup_now
    from chime.restores import trial_checks

    async with opened(config) as (control, registry):
        if not await backup_now(control, registry, config, Clock(), checks=trial_checks(control),
                                seconds=BACKED_UP_IN):
            raise StartRefused("the backup did not end in time; `chime doctor` says what holds it up")


async def note(config: Config, *, came_from: str, goes_to: str, outcome: str, reason: str) -> None:
    """Into the audit trail of the installation."""
    async with opened(config) as (control, _), control.write(OPERATOR) as tx:
        if outcome == "done":
            await tx.audit("release.upgraded", "release", goes_to, came_from=came_from)
        else:
            await tx.audit("release.reverted", "release", came_from, came_from=goes_to, reason=reason[:200])
