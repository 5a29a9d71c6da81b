"""What customers said and the inbox does not know yet: webhooks in the journal that are not applied.

After a crash, an outage of the disk or a suspension thousands may wait there, a STOP among them. Until they are in
effect nothing leaves: the rules a send is held against would be those of a world that is over.
"""

from __future__ import annotations

from chime.clock import SECOND
from chime.workspaces import Workspace

# Applying is a moment behind at any busy time, and a STOP that comes in the same moment as our message is too late by
# anybody's clock. What waits longer than this waits for a reason.
NORMAL_DELAY = 5 * SECOND
LOOKS_AGAIN_IN = 0.5


async def is_behind(workspace: Workspace, now: int) -> bool:
    """Whether something waits in the journal for longer than applying takes."""
    since = await workspace.unapplied_since()
    return since is not None and abs(now - since) > NORMAL_DELAY  # a clock that was put back makes it the future
