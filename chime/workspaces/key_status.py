"""Which keys there are, how old, and what is being replaced: for the command and the page. It holds no key."""

from __future__ import annotations

import msgspec

from chime.clock import DAY
from chime.db import Db
from chime.workspaces.control import Control
from chime.workspaces.control_key import wrapped_for
from chime.workspaces.keys import Purpose

# Not because they wear out: so that a key which somebody copied unnoticed is worth something for a year at most.
ADVISED_AGE = 365 * DAY


class PurposeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`target` while it is being replaced; `moved` files so far."""

    purpose: str
    version: int
    target: int | None
    moved: int
    trouble: str


class VersionStatus(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    created_at: int
    retired_at: int | None


class WorkspaceKeyStatus(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: str
    name: str
    versions: tuple[VersionStatus, ...]
    purposes: tuple[PurposeStatus, ...]
    due: bool

    @property
    def moving(self) -> bool:
        return any(purpose.target is not None for purpose in self.purposes)


class KeyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`opened_by` lists the master keys that open the installation, the one to use from now on first; `needs_restart`
    when this process was not given that one. `last_rotated_at` is None when nothing was ever replaced."""

    master_key_id: str
    opened_by: tuple[str, ...]
    generation: int
    made_at: int
    moving: bool
    needs_restart: bool
    due: bool
    last_rotated_at: int | None
    workspaces: tuple[WorkspaceKeyStatus, ...]

    @property
    def anything_moving(self) -> bool:
        return self.moving or any(workspace.moving for workspace in self.workspaces)


async def key_status(control: Control, *, now: int) -> KeyStatus:
    keys, db = control.keys, control.db
    newest = keys.bundle.newest
    rotated = await db.value("SELECT max(at) FROM audit_event WHERE action = 'key.rotated'")
    return KeyStatus(
        master_key_id=keys.master_key_id, opened_by=wrapped_for(keys.data_dir), generation=newest.number,
        made_at=newest.made_at, moving=keys.is_moving, needs_restart=keys.is_left_behind,
        due=newest.made_at < now - ADVISED_AGE,
        last_rotated_at=rotated, workspaces=tuple([
            await _of_workspace(db, row.id, row.name, now) for row in await control.workspaces()]))


async def _of_workspace(db: Db, workspace_id: str, name: str, now: int) -> WorkspaceKeyStatus:
    versions = await db.all(VersionStatus, "SELECT version, created_at, retired_at FROM workspace_key "
                            "WHERE workspace_id = ? ORDER BY version", workspace_id)
    known = {row.purpose: row for row in await db.all(
        PurposeStatus, "SELECT purpose, version, target, moved, trouble FROM key_purpose WHERE workspace_id = ?",
        workspace_id)}
    purposes = tuple(known.get(purpose.value) or PurposeStatus(purpose=purpose.value, version=1, target=None, moved=0,
                                                               trouble="") for purpose in Purpose)
    made = {row.version: row.created_at for row in versions}
    oldest = min((made.get(purpose.version, now) for purpose in purposes), default=now)
    return WorkspaceKeyStatus(workspace_id=workspace_id, name=name, versions=tuple(versions), purposes=purposes,
                              due=oldest < now - ADVISED_AGE)
