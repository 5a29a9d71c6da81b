"""Live updates: nudges over server-sent events. A nudge names what changed and carries nothing of it; the browser
fetches the fragment through the ordinary, permission-checked path.

Promise: a subscriber that stops reading is dropped with `resync` instead of growing memory, and every stream ends
within a moment when the process is told to stop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from itertools import count

import msgspec

from chime.ids import Ids
from chime.workspaces import LiveNudge

HEARTBEAT = 15.0
RING = 2_000
QUEUE = 256
MOST_STREAMS = 2_000


class _Subscriber:
    """One open stream. `None` in its queue ends it."""

    def __init__(self, user_id: str | None) -> None:
        self.user_id = user_id
        self.queue: asyncio.Queue[tuple[int, LiveNudge] | None] = asyncio.Queue(QUEUE)
        self.overflowed = False


class Hub:
    """Who listens to which workspace."""

    def __init__(self, ids: Ids) -> None:
        self.boot = ids.token(6)
        self._sequence = count(1)
        self._last = 0
        self._subscribers: dict[str, set[_Subscriber]] = {}
        self._ring: dict[str, deque[tuple[int, LiveNudge]]] = {}
        self._closing = False

    @property
    def streams(self) -> int:
        return sum(len(group) for group in self._subscribers.values())

    @property
    def position(self) -> str:
        """Where the events stand now; a page drawn now asks for what comes after it."""
        return self._id(self._last)

    def publish(self, workspace_id: str, nudges: tuple[LiveNudge, ...]) -> None:
        """Tell everybody who listens to this workspace."""
        for nudge in nudges:
            self._last = next(self._sequence)
            ring = self._ring.setdefault(workspace_id, deque(maxlen=RING))
            ring.append((self._last, nudge))
            for subscriber in self._subscribers.get(workspace_id, ()):
                self._put(subscriber, (self._last, nudge))

    @staticmethod
    def _put(subscriber: _Subscriber, item: tuple[int, LiveNudge] | None) -> None:
        try:
            subscriber.queue.put_nowait(item)
        except asyncio.QueueFull:
            subscriber.overflowed = True

    async def stream(self, workspace_id: str, user_id: str | None, after: str) -> AsyncIterator[bytes]:
        """The events of one browser. `after` is the id it saw last (`boot.sequence`), to be told what it missed."""
        if self._closing or self.streams >= MOST_STREAMS:
            yield _event("bye", {})
            return
        subscriber = _Subscriber(user_id)
        self._subscribers.setdefault(workspace_id, set()).add(subscriber)
        try:
            yield b"retry: 2000\n\n" + _event("hello", {"boot": self.boot, "seq": self._last},
                                              self._id(self._last))
            for part in self._missed(workspace_id, after):
                yield part
            while True:
                part = await self._next(subscriber)
                yield part
                if part.startswith(b"event: bye"):
                    return
        finally:
            self._leave(workspace_id, subscriber)

    def _leave(self, workspace_id: str, subscriber: _Subscriber) -> None:
        group = self._subscribers.get(workspace_id)
        if group is not None:
            group.discard(subscriber)
            if not group:
                del self._subscribers[workspace_id]

    async def _next(self, subscriber: _Subscriber) -> bytes:
        if subscriber.overflowed:
            subscriber.overflowed = False
            while not subscriber.queue.empty():
                subscriber.queue.get_nowait()
            return _event("resync", {"reason": "overflow"}, self._id(self._last))
        if self._closing:
            return _event("bye", {})
        try:
            async with asyncio.timeout(HEARTBEAT):
                item = await subscriber.queue.get()
        except TimeoutError:
            return _event("hb", {})
        if item is None:
            return _event("bye", {})
        return self._nudge(*item)

    def _nudge(self, sequence: int, nudge: LiveNudge) -> bytes:
        data: dict[str, object] = {"seq": sequence, "topic": nudge.topic, "id": nudge.id}
        if nudge.conversation_id is not None:
            data["conversation"] = nudge.conversation_id
        return _event("nudge", data, self._id(sequence))

    def _missed(self, workspace_id: str, after: str) -> list[bytes]:
        """What a browser that comes back did not hear; `resync` when we can't know that any more."""
        if not after:
            return []
        boot, _, text = after.rpartition(".")
        if boot != self.boot or not text.isdigit():
            return [_event("resync", {"reason": "restart"}, self._id(self._last))]
        ring = self._ring.get(workspace_id, deque())
        if ring and len(ring) == RING and ring[0][0] > int(text) + 1:
            return [_event("resync", {"reason": "too long ago"}, self._id(self._last))]
        return [self._nudge(sequence, nudge) for sequence, nudge in ring if sequence > int(text)]

    def _id(self, sequence: int) -> str:
        return f"{self.boot}.{sequence}"

    def end_streams_of(self, user_id: str) -> None:
        """A person signed out or was removed: their streams end now."""
        for group in self._subscribers.values():
            for subscriber in group:
                if subscriber.user_id == user_id:
                    self._put(subscriber, None)

    def close(self) -> None:
        """The process stops: every stream says goodbye and ends, or the server would wait for all of them."""
        self._closing = True
        for group in self._subscribers.values():
            for subscriber in group:
                self._put(subscriber, None)


def _event(name: str, data: dict[str, object], event_id: str = "") -> bytes:
    head = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{head}data: {msgspec.json.encode(data).decode()}\n\n".encode()
