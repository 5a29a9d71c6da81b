"""What support looks at in a workspace is written into that workspace's own trail before it is shown: no row, no page.

The row names the page and the ids in its address, never what was typed into it; on whose grant it was asked for stands
in every row of the actor (`on_behalf`).
"""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from chime.web.identity import Identity
from chime.web.services import Services
from chime.workspaces import Record

KIND = "support"
# A row of its own tells of what was changed.
_READS = frozenset({"GET", "HEAD"})


async def note_support(services: Services, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler,
                       identity: Identity) -> None:
    """For each request of support in a workspace, before its handler runs. Raises Unavailable."""
    if identity.actor.kind != KIND or identity.workspace is None:
        return
    names = {name: str(value)[:40] for name, value in connection.path_params.items() if name != "slug"}
    record = Record(actor=identity.actor, object_kind="page", object_id=handler.handler_name, details=names,
                    action="support.viewed" if connection.scope.get("method") in _READS else "support.acted")
    async with services.registry.use(identity.workspace.id) as workspace:
        await workspace.records.first(record)
