"""What no job of a workspace looks after: the installation's own trail, the sums of refusals, the weekly mails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chime.audit import letters
from chime.audit.jobs import is_to_verify, let_all_go, sign_if_due, verify
from chime.audit.trail import installation_trail
from chime.clock import Clock
from chime.errors import Unavailable
from chime.log import Log
from chime.web.mail import Mailer
from chime.workspaces import Control

LOOK_EVERY = 60.0
_log = Log("audit")


def watch_installation(control: Control, clock: Clock, mailer: Mailer, flush: Callable[[], Awaitable[None]]
                       ) -> Callable[[], Awaitable[None]]:
    """Once a minute; `flush` writes the sums of refusals."""
    async def watch() -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await flush()
                await look(control, clock, mailer)
            except Unavailable as error:
                _log.warning("audit.installation_waits", reason=type(error).__name__)

    return watch


async def look(control: Control, clock: Clock, mailer: Mailer) -> None:
    """Do what is due now."""
    trail, now = installation_trail(control), clock.real_now()
    await sign_if_due(trail, now)
    await let_all_go(trail, now)
    if await is_to_verify(trail.db, now):
        await verify(trail, clock)
    await letters.mail_weekly(control, mailer, now)
