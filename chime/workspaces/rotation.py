"""Replacing keys while the appliance runs, and going on wherever a crash left it.

What is to move is written down first: the installation's own keys in `control.key`, which then holds two generations; a
workspace's in control.db, a new version of its root key with the purposes that shall have it as their `target`. From
that moment everything new is written with the new key. The `Rotator` then moves what is older, piece by piece, and
notes the end only after a look at everything found nothing old. Each piece may be done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from chime.clock import DAY, Clock
from chime.db import Db
from chime.db.rekey import InUse, change_key
from chime.errors import Conflict, NotFound, Unavailable
from chime.ids import Ids
from chime.log import Log
from chime.security.crypto import CannotOpen, context
from chime.security.permissions import SYSTEM
from chime.security.vault import Vault
from chime.security.versions import KeyVersions
from chime.workspaces import control_key
from chime.workspaces.control import Control
from chime.workspaces.keys import KeyRing, Purpose, new_root
from chime.workspaces.presence import alone
from chime.workspaces.registry import Registry
from chime.workspaces.sealed_values import BATCH, CONTROL_VALUES, WORKSPACE_VALUES, SealedColumn
from chime.workspaces.transaction import Transaction
from chime.workspaces.workspace import Workspace

LOOK_EVERY = 2.0
FILES_BETWEEN_NOTES = 20
# A retired version still opens backups made before; statuses of messages come back for thirty days.
KEPT_RETIRED = 35 * DAY
# Meta may sign with the one before for as long.
PREVIOUS_APP_SECRET_LASTS = 2 * DAY
_LAPSED = "previous_app_secret_sealed IS NOT NULL AND app_secret_changed_at < ?"
_log = Log("keys")
_Write = Callable[[str], AbstractAsyncContextManager[Transaction]]


async def ask(tx: Transaction, keys: KeyRing, ids: Ids, *, workspace_id: str, purposes: Sequence[Purpose]) -> int:
    """Have these purposes of a workspace get a new key; its version. `tx` is control's. Raises NotFound, Conflict."""
    rows = await tx.rows("SELECT version, wrapped FROM workspace_key WHERE workspace_id = ? ORDER BY version DESC "
                         "LIMIT 1", workspace_id)
    if not rows:
        raise NotFound("there is no such workspace")
    if await tx.value("SELECT 1 FROM key_purpose WHERE workspace_id = ? AND target IS NOT NULL", workspace_id):
        raise Conflict("keys of this workspace are being replaced already")
    if await tx.value("SELECT 1 FROM workspace WHERE id = ? AND copied_from IS NOT NULL", workspace_id):
        raise Conflict("a restored copy has the keys of its workspace; throw it away, or let it take over first")
    newest, wrapped = rows[0]
    root = new_root(ids, keys.root(wrapped, workspace_id, newest))
    await tx.execute("INSERT INTO workspace_key (workspace_id, version, wrapped, created_at) VALUES (?, ?, ?, ?)",
                     workspace_id, newest + 1, keys.wrap(root, workspace_id, newest + 1), tx.now)
    for purpose in purposes:
        await tx.execute(
            "INSERT INTO key_purpose (workspace_id, purpose, version, target, changed_at) VALUES (?, ?, 1, ?, ?) "
            "ON CONFLICT (workspace_id, purpose) DO UPDATE SET target = excluded.target, cursor = '', moved = 0, "
            "trouble = '', changed_at = excluded.changed_at", workspace_id, purpose.value, newest + 1, tx.now)
    await tx.audit("key.rotation_started", "workspace", workspace_id, version=newest + 1,
                   purposes=[purpose.value for purpose in purposes])
    return int(newest) + 1


