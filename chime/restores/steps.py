"""Writing down how far a restore is."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chime.restores.model import OVER, Step
from chime.workspaces import Transaction


async def note(tx: Transaction, restore_id: str, step: Step, found: Mapping[str, int] | None = None, *,
               trouble: str = "") -> None:
    """A step is done. `tx` is control's; what was counted is added to what was before."""
    before = msgspec.json.decode(await tx.value("SELECT found_json FROM restore WHERE id = ?", restore_id) or "{}",
                                 type=dict[str, int])
    known = msgspec.json.encode({**before, **(found or {})}).decode()
    await tx.execute("UPDATE restore SET step = ?, changed_at = ?, trouble = ?, found_json = ?, finished_at = ? "
                     "WHERE id = ?", step.value, tx.audited_at, trouble, known,
                     tx.audited_at if step in OVER else None, restore_id)


async def note_trouble(tx: Transaction, restore_id: str, trouble: str) -> None:
    """It can't be gone on with now."""
    await tx.execute("UPDATE restore SET trouble = ?, changed_at = ? WHERE id = ? AND trouble <> ?", trouble,
                     tx.audited_at, restore_id, trouble)
