"""`chime keys`: replace the master key or a workspace's keys, and see how they are.

Works beside the running appliance, which does the moving then, and without one, when the command does it itself. What
is to move is written down before anything moves, so a command that was killed is simply given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chime.clock import Clock, rfc3339
from chime.config import Config
from chime.db.rekey import InUse
from chime.errors import Conflict, StartRefused
from chime.ids import Ids
from chime.restores.box import read_master
from chime.security.permissions import OPERATOR
from chime.setup import keys_of, named_workspace, opened
from chime.workspaces import Control, Registry
from chime.workspaces.key_status import KeyStatus, WorkspaceKeyStatus, key_status
from chime.workspaces.keys import Purpose, coming_key_file, key_file, make_master_key, service_key_file
from chime.workspaces.presence import alone
from chime.workspaces.rotation import Rotator, ask, finish_installation

LOOK_EVERY = 0.3
# A command that reads for long (a proof of a large inbox) may hold things up for a while.
LONGEST_WAIT = 600.0
Tell = Callable[[str], None]


async def status(config: Config) -> KeyStatus:
    async with opened(config) as (control, _):
        return await key_status(control, now=Clock().now())


async def rotate_workspace(config: Config, workspace: str, purposes: Sequence[str], tell: Tell) -> KeyStatus:
    """New keys for a workspace. One that is under way is gone on with. Raises StartRefused, NotFound, Conflict."""
    _will_start_again(config)
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        found = await key_status(control, now=Clock().now())
        under_way = any(one.moving for one in found.workspaces if one.workspace_id == record.id)
        if not under_way:
            async with control.write(OPERATOR) as tx:
                await ask(tx, control.keys, Ids(), workspace_id=record.id,
                          purposes=[Purpose(purpose) for purpose in purposes])
    tell("Going on with the rotation that is under way." if under_way else "Everything new has the new key already.")
    return await _moved(config, tell)


async def rotate_installation(config: Config, tell: Tell, *, master: bool) -> KeyStatus:
    """New keys for the installation itself; with `master` for another master key. Raises StartRefused, Conflict."""
    _will_start_again(config)
    where = _new_master(config) if master else None
    deadline = Clock().monotonic() + LONGEST_WAIT
    while True:
        try:
            with alone(config.data_dir):
                keys = keys_of(config)
                if master and keys.primary_id == keys.master_key_id and not keys.is_moving:
                    raise Conflict(f"the master key {keys.master_key_id} is in use already; to replace it, "
                                   f"{_how_to_replace(config)}")
                if not keys.is_moving or keys.wants_new_master:
                    keys.begin(Ids(), Clock().now())
                break
        except InUse:
            await _again(deadline)
    if where is not None:
        tell(f"The new master key waits in {where}.")
    return await _moved(config, tell)


def _new_master(config: Config) -> Path | None:
    """Where the new key is when nobody configured one: made beside the one until now."""
    if config.master_key is not None:
        if config.master_key_previous is None:
            raise StartRefused(f"to replace the master key, {_how_to_replace(config)}")
        return None
    coming = coming_key_file(config.data_dir)
    if not coming.exists() and key_file(config.data_dir).exists():
        make_master_key(coming, Ids().random(32))
    return coming if coming.exists() else None


def _how_to_replace(config: Config) -> str:
    kept = service_key_file(config.data_dir)
    if kept is None:
        return ("set CHIME_MASTER_KEY to the new key (make one with `openssl rand -base64 32`) and "
                "CHIME_MASTER_KEY_PREVIOUS to the one until now, and the new one to where Chime gets it at its start")
    return (f"as root: cp -p {kept} {kept}.previous && openssl rand -base64 32 > {kept}; then give this command "
            f"again, before the service starts anew; when it is done: rm {kept}.previous")


def _will_start_again(config: Config) -> None:
    """What the last step leaves is opened by one master key: the service must find that one when it starts. Raises
    StartRefused."""
    kept = service_key_file(config.data_dir)
    if kept is None or config.master_key is None or not kept.exists():
        return
    if read_master(kept) != config.master_key:
        raise StartRefused(f"CHIME_MASTER_KEY is another key than the one in {kept}, and the service could not start "
                           f"again: unset it and CHIME_MASTER_KEY_PREVIOUS. To replace the master key, "
                           f"{_how_to_replace(config)}")


async def _moved(config: Config, tell: Tell) -> KeyStatus:
    """Wait until everything has moved, or move it when no appliance runs; how things are then."""
    from chime.serve import only_one

    try:
        lock = only_one(config.data_dir)
    except StartRefused:
        tell("The running appliance moves what is older; it goes on without this command too.")
        await _by_the_appliance(config)
    else:
        with lock:
            await _by_ourselves(config)
    return await status(config)


async def _by_ourselves(config: Config) -> None:
    from chime.serve import prepare

    keys, clock, ids = keys_of(config), Clock(), Ids()
    prepare(config, keys)
    control = await Control.open(config.data_dir, keys, clock, ids)
    registry = Registry(config.data_dir, control, clock, ids)
    try:
        rotator, deadline = Rotator(control, registry, clock, ids), clock.monotonic() + LONGEST_WAIT
        while not await rotator.step():
            await _again(deadline)
    finally:
        await registry.close()
        await control.close()


async def _by_the_appliance(config: Config) -> None:
    """It may have been started with the master key until now only: then the last step is ours."""
    deadline = Clock().monotonic() + LONGEST_WAIT
    while (found := await status(config)).anything_moving:
        if found.moving:
            await _finished(config)
        await _again(deadline)


async def _finished(config: Config) -> None:
    keys = keys_of(config)
    if not keys.may_finish or keys.control_file != keys.newest_control_file:
        return
    try:
        with alone(config.data_dir):
            control = await Control.open(config.data_dir, keys, Clock(), Ids())
            try:
                await finish_installation(control)
            finally:
                await control.close()
    except InUse:
        return


async def _again(deadline: float) -> None:
    if Clock().monotonic() > deadline:
        raise Conflict("it takes long; it goes on, and `chime keys status` tells how far it is")
    await asyncio.sleep(LOOK_EVERY)


def as_text(found: KeyStatus) -> str:
    """For people."""
    lines = [f"master key {found.opened_by[0]}" + (f" (until now {', '.join(found.opened_by[1:])})"
                                                   if found.opened_by[1:] else ""),
             f"installation keys: generation {found.generation}"
             + (f", made {rfc3339(found.made_at)[:10]}" if found.made_at else "") + _state(found.moving, found.due)]
    if found.needs_restart:
        lines.append("  start Chime with the new master key before the old one is thrown away")
    for workspace in found.workspaces:
        lines.append(f"{workspace.name}: {_uses(workspace)}{_state(workspace.moving, workspace.due)}")
        lines += [f"  {one.purpose}: {one.trouble}" for one in workspace.purposes if one.trouble]
    return "\n".join(lines)


def _uses(workspace: WorkspaceKeyStatus) -> str:
    return ", ".join(f"{one.purpose} version {one.version}" + (f" to {one.target}" if one.target else "")
                     for one in workspace.purposes)


def _state(moving: bool, due: bool) -> str:
    return "; being replaced" if moving else "; a year old, replace it" if due else ""


def as_json(found: KeyStatus) -> dict[str, Any]:
    """For scripts; times as the API tells them."""
    told: dict[str, Any] = msgspec.structs.asdict(found)
    told["made_at"] = rfc3339(found.made_at) if found.made_at else None
    told["last_rotated_at"] = rfc3339(found.last_rotated_at) if found.last_rotated_at else None
    told["workspaces"] = [{
        "workspace_id": one.workspace_id, "name": one.name, "due": one.due, "moving": one.moving,
        "purposes": [msgspec.structs.asdict(purpose) for purpose in one.purposes],
        "versions": [{"version": version.version, "created_at": rfc3339(version.created_at),
                      "retired_at": rfc3339(version.retired_at) if version.retired_at else None}
                     for version in one.versions]} for one in found.workspaces]
    return told
