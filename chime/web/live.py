"""Live updates: nudges over server-sent events. A nudge names what changed and carries nothing of it; the browser
fetches the fragment through the ordinary, permission-checked path.

Promises: a nudge is written out once, however many listen; a subscriber that stops reading costs a queue of 256 and is
told `resync` when it reads on (the server closes it after half a minute); every stream ends within a moment when the
process is told to stop; one workspace cannot take all the streams.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Collection
from itertools import count
from typing import NamedTuple

import msgspec

from chime.ids import Ids
from chime.workspaces import LiveNudge

HEARTBEAT = 15
RING = 2_000
# Nudges remembered of all workspaces together: about 20 MB.
MOST_REMEMBERED = 100_000
QUEUE = 256
MOST_STREAMS = 2_000
MOST_STREAMS_OF_ONE = 1_000
# A browser needs one however many tabs it has; on plain http one for each tab that is seen.
MOST_STREAMS_OF_SESSION = 4
MOST_STREAMS_OF_PERSON = 8
# Browsers that lost the server come back spread over this many milliseconds.
RETRY_FROM, RETRY_TO = 1_000, 5_000


class Nudged(NamedTuple):
    """An event ready to be written, and the conversation it tells of, for readers who may not hear of all."""

    event: bytes
    conversation_id: str = ""


class Subscriber:
    """One open stream: what waits to be written, and a wake-up for its writer."""

    def __init__(self, workspace_id: str, user_id: str | None, session_id: str, number: int) -> None:
        self.workspace_id = workspace_id
        self.user_id = user_id
        self.session_id = session_id
        self.number = number
        self.waiting: list[Nudged] = []
        self.overflowed = False
        self.ends = False
        self.wake = asyncio.Event()

    def put(self, event: Nudged) -> None:
        """Queue an event. One too many empties the queue: the browser loads anew instead."""
        if self.overflowed or self.ends:
            return
        if len(self.waiting) >= QUEUE:
            self.waiting.clear()
            self.overflowed = True
        else:
            self.waiting.append(event)
        self.wake.set()

    def end(self) -> None:
        """No more events; the writer says goodbye."""
        self.ends = True
        self.wake.set()


class _Ring:
    """The newest nudges of one workspace. It holds all after the one numbered `complete_after`."""

    def __init__(self, complete_after: int) -> None:
        self.complete_after = complete_after
        self.events: deque[tuple[int, Nudged]] = deque()


class Hub:
    """Who listens to which workspace. Lives on the event loop's thread."""

    def __init__(self, ids: Ids, *, factor: int = 1) -> None:
        self._factor = factor
        self._places: Counter[tuple[str, str]] = Counter()
        self.boot = ids.token(6)
        self._last = 0
        self._numbers = count(1)
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._rings: OrderedDict[str, _Ring] = OrderedDict()
        self._remembered = 0
        self._forgotten = 0
        self._streams = 0
        self._closing = False
        self._beat: asyncio.TimerHandle | None = None
        self._beats = 0

    @property
    def streams(self) -> int:
        return self._streams

    @property
    def position(self) -> str:
        """Where the events stand now; a page drawn now asks for what comes after it."""
        return self._id(self._last)

    def publish(self, workspace_id: str, nudges: tuple[LiveNudge, ...]) -> None:
        """Tell everybody who listens to this workspace."""
        for nudge in nudges:
            if nudge.user_id is not None:
                self._tell_one(workspace_id, nudge)
                continue
            self._last += 1
            told = nudge.conversation_id or (nudge.id if nudge.topic == "conversation" else "")
            event = Nudged(self._nudge(self._last, nudge), told)
            self._remember(workspace_id, self._last, event)
            for subscriber in self._subscribers.get(workspace_id, ()):
                subscriber.put(event)

    def mention(self, workspace_id: str, name: str, data: dict[str, object], conversation_id: str) -> None:
        """Tell everybody who may see this conversation something that is true only for a moment. It is not remembered:
        who was away learns how it is then."""
        event = Nudged(_event(name, data), conversation_id)
        for subscriber in self._subscribers.get(workspace_id, ()):
            subscriber.put(event)

    def _tell_one(self, workspace_id: str, nudge: LiveNudge) -> None:
        """What concerns one person has no number of its own and is not repeated: others would miss the number. Who
        comes back after a gap asks what is unread."""
        event = Nudged(self._nudge(self._last, nudge), nudge.conversation_id or "")
        for subscriber in self._subscribers.get(workspace_id, ()):
            if subscriber.user_id == nudge.user_id:
                subscriber.put(event)

    def _remember(self, workspace_id: str, sequence: int, event: Nudged) -> None:
        ring = self._rings.get(workspace_id)
        if ring is None:
            ring = self._rings[workspace_id] = _Ring(self._forgotten)
        self._rings.move_to_end(workspace_id)
        ring.events.append((sequence, event))
        if len(ring.events) > RING:
            ring.complete_after = ring.events.popleft()[0]
            return
        self._remembered += 1
        if self._remembered > MOST_REMEMBERED and len(self._rings) > 1:
            # The workspace that has been quiet for longest; who comes back to it now cannot be told what it missed.
            _, quiet = self._rings.popitem(last=False)
            self._remembered -= len(quiet.events)
            self._forgotten = max(self._forgotten, quiet.events[-1][0])

    def has_place(self, user_id: str | None, session_id: str) -> bool:
        """Whether this person, in this session, may open one more stream."""
        return (self._places[("session", session_id)] < MOST_STREAMS_OF_SESSION * self._factor
                and self._places[("person", user_id or "")] < MOST_STREAMS_OF_PERSON * self._factor)

    def join(self, workspace_id: str, user_id: str | None, session_id: str, after: str) -> Subscriber:
        """A new stream, with its greeting and what it missed in its queue; it `ends` at once when there is no room.
        `after` is the id it saw last (`boot.sequence`). Whoever joins must `leave`."""
        subscriber = Subscriber(workspace_id, user_id, session_id, next(self._numbers))
        group = self._subscribers.get(workspace_id, ())
        if (self._closing or self._streams >= MOST_STREAMS or len(group) >= MOST_STREAMS_OF_ONE
                or not self.has_place(user_id, session_id)):
            subscriber.end()
            return subscriber
        self._subscribers.setdefault(workspace_id, set()).add(subscriber)
        self._streams += 1
        self._places.update(_places(subscriber))
        # Steps of the golden section leave no two neighbours close together, as chance would.
        retry = RETRY_FROM + int(subscriber.number * 0.6180339887 % 1 * (RETRY_TO - RETRY_FROM))
        hello = _event("hello", {"boot": self.boot, "seq": self._last}, self._id(self._last))
        subscriber.waiting = [Nudged(f"retry: {retry}\n\n".encode()), Nudged(hello), *self._missed(workspace_id, after)]
        subscriber.wake.set()
        if self._beat is None:
            self._beat = asyncio.get_running_loop().call_later(1, self._heartbeat)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """The stream is over."""
        group = self._subscribers.get(subscriber.workspace_id)
        if group is not None and subscriber in group:
            group.discard(subscriber)
            self._streams -= 1
            for place in _places(subscriber):
                self._places[place] -= 1
                if not self._places[place]:
                    del self._places[place]
            if not group:
                del self._subscribers[subscriber.workspace_id]

    def take(self, subscriber: Subscriber) -> list[Nudged]:
        """Everything that waits for a subscriber."""
        subscriber.wake.clear()
        parts, subscriber.waiting = subscriber.waiting, []
        if subscriber.overflowed:
            subscriber.overflowed = False
            parts = [Nudged(_event("resync", {"reason": "overflow"}, self._id(self._last)))]
        if subscriber.ends:
            parts.append(_BYE)
        return parts

    def _heartbeat(self) -> None:
        """Each second a fifteenth of the streams, so that a thousand of them cost no noticeable moment."""
        self._beats += 1
        for group in self._subscribers.values():
            for subscriber in group:
                if (subscriber.number + self._beats) % HEARTBEAT == 0 and not subscriber.waiting:
                    subscriber.put(_HEARTBEAT)
        self._beat = asyncio.get_running_loop().call_later(1, self._heartbeat) if self._streams else None

    def _nudge(self, sequence: int, nudge: LiveNudge) -> bytes:
        data: dict[str, object] = {"seq": sequence, "topic": nudge.topic, "id": nudge.id}
        if nudge.conversation_id is not None:
            data["conversation"] = nudge.conversation_id
        return _event("nudge", data, self._id(sequence))

    def _missed(self, workspace_id: str, after: str) -> list[Nudged]:
        """What a browser that comes back did not hear; `resync` when we can't know that any more."""
        if not after:
            return []
        boot, _, digits = after.rpartition(".")
        if boot != self.boot or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
            return [Nudged(_event("resync", {"reason": "restart"}, self._id(self._last)))]
        heard = int(digits)
        ring = self._rings.get(workspace_id)
        if heard < (ring.complete_after if ring else self._forgotten):
            return [Nudged(_event("resync", {"reason": "too long ago"}, self._id(self._last)))]
        return [event for sequence, event in ring.events if sequence > heard] if ring else []

    def _id(self, sequence: int) -> str:
        return f"{self.boot}.{sequence}"

    def end_streams_of(self, user_id: str, workspace_id: str | None = None) -> None:
        """What a person may see is another now, in one workspace or altogether: their pages look anew, and their
        streams there end. Who still may listen comes back with the rights of this moment."""
        anew = Nudged(self._nudge(self._last, LiveNudge("inbox", "rights")))
        for group in self._subscribers.values():
            for subscriber in group:
                if subscriber.user_id == user_id and workspace_id in (None, subscriber.workspace_id):
                    subscriber.put(anew)
                    subscriber.end()

    def end_streams_of_sessions(self, session_ids: Collection[str]) -> None:
        """These sessions are over: their streams end now."""
        for group in self._subscribers.values():
            for subscriber in group:
                if subscriber.session_id in session_ids:
                    subscriber.end()

    def listeners(self) -> set[tuple[str, str]]:
        """Who holds a stream open where: workspace and person."""
        return {(subscriber.workspace_id, subscriber.user_id) for group in self._subscribers.values()
                for subscriber in group if subscriber.user_id is not None}

    def sessions(self) -> set[str]:
        """The sessions that hold a stream open."""
        return {subscriber.session_id for group in self._subscribers.values() for subscriber in group}

    def end_streams_in(self, workspace_id: str) -> None:
        """The workspace was closed: its streams end now."""
        for subscriber in self._subscribers.get(workspace_id, ()):
            subscriber.end()

    def close(self) -> None:
        """The process stops: every stream says goodbye and ends, or the server would wait for all of them."""
        self._closing = True
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        for group in self._subscribers.values():
            for subscriber in group:
                subscriber.end()


def _places(subscriber: Subscriber) -> tuple[tuple[str, str], ...]:
    return ("session", subscriber.session_id), ("person", subscriber.user_id or "")


def _event(name: str, data: dict[str, object], event_id: str = "") -> bytes:
    head = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{head}data: {msgspec.json.encode(data).decode()}\n\n".encode()


_HEARTBEAT, _BYE = Nudged(_event("hb", {})), Nudged(_event("bye", {}))
