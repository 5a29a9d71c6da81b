"""Rows in the workspace's own trail of what is decided in control.db: its people see who asked and who let them in."""

from __future__ import annotations

from typing import Any

from chime.security.permissions import Actor
from chime.web.services import Services
from chime.workspaces import Record


async def in_workspace(services: Services, workspace_id: str, actor: Actor, action: str, grant_id: str,
                       **details: Any) -> None:
    """Written before control's transaction commits, so nobody is let in unwritten. Raises Unavailable, and then
    nothing is committed there either."""
    record = Record(actor=actor, action=action, object_kind="support_grant", object_id=grant_id, details=details)
    async with services.registry.use(workspace_id) as workspace:
        await workspace.records.first(record)
