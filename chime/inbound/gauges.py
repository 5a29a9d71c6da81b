"""What a monitor should know of deliveries: how much waits for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chime.errors import NotFound, Unavailable
from chime.inbound import queries

if TYPE_CHECKING:
    from chime.web.services import Services


async def gauges(services: Services) -> dict[str, int]:
    """Events set aside in the workspaces that are open now (one in which something is applied is), deliveries parked
    in the whole installation. A workspace whose files are away must not cost the other figures."""
    set_aside = 0
    for workspace_id in services.registry.open_ids:
        try:
            async with services.registry.use(workspace_id) as workspace:
                set_aside += await queries.open_count(workspace.db)
        except (NotFound, Unavailable):
            continue
    return {"chime_events_set_aside": set_aside,
            "chime_deliveries_parked": await queries.parked_count(services.control.db)}
