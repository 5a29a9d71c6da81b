"""What operators decide about a workspace beyond suspending it. `tx` is control's."""

from __future__ import annotations

import msgspec

from chime.errors import NotFound
from chime.workspaces import Transaction
from chime.workspaces.quotas import Quota


async def set_quota(tx: Transaction, workspace_id: str, quota: Quota) -> None:
    """Raises NotFound."""
    if not await tx.value("SELECT 1 FROM workspace WHERE id = ? AND state <> 'erased'", workspace_id):
        raise NotFound("There is no such workspace.")
    await tx.execute(
        "INSERT INTO workspace_quota (workspace_id, bytes, messages, members, numbers, changed_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (workspace_id) DO UPDATE SET bytes = excluded.bytes, "
        "messages = excluded.messages, members = excluded.members, numbers = excluded.numbers, "
        "changed_at = excluded.changed_at",
        workspace_id, quota.bytes, quota.messages, quota.members, quota.numbers, tx.now)
    await tx.audit("quota.set", "workspace", workspace_id, workspace_id=workspace_id, **msgspec.to_builtins(quota))
