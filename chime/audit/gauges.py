"""What a monitor should know of the audit trails: whether one is not what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chime.audit import queries
from chime.audit.jobs import last_verdict
from chime.db import Db
from chime.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from chime.web.services import Services


async def gauges(services: Services) -> dict[str, int]:
    """Trails with an alarm or a bad verdict, of the workspaces that are open now and of the installation."""
    broken = int(await _is_broken(services.control.db))
    for workspace_id in services.registry.open_ids:
        try:
            async with services.registry.use(workspace_id) as workspace:
                broken += await _is_broken(workspace.db)
        except (NotFound, Unavailable):
            continue
    return {"chime_audit_trails_broken": broken}


async def _is_broken(db: Db) -> bool:
    verdict = await last_verdict(db)
    return await queries.alarm(db) is not None or (verdict is not None and not verdict.ok)
