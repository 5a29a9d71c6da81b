"""Changing what control.db holds of a workspace, from a page of it or for a script: the one way its handlers write.

Who may take a conversation hangs on roles, teams and numbers, so what waits is looked at again after each of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chime.accounts.model import QUEUE, ROUTE
from chime.accounts.trail_jobs import COPY, EVERYTHING
from chime.web.here import Here
from chime.workspaces import Transaction


@asynccontextmanager
async def changing(here: Here) -> AsyncIterator[Transaction]:
    """An audited transaction of control.db; the workspace's own trail hears of it at once."""
    async with here.services.control.write(here.actor) as tx:
        yield tx
    here.services.runner.start(here.record.id, COPY, EVERYTHING)
    here.services.runner.start(here.record.id, ROUTE, QUEUE)