class Rotator:
    """Moves what is to move. One at a time works on an installation: the appliance, or a command while none runs."""

    def __init__(self, control: Control, registry: Registry, clock: Clock, ids: Ids) -> None:
        self._control = control
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._data_dir = control.keys.data_dir

    async def watch(self) -> None:
        """For as long as the appliance runs."""
        while True:
            await self.step()
            await asyncio.sleep(LOOK_EVERY)

    async def step(self) -> bool:
        """Do whatever is to be done; whether all of it is done. What can't be done now is left for the next time."""
        done = True
        for work in (self._installation, self._workspaces, self._destroy):
            try:
                done = await work() and done
            except InUse:
                done = False
            except Unavailable as error:
                _log.warning("rotation.waits", reason=type(error).__name__)
                done = False
        return done

    # The installation's own keys

    async def _installation(self) -> bool:
        keys = self._control.keys
        keys.take_over()
        if keys.wants_new_master:
            with alone(self._data_dir):
                keys.begin(self._ids, self._clock.now())
        if not keys.is_moving:
            if control_key.is_left_over(self._data_dir):
                with alone(self._data_dir):
                    control_key.clear_up(self._data_dir)
            return True
        if await self._rewrap():
            async with self._control.write(SYSTEM) as tx:
                await tx.audit("key.rewrapped", "installation", "", generation=keys.bundle.newest.number)
        await _reseal(self._control.ingest, self._control.vault, CONTROL_VALUES)
        await self._reseal_parked()
        if self._control.db.key != keys.newest_control_file:
            with alone(self._data_dir):
                await change_key(self._control.db, keys.newest_control_file)
                keys.control_file = keys.newest_control_file
        if not keys.may_finish:
            return False
        with alone(self._data_dir):
            return await finish_installation(self._control)

    async def _rewrap(self) -> int:
        """Every root key, in one go; how many. Each is opened again before it is stored."""
        keys, moved = self._control.keys, 0
        async with self._control.ingest("keys") as tx:
            for workspace_id, version, wrapped in await tx.rows(
                    "SELECT workspace_id, version, wrapped FROM workspace_key"):
                if keys.is_newest_wrap(wrapped):
                    continue
                root = keys.root(wrapped, workspace_id, version)
                again = keys.wrap(root, workspace_id, version)
                if keys.root(again, workspace_id, version).secret != root.secret:
                    raise CannotOpen("a root key did not come out as it went in")
                await tx.execute("UPDATE workspace_key SET wrapped = ? WHERE workspace_id = ? AND version = ?",
                                 again, workspace_id, version)
                moved += 1
        return moved

    async def _reseal_parked(self) -> None:
        parked, after = self._control.keys.parked, ""
        while rows := await self._control.db.rows(
                "SELECT id, body_sealed FROM parked_delivery WHERE id > ? AND length(body_sealed) > 0 ORDER BY id "
                "LIMIT 50", after):
            old = [(row_id, sealed) for row_id, sealed in rows if not parked.is_current(sealed)]
            if old:
                async with self._control.ingest("keys") as tx:
                    for row_id, sealed in old:
                        associated = context("parked_delivery", row_id)
                        if not _opens(parked, sealed, associated):
                            continue
                        await tx.execute("UPDATE parked_delivery SET body_sealed = ? WHERE id = ? AND body_sealed = ?",
                                         parked.seal(parked.unseal(sealed, associated), associated), row_id, sealed)
            after = rows[-1][0]
            await asyncio.sleep(0)

    # A workspace's keys

    async def _workspaces(self) -> bool:
        rows = await self._control.db.rows("SELECT workspace_id, purpose, cursor FROM key_purpose "
                                           "WHERE target IS NOT NULL ORDER BY changed_at, workspace_id, purpose")
        done = True
        for workspace_id, purpose, cursor in rows:
            try:
                await self._move(workspace_id, Purpose(purpose), cursor)
            except InUse:
                done = False
            except (CannotOpen, NotFound, Unavailable) as error:
                done = False
                await self._note(workspace_id, Purpose(purpose), trouble=str(error))
        return done

    async def _move(self, workspace_id: str, purpose: Purpose, cursor: str) -> None:
        async with self._registry.use(workspace_id) as workspace:
            workspace.keys.adopt(await self._control.workspace_keys(workspace_id))
            with alone(self._data_dir):
                pass  # whoever opened the workspace before that, and knows only the older key, is gone now
            if purpose is Purpose.FIELD:
                await _reseal(workspace.ingest, workspace.vault, WORKSPACE_VALUES)
            elif purpose is Purpose.FILE:
                with alone(self._data_dir):
                    await _change_files(workspace)
            else:
                await self._renew_files(workspace, cursor)
            if await old_in_workspace(workspace, purpose):
                raise Unavailable(f"some of the workspace's {purpose.value}s still have an older key")
        async with self._control.write(SYSTEM) as tx:
            await _settle(tx, workspace_id, purpose)
        _log.info("rotation.finished", purpose=purpose.value, workspace_id=workspace_id)

    async def _renew_files(self, workspace: Workspace, place: str) -> None:
        count = 0
        while places := await asyncio.to_thread(workspace.files.after, place, FILES_BETWEEN_NOTES):
            for found in places:
                count += await _renewed(workspace, found)
            place = places[-1]
            await self._note(workspace.id, Purpose.MEDIA, cursor=place, moved=count)
            count = 0

    async def _note(self, workspace_id: str, purpose: Purpose, *, cursor: str | None = None, moved: int = 0,
                    trouble: str = "") -> None:
        async with self._control.ingest("keys") as tx:
            await tx.execute("UPDATE key_purpose SET cursor = coalesce(?, cursor), moved = moved + ?, trouble = ? "
                             "WHERE workspace_id = ? AND purpose = ? AND (trouble <> ? OR ? IS NOT NULL)",
                             cursor, moved, trouble, workspace_id, purpose.value, trouble, cursor)

    async def _destroy(self) -> bool:
        """What is kept for a while only: versions that were retired long ago, unless something still has one, however
        that came about; and an app's secret before its newest."""
        due = self._clock.real_now() - PREVIOUS_APP_SECRET_LASTS
        if await self._control.db.value(f"SELECT 1 FROM meta_app WHERE {_LAPSED}", due):
            async with self._control.write(SYSTEM) as tx:
                await tx.execute(f"UPDATE meta_app SET previous_app_secret_sealed = NULL WHERE {_LAPSED}", due)
                await tx.audit("meta_app.previous_secret_dropped", "meta_app", "")
        rows = await self._control.db.rows("SELECT workspace_id, version FROM workspace_key WHERE retired_at < ?",
                                           self._clock.real_now() - KEPT_RETIRED)
        for workspace_id, version in rows:
            async with self._registry.use(workspace_id) as workspace:
                workspace.keys.adopt(await self._control.workspace_keys(workspace_id))
                if await _has_version(workspace, version):
                    continue
            async with self._control.write(SYSTEM) as tx:
                await tx.execute("DELETE FROM workspace_key WHERE workspace_id = ? AND version = ?",
                                 workspace_id, version)
                await tx.audit("key.destroyed", "workspace", workspace_id, version=version)
        return True


