"""What a monitor should know of the inbox: how many messages are in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chime.errors import NotFound, Unavailable
from chime.inbox import doubt_queries

if TYPE_CHECKING:
    from chime.web.services import Services


async def gauges(services: Services) -> dict[str, int]:
    """Summed over the workspaces that are open now (one in which something is sent is). A workspace whose files are
    away must not cost the figure."""
    unconfirmed = 0
    for workspace_id in services.registry.open_ids:
        try:
            async with services.registry.use(workspace_id) as workspace:
                unconfirmed += await doubt_queries.count_unconfirmed(workspace.db)
        except (NotFound, Unavailable):
            continue
    return {"chime_messages_unconfirmed": unconfirmed}
