"""`chime backup`: beside a running appliance, which does the work then, or without one, when the command does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path

from chime import backups, restores
from chime.backups import Checked, Item
from chime.clock import Clock, from_rfc3339
from chime.config import Config
from chime.errors import Conflict, Invalid, NotFound, StartRefused
from chime.restores import Copy, Restore, Restorer, trial_checks
from chime.restores.box import BoxItem, go_live, read_master, restore_box
from chime.security.permissions import OPERATOR
from chime.setup import keys_of, named_workspace, opened
from chime.web.language import zone
from chime.workspaces import Control, find_masters
from chime.workspaces.keys import key_file, make_master_key, service_key_file

LOOK_EVERY = 0.3
LONGEST_WAIT = 3600.0
AT_THE_SHELL = "operator at the shell"
Tell = Callable[[str], None]


async def back_up(config: Config) -> bool:
    """Have everything that was committed until now on the shelf; False when that takes too long."""
    async with opened(config) as (control, registry):
        return await backups.backup_now(control, registry, config, Clock(), checks=trial_checks(control))


def listed(config: Config) -> list[Item]:
    return backups.listing(backups.Shelf(config.backup_dir))


async def verified(config: Config, workspace: str | None) -> list[Checked]:
    """Lay the newest state of a workspace, or of everything, and look whether it is whole. Raises NotFound."""
    shelf, scratch, clock = backups.Shelf(config.backup_dir), _scratch(config), Clock()
    async with opened(config) as (control, _):
        found, checks = [], trial_checks(control)
        chosen = [await named_workspace(control, workspace)] if workspace else await control.workspaces()
        if workspace is None:
            masters = find_masters(config.data_dir, config.master_key, config.master_key_previous)
            found.append(await backups.verify_control(shelf, masters, scratch=scratch, clock=clock, checks=checks))
        for record in chosen:
            if record.copied_from is None:
                keys = await control.workspace_keys(record.id)
                found.append(await backups.verify(shelf, record.id, keys, scratch=scratch, clock=clock, checks=checks))
        return found


async def drilled(config: Config) -> list[Checked]:
    """Everything, measured."""
    async with opened(config) as (control, _):
        return await backups.drill(control, backups.Shelf(config.backup_dir), _scratch(config), Clock(),
                                   checks=trial_checks(control))


def _scratch(config: Config) -> Path:
    folder = config.data_dir / "scratch"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


async def restored_copy(config: Config, workspace: str, *, at: str, name: str | None) -> Copy:
    """An earlier moment as a muted copy. Raises NotFound, Invalid, Conflict with the reason when it can't be laid."""
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        moment = _moment(at, record.time_zone)
        shown = name or f"{record.name[:50]} {at[:19]}"
        async with control.write(OPERATOR) as tx:
            restore_id = await restores.ask_copy(tx, record.id, at=moment, name=shown, asked_by="",
                                                 asked_name=AT_THE_SHELL)
    row = await _finished(config, restore_id)
    async with opened(config) as (control, _):
        found = await restores.copy(control.db, row.copy_id)
    if found is None:
        raise Conflict("the copy was thrown away meanwhile")
    return found


def _moment(text: str, time_zone: str) -> int:
    """A moment with its zone, or a day and time of the workspace's. Raises Invalid."""
    try:
        return from_rfc3339(text)
    except ValueError:
        pass
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=zone(time_zone)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Invalid.field("at", "write the moment like 2026-11-21T14:32 or 2026-11-21T14:32:00Z") from error


async def taken_over(config: Config, copy: str, *, name: str) -> Restore:
    """Let a copy take its workspace's place; whoever is at the shell owns the machine. `name` is the workspace's, in
    full. Raises NotFound, Invalid, Conflict."""
    async with opened(config) as (control, _):
        found = await _copy(control, copy)
        record = await named_workspace(control, found.copied_from)
        if name != record.name:
            raise Invalid.field("yes-replace", f"write the name of the workspace in full: {record.name}")
        async with control.write(OPERATOR) as tx:
            restore_id = await restores.ask_take_over(tx, found.id, asked_by="", asked_name=AT_THE_SHELL)
    return await _finished(config, restore_id)


async def thrown_away(config: Config, copy: str) -> Copy:
    """Raises NotFound, Conflict."""
    async with opened(config) as (control, _):
        found = await _copy(control, copy)
        async with control.write(OPERATOR) as tx:
            await restores.throw_away(tx, found.id)
    return found