async def finish_installation(control: Control) -> bool:
    """Forget the older generation, and the older master key, if nothing has them any more. Nobody may have a file open
    but the appliance, which writes with the newer keys already."""
    keys = control.keys
    if await old_in_control(control):
        return False
    async with control.write(SYSTEM) as tx:
        await tx.audit("key.rotated", "installation", "", generation=keys.bundle.newest.number,
                       master_key_id=keys.primary_id)
    keys.finish()
    _log.info("rotation.finished", purpose="installation")
    return True


async def _renewed(workspace: Workspace, place: str) -> bool:
    try:
        return await workspace.files.renew(place[3:])
    except CannotOpen:
        # It can't be read with its own key either. It stays as it is, and reading it says so.
        _log.error("rotation.file_damaged", workspace_id=workspace.id)
        return False


async def _change_files(workspace: Workspace) -> None:
    keys = workspace.keys
    await change_key(workspace.db, keys.workspace_files[0])
    await change_key(workspace.journal_db, keys.journal_files[0], appender=workspace.journal)
    keys.workspace_file, keys.journal_file = keys.workspace_files[0], keys.journal_files[0]


async def _settle(tx: Transaction, workspace_id: str, purpose: Purpose) -> None:
    """Everything has the target now. Versions that nothing has any more are retired."""
    if not await tx.execute("UPDATE key_purpose SET version = target, target = NULL, cursor = '', trouble = '', "
                            "changed_at = ? WHERE workspace_id = ? AND purpose = ? AND target IS NOT NULL",
                            tx.now, workspace_id, purpose.value):
        return
    rows = await tx.rows("SELECT version, target FROM key_purpose WHERE workspace_id = ?", workspace_id)
    used = {version for row in rows for version in row if version is not None}
    if len(rows) < len(Purpose):
        used.add(1)
    newest = max(used)
    for (version,) in await tx.rows("SELECT version FROM workspace_key WHERE workspace_id = ? AND retired_at IS NULL",
                                    workspace_id):
        if version not in used and version < newest:
            await tx.execute("UPDATE workspace_key SET retired_at = ? WHERE workspace_id = ? AND version = ?",
                             tx.now, workspace_id, version)
    await tx.audit("key.rotated", "workspace", workspace_id, purpose=purpose.value)


