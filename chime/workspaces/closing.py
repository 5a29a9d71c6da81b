"""Suspending and erasing workspaces. `tx` is control's.

A suspended workspace lets nobody in and sends nothing; what Meta delivers for it is kept, and takes effect when it is
resumed. Erasing deletes the wrapped keys, which makes every file of the workspace unreadable at once, and then the
files. Copies of the wrapped keys may be in backups of control.db: what was erased can't be read anywhere when the last
of those is gone, and not before. Nothing here says otherwise.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable

from chime.clock import DAY, Clock
from chime.errors import Conflict, NotFound, Unavailable
from chime.log import Log
from chime.security.permissions import SYSTEM
from chime.workspaces.control import Control
from chime.workspaces.registry import Registry, workspace_folder
from chime.workspaces.transaction import Transaction

# Between the wish and the deed, so that a stolen session or a moment's anger destroys nothing.
COOLING_OFF = 7 * DAY
LOOK_EVERY = 2.0
_log = Log("workspaces")
# What of a workspace lies in control.db and is nobody's any more. Memberships stay: a workspace keeps an owner, and
# without its workspace a membership opens nothing.
_LEFT = (
    "DELETE FROM channel_route WHERE workspace_id = ?",
    "DELETE FROM key_purpose WHERE workspace_id = ?",
    "DELETE FROM workspace_key WHERE workspace_id = ?",
    "DELETE FROM workspace_erasure WHERE workspace_id = ?",
    "DELETE FROM workspace_policy WHERE workspace_id = ?",
    "DELETE FROM team WHERE workspace_id = ?",
    "DELETE FROM custom_role WHERE workspace_id = ?",
    "DELETE FROM invitation WHERE workspace_id = ?",
    "DELETE FROM ownership_offer WHERE workspace_id = ?",
    "DELETE FROM group_role WHERE workspace_id = ?",
    "DELETE FROM erased_subject WHERE workspace_id = ?",
    "DELETE FROM workspace_move WHERE workspace_id = ?",
    "DELETE FROM workspace_quota WHERE workspace_id = ?",
    "DELETE FROM workspace_usage WHERE workspace_id = ?",
    "DELETE FROM workspace_usage_day WHERE workspace_id = ?",
)


async def suspend(tx: Transaction, workspace_id: str, reason: str = "") -> None:
    """`reason` is what its people read. Raises NotFound."""
    if await tx.execute("UPDATE workspace SET state = 'suspended', suspended_at = ?, suspension_reason = ? "
                        "WHERE id = ? AND state = 'active'", tx.audited_at, reason, workspace_id):
        await tx.audit("workspace.suspended", "workspace", workspace_id, workspace_id=workspace_id)
    else:
        await _must_be(tx, workspace_id)


async def resume(tx: Transaction, workspace_id: str) -> None:
    """Raises NotFound, Conflict for one that was handed over: it may be alive elsewhere."""
    if await tx.value("SELECT 1 FROM workspace_move WHERE workspace_id = ?", workspace_id):
        raise Conflict("This workspace was handed over to another server. If it does not work there, take it back "
                       "with `chime workspace take-back`.")
    if await tx.execute("UPDATE workspace SET state = 'active', suspended_at = NULL, suspension_reason = '' "
                        "WHERE id = ? AND state = 'suspended'", workspace_id):
        await tx.audit("workspace.resumed", "workspace", workspace_id, workspace_id=workspace_id)
    else:
        await _must_be(tx, workspace_id)


async def _must_be(tx: Transaction, workspace_id: str) -> None:
    if not await tx.value("SELECT 1 FROM workspace WHERE id = ? AND state <> 'erased'", workspace_id):
        raise NotFound("there is no such workspace")


async def ask_erasure(tx: Transaction, workspace_id: str, *, asked_by: str, now: int) -> int:
    """Have it erased after the cooling-off; when that is over. Raises Conflict when somebody asked already."""
    if await tx.value("SELECT 1 FROM workspace_erasure WHERE workspace_id = ?", workspace_id):
        raise Conflict("Somebody asked for this already.")
    await tx.execute("INSERT INTO workspace_erasure (workspace_id, asked_by, asked_at, due_at) VALUES (?, ?, ?, ?)",
                     workspace_id, asked_by, now, now + COOLING_OFF)
    await tx.audit("workspace.erasure_requested", "workspace", workspace_id)
    return now + COOLING_OFF


async def confirm_erasure(tx: Transaction, workspace_id: str, *, confirmed_by: str) -> None:
    """Another owner agrees. Raises Conflict when there is nothing to agree to, or it is one's own wish."""
    if not await tx.execute("UPDATE workspace_erasure SET confirmed_by = ? WHERE workspace_id = ? AND asked_by <> ? "
                            "AND confirmed_by IS NULL", confirmed_by, workspace_id, confirmed_by):
        raise Conflict("There is nothing to agree to; nobody agrees to their own wish.")
    await tx.audit("workspace.erasure_confirmed", "workspace", workspace_id)


