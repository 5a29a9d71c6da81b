"""What people can have done with copies. `tx` is control's.

Each verb only writes down what shall happen; the `Restorer` does it, and goes on with it after a crash.
"""

from __future__ import annotations

import re

from chime.errors import Conflict, Invalid, NotFound, Sentence
from chime.restores import queries
from chime.restores.model import ACTIVE, MUTED, Copy, Kind, Restore
from chime.workspaces import Transaction
from chime.workspaces.closing import erase

LONGEST_NAME = 80
_SPACES = re.compile(r"\s+")


async def ask_copy(tx: Transaction, workspace_id: str, *, at: int, name: str, asked_by: str, asked_name: str) -> str:
    """Have a workspace's state of a moment opened as a muted copy; the id of the restore. Raises NotFound, Invalid,
    Conflict."""
    original = await _original(tx, workspace_id)
    if at > tx.audited_at:
        raise Invalid.field("at", "Choose a moment that is over.")
    name = _SPACES.sub(" ", name).strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Invalid.field("name", Sentence("Give the copy a name of at most %(most)s characters.", most=LONGEST_NAME))
    if await tx.value("SELECT 1 FROM workspace WHERE name = ?", name):
        raise Invalid.field("name", "There is a workspace or a copy of this name already.")
    await _nothing_under_way(tx, original)
    restore_id = tx.new_id()
    await _write_down(tx, restore_id, Kind.COPY, original, copy_id=tx.new_id(), name=name, as_of=at,
                      asked_by=asked_by, asked_name=asked_name)
    await tx.audit("workspace.copy_requested", "workspace", original, workspace_id=original, restore_id=restore_id,
                   at=at)
    return restore_id


async def ask_take_over(tx: Transaction, copy_id: str, *, restore_id: str | None = None, asked_by: str,
                        asked_name: str) -> str:
    """Have a copy take its workspace's place; the id of the restore, which is what was asked for before (an approval)
    where there is one. Said twice with the same id, it counts once. Raises NotFound, Conflict."""
    if restore_id is not None and await queries.restore(tx, restore_id) is not None:
        return restore_id
    found = await _copy(tx, copy_id)
    await _nothing_under_way(tx, found.copied_from)
    if found.state != MUTED:
        raise Conflict("This copy is not ready.")
    state = await tx.value("SELECT state FROM workspace WHERE id = ?", found.copied_from)
    if state != ACTIVE:
        raise Conflict("The workspace is not open now, so nothing can take its place. Resume it first.")
    restore_id = restore_id or tx.new_id()
    await _write_down(tx, restore_id, Kind.TAKE_OVER, found.copied_from, copy_id=copy_id, name=found.name,
                      as_of=found.as_of, asked_by=asked_by, asked_name=asked_name)
    await tx.audit("workspace.restore_begun", "workspace", found.copied_from, workspace_id=found.copied_from,
                   restore_id=restore_id, as_of=found.as_of)
    return restore_id


async def throw_away(tx: Transaction, copy_id: str) -> None:
    """Its keys are deleted, its files after. Raises NotFound, Conflict while it is being made or takes over."""
    found = await _copy(tx, copy_id)
    if found.state != MUTED or await tx.value("SELECT 1 FROM restore WHERE copy_id = ? AND finished_at IS NULL",
                                              copy_id):
        raise Conflict("Something is being done with this copy; wait for that.")
    await tx.audit("workspace.copy_removed", "workspace", found.copied_from, workspace_id=found.copied_from,
                   copy_id=copy_id)
    await erase(tx, copy_id)


async def _copy(tx: Transaction, copy_id: str) -> Copy:
    found = await queries.copy(tx, copy_id)
    if found is None:
        raise NotFound("There is no such copy, or it was thrown away.")
    return found


async def _original(tx: Transaction, workspace_id: str) -> str:
    """Of a copy the workspace it is of."""
    rows = await tx.rows("SELECT coalesce(copied_from, id) FROM workspace WHERE id = ? AND state <> 'erased'",
                         workspace_id)
    if not rows:
        raise NotFound("There is no such workspace.")
    return str(rows[0][0])


async def _nothing_under_way(tx: Transaction, workspace_id: str) -> None:
    found: Restore | None = await queries.under_way(tx, workspace_id)
    if found is not None:
        raise Conflict("A restore of this workspace is under way; wait for its end.")


async def _write_down(tx: Transaction, restore_id: str, kind: Kind, workspace_id: str, *, copy_id: str, name: str,
                      as_of: int, asked_by: str, asked_name: str) -> None:
    await tx.execute("INSERT INTO restore (id, kind, workspace_id, copy_id, name, as_of, asked_by, asked_name, "
                     "asked_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", restore_id, kind.value,
                     workspace_id, copy_id, name, as_of, asked_by, asked_name, tx.audited_at, tx.audited_at)