async def _reseal(write: _Write, vault: Vault, columns: Sequence[SealedColumn]) -> None:
    """Every value under the newest key, a few hundred in a transaction."""
    for column in columns:
        after, more = "", True
        while more:
            async with write("keys") as tx:
                rows = await tx.rows(column.read, after)
                for row_id, sealed in rows:
                    again = None if vault.keys.is_current(sealed) else _sealed_again(vault, column, row_id, sealed)
                    if again is not None:
                        await tx.execute(column.change, again, row_id, sealed)
            after, more = rows[-1][0] if rows else "", len(rows) == BATCH


def _sealed_again(vault: Vault, column: SealedColumn, row_id: str, sealed: bytes) -> bytes | None:
    """None for a damaged value: it opens with no key, and stays as it is for whoever can mend it."""
    try:
        return vault.seal_again(sealed, table=column.table, row=row_id, column=column.column)
    except CannotOpen:
        _log.error("rotation.value_damaged", table=column.table, column=column.column)
        return None


async def old_in_control(control: Control) -> int:
    """How much of the installation still has an older key. Values that open with no key are damaged and have none."""
    keys = control.keys
    old = int(control.db.key != keys.newest_control_file)
    for _, _, wrapped in await control.db.rows("SELECT workspace_id, version, wrapped FROM workspace_key"):
        old += not keys.is_newest_wrap(wrapped)
    for row_id, sealed in await control.db.rows("SELECT id, body_sealed FROM parked_delivery "
                                                "WHERE length(body_sealed) > 0"):
        old += not keys.parked.is_current(sealed) and _opens(keys.parked, sealed, context("parked_delivery", row_id))
    return old + await _old_values(control.db, control.vault, CONTROL_VALUES)


async def old_in_workspace(workspace: Workspace, purpose: Purpose) -> int:
    """The same of one purpose of a workspace."""
    keys = workspace.keys
    if purpose is Purpose.FIELD:
        return await _old_values(workspace.db, workspace.vault, WORKSPACE_VALUES)
    if purpose is Purpose.FILE:
        return (workspace.db.key != keys.workspace_files[0]) + (workspace.journal_db.key != keys.journal_files[0])
    return await asyncio.to_thread(workspace.files.count_old)


async def _old_values(db: Db, vault: Vault, columns: Sequence[SealedColumn]) -> int:
    old, after = 0, ""
    for column in columns:
        after, rows = "", [("", b"")] * BATCH
        while len(rows) == BATCH:
            rows = await db.rows(column.read, after)
            for row_id, sealed in rows:
                if not vault.keys.is_current(sealed) and _sealed_again(vault, column, row_id, sealed) is not None:
                    old += 1
            after = rows[-1][0] if rows else ""
    return old


def _opens(versions: KeyVersions, sealed: bytes, associated: bytes) -> bool:
    try:
        versions.unseal(sealed, associated)
    except CannotOpen:
        return False
    return True


async def _has_version(workspace: Workspace, version: int) -> bool:
    uses = workspace.keys.uses
    if any(version in (use.version, use.target) for use in uses.values()):
        return True
    return any([await old_in_workspace(workspace, purpose) for purpose in (Purpose.FIELD, Purpose.MEDIA)])
