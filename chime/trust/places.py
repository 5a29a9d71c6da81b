"""Which workspaces a self-check looks into: all of a small installation, and of a large one some, other ones each hour.
"""

from __future__ import annotations

from chime.clock import HOUR
from chime.trust.ground import Ground
from chime.workspaces import WorkspaceRecord

MOST = 12


async def some_workspaces(ground: Ground) -> list[WorkspaceRecord]:
    """Active ones; after a day everyone of up to 288 had its turn."""
    active = [record for record in await ground.control.workspaces() if record.state == "active"]
    if len(active) <= MOST:
        return active
    start = ground.clock.real_now() // HOUR * MOST % len(active)
    return (active + active)[start:start + MOST]
