"""Who is there: a page of theirs holds a live stream open.

Written down twice a minute and no more often: a workspace in which nothing happens writes a few small rows while people
look at it, and none when they don't. That somebody left needs no row: the moment grows old.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress

from chime.errors import NotFound, Unavailable
from chime.routing import actions
from chime.routing.model import SEEN_EVERY
from chime.web.services import Services

LOOK_EVERY = 1.0


def watch(services: Services) -> Callable[[], Awaitable[None]]:
    """The task that looks, for the supervisor."""
    written: dict[tuple[str, str], int] = {}

    async def run() -> None:
        while True:
            await look(services, written)
            await asyncio.sleep(LOOK_EVERY)

    return run


async def look(services: Services, written: dict[tuple[str, str], int]) -> None:
    """Write down who is there and was not written down lately. Whoever comes is known at once."""
    now, here = services.clock.real_now(), services.hub.listeners()
    for gone in [who for who in written.keys() - here if abs(now - written[who]) >= SEEN_EVERY]:
        del written[gone]
    due: dict[str, list[str]] = defaultdict(list)
    for workspace_id, user_id in here:
        if abs(now - written.get((workspace_id, user_id), 0)) >= SEEN_EVERY:
            due[workspace_id].append(user_id)
    for workspace_id, user_ids in due.items():
        with suppress(NotFound, Unavailable):  # closed just now, or a full disk: the next look tries again
            async with services.registry.use(workspace_id) as workspace, workspace.ingest("presence") as tx:
                await actions.see(tx, user_ids)
            written.update({(workspace_id, user_id): now for user_id in user_ids})