async def _copy(control: Control, id_or_name: str) -> Copy:
    found = await restores.copy_named(control.db, id_or_name)
    if found is None:
        raise NotFound(f"there is no restored copy {id_or_name!r}; `chime workspace list` shows them as muted")
    return found


async def _finished(config: Config, restore_id: str) -> Restore:
    """Wait until the appliance has done it, or do it when none runs. Raises Conflict with the reason when it failed."""
    from chime.serve import only_one

    deadline = Clock().monotonic() + LONGEST_WAIT
    while True:
        try:
            lock = only_one(config.data_dir)
        except StartRefused:
            pass  # it does it
        else:
            with lock:
                async with _restorer(config) as restorer:
                    await restorer.step()
        async with opened(config) as (control, _):
            row = await restores.restore(control.db, restore_id)
        if row is None or row.step == "failed":
            raise Conflict(f"it was not done: {row.trouble if row else 'the installation was replaced'}")
        if row.finished_at is not None:
            return row
        if Clock().monotonic() > deadline:
            raise Conflict(f"it takes long; it goes on, and waits for this: {row.trouble or row.step}")
        await asyncio.sleep(LOOK_EVERY)


async def settled(config: Config) -> bool:
    """Go on with whatever was interrupted; whether all of it is done. A running appliance does so by itself."""
    from chime.serve import only_one

    try:
        lock = only_one(config.data_dir)
    except StartRefused:
        async with opened(config) as (control, _):
            return not await control.db.value("SELECT 1 FROM restore WHERE finished_at IS NULL")
    with lock:
        async with _restorer(config) as restorer:
            return await restorer.step()


@asynccontextmanager
async def _restorer(config: Config) -> AsyncIterator[Restorer]:
    """In the place of the appliance. No other command may have files open while they are exchanged, nor we as one."""
    from chime.app import build
    from chime.inbound.jobs import apply
    from chime.restores.appliance import restorer
    from chime.serve import prepare

    keys = keys_of(config)
    prepare(config, keys)
    services = await build(config, keys)
    try:
        yield restorer(services, apply, serves=False)
    finally:
        await services.graph.close()
        services.passwords.close()
        await services.registry.close()
        await services.control.close()


async def box_restored(config: Config, source: Path, key_path: Path, tell: Tell, *, at: str | None = None
                       ) -> list[BoxItem]:
    """A whole installation from a folder of backups, as it was last or at a moment (without a zone: UTC). The master
    key is put where it is looked for, unless it is configured. Raises StartRefused, Invalid."""
    from chime.serve import only_one

    moment = _moment(at, "UTC") if at else None
    key = read_master(key_path)
    masters: Sequence[bytes] = (key,)
    if config.master_key is not None and config.master_key != key:
        raise StartRefused(_another_key(config))
    kept = key_file(config.data_dir)
    if config.master_key is None and kept.exists() and read_master(kept) != key:
        raise StartRefused(f"{kept} holds another master key; move it away first")
    with ExitStack() as stack:
        if (config.data_dir / ".lock").exists():  # a service that waits to be set up would go on in the folder it has
            stack.enter_context(only_one(config.data_dir))
        found = await restore_box(config.data_dir, source, masters, tell, at=moment)
    if config.master_key is None and not kept.exists():
        make_master_key(kept, key)
    if config.master_key is None and (wanted := service_key_file(config.data_dir)):
        tell(f"The service reads its key elsewhere; as root, before it starts: install -m 600 {kept} {wanted} && "
             f"rm {kept}")
    return found


def _another_key(config: Config) -> str:
    wanted = service_key_file(config.data_dir)
    if wanted is None or not wanted.exists():
        return "CHIME_MASTER_KEY is set to another key than the one in the file; set it to that one, or unset it"
    return (f"{wanted} (or CHIME_MASTER_KEY) holds another key than the file: the one that the package made for a new "
            f"installation. As root: systemctl stop chime.service && mv {wanted} {wanted}.unused; then give this "
            "command again, which says where the key goes")


async def gone_live(config: Config, workspace: str | None) -> list[str]:
    """Raises NotFound, Conflict."""
    async with opened(config) as (control, _):
        chosen = (await named_workspace(control, workspace)).id if workspace else None
        return await go_live(control, chosen)
