"""The answer that carries live updates. A plain ASGI answer: Litestar's own stream keeps three tasks and a generator
for each browser and costs several times as much for each event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from litestar.types import Receive, Scope, Send

from chime.web.live import Hub, Nudged, Subscriber

_HEADERS = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"))


# Of these conversations, those the reader reaches now.
InSight = Callable[[set[str]], Awaitable[set[str]]]


class LiveStream:
    """One browser's stream; a handler returns it. Nothing is held before it is called."""

    def __init__(self, hub: Hub, workspace_id: str, user_id: str | None, session_id: str, after: str, *,
                 in_sight: InSight | None = None) -> None:
        self._hub = hub
        self._workspace_id = workspace_id
        self._user_id = user_id
        self._session_id = session_id
        self._after = after
        self._in_sight = in_sight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        subscriber = self._hub.join(self._workspace_id, self._user_id, self._session_id, self._after)
        gone = asyncio.create_task(_until_gone(subscriber, receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            more = True
            while more:
                await subscriber.wake.wait()
                more = not subscriber.ends
                body = await self._told(self._hub.take(subscriber))
                await send({"type": "http.response.body", "body": body, "more_body": more})
        finally:
            gone.cancel()
            self._hub.leave(subscriber)


    async def _told(self, waiting: list[Nudged]) -> bytes:
        """Whoever does not reach everything hears only of what they reach at this very moment."""
        if self._in_sight is not None:
            named = {nudged.conversation_id for nudged in waiting if nudged.conversation_id}
            seen = await self._in_sight(named) if named else set()
            waiting = [nudged for nudged in waiting if not nudged.conversation_id or nudged.conversation_id in seen]
        return b"".join(nudged.event for nudged in waiting)


async def _until_gone(subscriber: Subscriber, receive: Receive) -> None:
    """Sending to a browser that left raises nothing, so somebody must listen for its leaving."""
    while (await receive())["type"] != "http.disconnect":
        pass
    subscriber.end()
