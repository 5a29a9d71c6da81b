"""What a restore works with in the running appliance, or in a command in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from chime import backups
from chime.jobs import Pace, Work
from chime.log import Log
from chime.restores.model import Laid, Means
from chime.restores.restorer import Restorer
from chime.restores.trial import trial_checks
from chime.web.services import Services
from chime.workspaces import Workspace

Apply = Callable[[Work, str], Awaitable[None]]


def restorer(services: Services, apply: Apply, *, serves: bool = True) -> Restorer:
    """`apply` is the job that applies the journal; it lives above. Not `serves`: a command, which starts no jobs."""
    return Restorer(means(services, apply, serves=serves))


def kept_by(services: Services) -> backups.Backups:
    """The backups of the running appliance, each of which is good only when the checks of a trial restore say so."""
    return backups.Backups(services.config, services.control, services.registry, services.clock, services.ids,
                           checks=trial_checks(services.control))


def means(services: Services, apply: Apply, *, serves: bool = True) -> Means:
    async def catch_up(workspace: Workspace) -> None:
        # What would be started by it stays where it is: rows are the truth, and are found once the workspace is open.
        work = Work(workspace, services.control, services.graph, services.clock, Pace(services.clock), Log("jobs"),
                    _nothing, services.egress, services.mailer)
        await apply(work, "journal")

    async def lay(workspace_id: str, at: int, folder: Path) -> Laid:
        keys = await services.control.workspace_keys(workspace_id)
        shelf = backups.Shelf(services.config.backup_dir)
        laid = await asyncio.to_thread(backups.lay_workspace, shelf, workspace_id, keys, at=at, target=folder)
        return Laid(laid.as_of, laid.bytes)

    async def wake(workspace_id: str) -> None:
        if serves:
            await services.runner.sweep([workspace_id])

    return Means(services.control, services.registry, services.clock, lay, catch_up, services.hub.end_streams_in, wake)


def _nothing(kind: str, object_id: str, *, delay: float = 0.0) -> bool:
    return False
