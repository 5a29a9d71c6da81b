"""Having a backup made now, at the shell."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chime.backups.chores import ask
from chime.backups.loop import Backups
from chime.backups.trial import Check
from chime.clock import Clock
from chime.config import Config
from chime.errors import Unavailable
from chime.ids import Ids
from chime.workspaces import Control, Registry


async def backup_now(control: Control, registry: Registry, config: Config, clock: Clock, *,
                     checks: Sequence[Check], seconds: float = 60.0) -> bool:
    """Bring the shelf up to date with everything committed until now: by the appliance when it runs, else here. False
    when the appliance did not finish in time. Raises Unavailable with what is in the way, OSError."""
    ids = Ids()
    backups = Backups(config, control, registry, clock, ids, checks=checks)
    if await asyncio.to_thread(backups.take_shelf):
        _need_all(await backups.once())
        return True
    token = ids.token(12)
    answer = await asyncio.to_thread(ask, backups.shelf, token)
    deadline = clock.monotonic() + seconds
    while clock.monotonic() < deadline:
        answered, _, trouble = (answer.read_text("utf-8") if answer.exists() else "").partition("\n")
        if answered == token:
            _need_all(trouble)
            return True
        await asyncio.sleep(0.2)
    return False


def _need_all(trouble: str) -> None:
    if trouble:
        raise Unavailable(f"not everything is backed up: {trouble}")
