"""What nobody asks for: streams of sessions that ended elsewhere or fell idle, and of people who are no members any
more or may see something else now; sessions that passed by the provider since it is the only way in; rows of sessions
that time ended; factors whose removal is due; troubles of audit trails that nobody was told of.

A command at the shell, another process, or mere time ends a session or a membership without telling the streams of
this one; so each second it is looked which of those with an open stream still live, and with which rights. Three
queries, and none when nothing is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from chime.accounts import alarm_notices, queries, second_factor, sessions
from chime.accounts.notify import notify
from chime.clock import MINUTE
from chime.errors import Unavailable
from chime.security.permissions import SYSTEM
from chime.web.services import Services

LOOK_EVERY = 1.0

# What the rights of a person in a workspace came from when they were last looked at.
Standings = dict[tuple[str, str], str]


def watch(services: Services) -> Callable[[], Awaitable[None]]:
    """The task that looks, for the supervisor."""

    async def run() -> None:
        looked_at = 0
        known: Standings = {}
        while True:
            await end_passed_by(services)
            await end_streams(services, known)
            now = services.clock.real_now()
            if now - looked_at >= MINUTE:
                looked_at = now
                with suppress(Unavailable):  # a full disk: it waits, and streams end in time all the same
                    await take_due_factors_away(services)
                    await forget_ended(services)
                    await alarm_notices.tell(services)
            await asyncio.sleep(LOOK_EVERY)

    return run


async def end_streams(services: Services, known: Standings) -> None:
    """Streams end with their session, and with the membership they belong to, within a moment of it; and when what
    somebody may see changes, so that they come back with the new rights. `known` is what they had."""
    held, now = services.hub.sessions(), services.clock.real_now()
    if held:
        alive = await sessions.living_among(services.control.db, list(held), now)
        services.hub.end_streams_of_sessions(held - alive)
        for workspace_id, user_id in await queries.strangers_among(services.control.db, services.hub.listeners(), now):
            services.hub.end_streams_of(user_id, workspace_id)
        now_held = await queries.standings(services.control.db, services.hub.listeners())
        for (workspace_id, user_id), standing in now_held.items():
            if known.setdefault((workspace_id, user_id), standing) != standing:
                services.hub.end_streams_of(user_id, workspace_id)
        known |= now_held


async def end_passed_by(services: Services) -> None:
    """Where everybody uses the provider, whoever is in without it is out within a moment: of the start of a Chime that
    was told so, or of being no break-glass user any more."""
    provider, control = services.config.oidc, services.control
    if provider is None or not provider.only:
        return
    ended = await sessions.passed_by_provider(control.db, services.clock.real_now())
    if ended:
        with suppress(Unavailable):
            async with control.write(SYSTEM) as tx:
                for session_id in ended:
                    await sessions.end_session(tx, session_id)
        services.hub.end_streams_of_sessions(ended)


async def forget_ended(services: Services) -> None:
    """Nothing of a session is kept when it is over."""
    now = services.clock.real_now()
    if await services.control.db.value("SELECT 1 FROM session WHERE expires_at < ?", now):
        async with services.control.ingest("session") as tx:
            await sessions.forget_ended(tx, now)


async def take_due_factors_away(services: Services) -> None:
    """Who lost every factor waited a day, in which they or an owner could have said no."""
    for due in await second_factor.due_resets(services.control.db, services.clock.real_now()):
        async with services.control.write(SYSTEM) as tx:
            if not await second_factor.still_stands(tx, due):
                await second_factor.cancel_reset(tx, due.user_id)
                continue
            ended = await second_factor.take_all_away(tx, due.user_id)
            await notify(services, tx, due.user_id, "second_factor_reset")
        services.hub.end_streams_of_sessions(ended)
