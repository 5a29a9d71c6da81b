"""Refused attempts: each is a row of its own, a hundred a minute for one caller; of further ones a row tells how many.

A refusal concerns the workspace it was aimed at, if the caller is a member there; else the installation. It says which
permission lacked and which address was asked, by the name of its handler, never the address itself.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from chime.clock import Clock
from chime.errors import NotFound, Unavailable
from chime.log import Log
from chime.security.permissions import Actor
from chime.workspaces import Control, Record, Registry

if TYPE_CHECKING:
    from chime.web.identity import Identity

MOST_A_MINUTE = 100
MINUTE = 60.0
MOST_CALLERS = 10_000
ACTION = "access.denied"
_log = Log("audit")


class _Minute(msgspec.Struct):
    """What one caller was refused since `began` (monotonic seconds)."""

    actor: Actor
    workspace_id: str | None
    began: float
    written: int = 0
    left_out: int = 0


class Denials:
    """Takes note of refusals."""

    def __init__(self, control: Control, registry: Registry, clock: Clock) -> None:
        self._control = control
        self._registry = registry
        self._clock = clock
        self._minutes: OrderedDict[tuple[str, str, str | None], _Minute] = OrderedDict()

    async def note(self, identity: Identity, lacked: str, handler: str) -> None:
        """This caller was refused. The refusal stands whether it can be written down or not."""
        actor, workspace_id = identity.actor, identity.workspace.id if identity.workspace else None
        key, now = (actor.kind, actor.id or "", workspace_id), self._clock.monotonic()
        minute = self._minutes.get(key)
        if minute is None or now - minute.began >= MINUTE:
            over, minute = minute, _Minute(actor, workspace_id, now)
            self._minutes[key] = minute
            self._minutes.move_to_end(key)
            if len(self._minutes) > MOST_CALLERS:
                over = self._minutes.popitem(last=False)[1]
            if over is not None:
                await self._sum_up(over)
        if minute.written >= MOST_A_MINUTE:
            minute.left_out += 1
            return
        minute.written += 1
        await self._write(actor, workspace_id, handler, {"lacked": lacked})

    async def flush(self) -> None:
        """Write the sums of the minutes that are over."""
        now = self._clock.monotonic()
        for key in [key for key, minute in self._minutes.items() if now - minute.began >= MINUTE]:
            await self._sum_up(self._minutes.pop(key))

    async def close(self) -> None:
        """Write all sums."""
        while self._minutes:
            await self._sum_up(self._minutes.popitem(last=False)[1])

    async def _sum_up(self, minute: _Minute) -> None:
        if minute.left_out:
            await self._write(minute.actor, minute.workspace_id, "", {"further": minute.left_out})

    async def _write(self, actor: Actor, workspace_id: str | None, handler: str, details: dict[str, object]) -> None:
        record = Record(actor=actor, action=ACTION, object_kind="route", object_id=handler, details=details,
                        denied=True)
        try:
            if workspace_id is None:
                await self._control.records.first(record)
                return
            async with self._registry.use(workspace_id) as workspace:
                await workspace.records.first(record)
        except (NotFound, Unavailable) as error:
            _log.warning("audit.refusal_not_written", reason=type(error).__name__)