async def cancel_erasure(tx: Transaction, workspace_id: str) -> None:
    """Raises NotFound when nobody asked."""
    if not await tx.execute("DELETE FROM workspace_erasure WHERE workspace_id = ?", workspace_id):
        raise NotFound("Nobody asked for this, or it is cancelled already.")
    await tx.audit("workspace.erasure_cancelled", "workspace", workspace_id)


async def erase(tx: Transaction, workspace_id: str) -> None:
    """The keys are deleted, its numbers lead nowhere, its API keys open nothing. From the commit on nothing of it can
    be read; its files are removed after. Raises NotFound."""
    if not await tx.execute("UPDATE workspace SET state = 'erased', name = 'erased ' || id, slug = 'erased-' || id "
                            "WHERE id = ? AND state <> 'erased'", workspace_id):
        raise NotFound("there is no such workspace")
    for statement in _LEFT:
        await tx.execute(statement, workspace_id)
    await tx.execute("UPDATE api_key SET revoked_at = ? WHERE workspace_id = ? AND revoked_at IS NULL", tx.now,
                     workspace_id)
    await tx.audit("workspace.erased", "workspace", workspace_id)
    for (copy_id,) in await tx.rows("SELECT id FROM workspace WHERE copied_from = ? AND state <> 'erased'",
                                    workspace_id):
        await erase(tx, copy_id)


async def is_confirmed(tx: Transaction, workspace_id: str) -> bool:
    """Whether the second person agreed, or there is none."""
    return bool(await tx.value(
        "SELECT 1 FROM workspace_erasure WHERE workspace_id = ?1 AND (confirmed_by IS NOT NULL OR NOT EXISTS ("
        "SELECT 1 FROM membership JOIN user ON user.id = membership.user_id WHERE membership.workspace_id = ?1 "
        "AND membership.role = 'owner' AND membership.state = 'active' AND user.disabled_at IS NULL "
        "AND user.id <> workspace_erasure.asked_by))", workspace_id))


class Closing:
    """Does in the appliance what follows from it: streams end, files are closed and removed, what is due is erased.
    A command at the shell, or a crash, leaves the rest to it."""

    def __init__(self, control: Control, registry: Registry, clock: Clock, end_streams: Callable[[str], None]) -> None:
        self._control = control
        self._registry = registry
        self._clock = clock
        self._end_streams = end_streams
        self._gone: set[str] = set()

    async def watch(self) -> None:
        while True:
            try:
                await self.look()
            except Unavailable as error:
                _log.warning("closing.waits", reason=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Once."""
        await self._erase_due()
        for workspace_id, state in await self._control.db.rows("SELECT id, state FROM workspace "
                                                               "WHERE state NOT IN ('active', 'muted')"):
            if workspace_id in self._gone:
                continue
            self._end_streams(workspace_id)
            if state == "erased":
                await self._registry.expel(workspace_id)
                await remove_files(self._control, workspace_id)
                self._gone.add(workspace_id)

    async def _erase_due(self) -> None:
        rows = await self._control.db.rows("SELECT workspace_id FROM workspace_erasure WHERE due_at <= ?",
                                           self._clock.real_now())
        for (workspace_id,) in rows:
            async with self._control.write(SYSTEM) as tx:
                if await is_confirmed(tx, workspace_id):
                    await erase(tx, workspace_id)


async def remove_files(control: Control, workspace_id: str) -> None:
    """The folder of an erased workspace, and what the log of control.db still says of its keys."""
    folder = workspace_folder(control.keys.data_dir, workspace_id)
    if folder.exists():
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        _log.info("workspace.files_removed", workspace_id=workspace_id)
    await control.db.empty_log()
