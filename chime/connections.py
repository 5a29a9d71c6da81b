"""Connections from outside: how long each may keep us waiting, and how many there may be.

uvicorn has no deadline for the head or the body of a request nor for a reader that stops, counts idle sockets against
those who have a request, and reads heads of any length. A reverse proxy hides that; Chime must stand without one.
Promises: no peer holds a socket by sending or reading slowly; what one connection can make us remember is bounded; when
there are too many, the longest idle ones go first and whoever has a request is served.

One look over all connections a second costs less than a timer for each request: uvicorn's keep-alive timer is gone.
"""

from __future__ import annotations

import asyncio
import functools
import http
import resource
import socket
import struct
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chime.log import Log
from chime.web.whole_answer import WritesWhole, header_lines, offer

_log = Log("connections")

MOST_CONNECTIONS = 4_000
# Files the rest of the process may have open: 64 workspaces with two databases of up to eight files each, uploads, the
# sender's own connections.
FILES_KEPT_FREE = 1_536
MOST_PIPELINED = 8
WEBHOOKS = "/webhooks/"
# A peer that takes or sends less than this while the deadline runs got nowhere.
LEAST_TAKEN = 16 * 1024
LEAST_SENT = 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a peer may keep us waiting, and what else is bounded for each connection or for all."""

    first_byte: float = 20.0
    """of a new connection"""
    head: float = 10.0
    """from the first byte of a request to the end of its headers"""
    kept: float = 75.0
    """between two requests"""
    body: float = 60.0
    """for a whole body, and more for one that keeps coming: a second for each `body_rate` bytes"""
    webhook_body: float = 20.0
    """the same for Meta's posts, without more"""
    body_pause: float = 10.0
    """in which a body must grow by LEAST_SENT"""
    body_rate: int = 64 * 1024
    answer: float = 30.0
    """in which a reader must take LEAST_TAKEN of what waits for it"""
    unwanted: float = 5.0
    """for the rest of a body that is already answered"""
    last_moment: float = 0.25
    """when the server ends, for what is on its way on a connection that has no request in hand"""
    head_bytes: int = 32 * 1024
    most: int = MOST_CONNECTIONS
    look_every: float = 1.0


class Phase:
    """What a connection is waiting for."""

    NEW = "new"
    HEAD = "head"
    BODY = "body"
    UNWANTED = "unwanted"
    OURS = "ours"
    KEPT = "kept"


class Door:
    """All connections of one server. Give `protocol` to uvicorn as its `http`."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits(most=most_connections())
        self.protocol: Any = functools.partial(Connection, self)
        self.inside: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looked = 0.0
        self._idle: list[Connection] = []
        self._idle_known = False
        self._servers_headers: list[tuple[bytes, bytes]] = []
        self._ok = b""

    def enter(self, connection: Connection) -> None:
        """A socket was accepted. When there are too many, the longest idle one leaves, or else this one."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._looked = loop.time()
            self._timer = loop.call_later(self.limits.look_every, self._look, loop)
        if len(self.inside) >= self.limits.most:
            idle = self._longest_idle()
            if idle is None:
                connection.refuse(503)
                return
            self.inside.discard(idle)
            idle.reset()
        self.inside.add(connection)

    def ok(self, servers_headers: list[tuple[bytes, bytes]]) -> bytes:
        """The beginning of an answer with status 200. uvicorn makes another list for each second's date."""
        if servers_headers is not self._servers_headers:
            self._servers_headers = servers_headers
            self._ok = b"HTTP/1.1 200 OK\r\n" + header_lines(servers_headers)
        return self._ok

    def _longest_idle(self) -> Connection | None:
        """Who sent no whole request yet goes before who may send another. They are sorted once between two looks, so a
        flood costs no more than that."""
        if not self._idle_known:
            self._idle_known = True
            self._idle = sorted((each for each in self.inside if each.is_idle),
                                key=lambda each: (not each.served, each.seconds))
        while self._idle:
            longest = self._idle.pop()
            if longest.is_idle and longest in self.inside:
                return longest
        return None

    def leave(self, connection: Connection) -> None:
        self.inside.discard(connection)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        # A loop or machine that stood still is not the peers' fault.
        passed = min(loop.time() - self._looked, 2 * self.limits.look_every)
        self._looked = loop.time()
        self._idle, self._idle_known = [], False
        for connection in list(self.inside):
            connection.look(passed)
        self._timer = loop.call_later(self.limits.look_every, self._look, loop) if self.inside else None


class Connection(HttpToolsProtocol, WritesWhole):
    """One connection. What it waits for is worked out when the door looks; a request itself only leaves marks."""

    def __init__(self, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self._door = door
        self._extensions = offer(self)
        self.served = False
        self._is_leaving = False
        self._in_head = False
        self._requests = 0
        self._unused = 0
        """Bytes since the last that ended a head or belonged to a body"""
        self._body_bytes = 0
        self._earlier: list[RequestResponseCycle] = []
        """Requests before `cycle` that are not answered yet"""
        self.seconds = 0.0
        """How long it waits for the peer in this phase"""
        self._phase: tuple[str, int] = (Phase.NEW, 0)
        self._since_growth = 0.0
        self._grown_to = 0
        self._since_taken = 0.0
        self._taken = 0
        self._untaken = 0

    # What asyncio and the parser tell

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._door.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self)
        super().connection_lost(exc)
        # uvicorn tells only the newest request; an older one would stream to nobody for ever.
        for cycle in self._earlier:
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Answered as if it had not asked; the parser understands nothing after it.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self.refuse(400)
            return
        if self._unused > self._door.limits.head_bytes:
            self.refuse(431)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._requests += 1
        if self.cycle is not None and not self.cycle.response_complete:
            self._earlier = [cycle for cycle in self._earlier if not cycle.response_complete] + [self.cycle]
            if len(self._earlier) > MOST_PIPELINED:
                raise ValueError("too many requests before the first answer")
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unused = self._body_bytes = 0
        super().on_headers_complete()
        self.scope["extensions"] = self._extensions
        if self._is_leaving:
            self.cycle.keep_alive = False
        if self.pipeline:
            # uvicorn stops reading until the request before is answered, and so would not hear that the peer of a
            # stream has left; what may wait here is bounded without that.
            self.flow.resume_reading()

    def write_whole(self, scope: object, rest: bytes) -> bool:
        """See `chime.web.whole_answer`. What closes the connection, has to wait for its reader or an earlier answer, or
        has no reader any more goes the usual way."""
        cycle = self.cycle
        if (cycle.scope is not scope or cycle.response_started or cycle.disconnected or not cycle.keep_alive
                or self.flow.write_paused):
            return False
        cycle.response_started = cycle.response_complete = True
        self.transport.write(self._door.ok(cycle.default_headers) + rest)
        cycle.message_event.set()
        cycle.on_response()
        return True

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        self._body_bytes += len(body)
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        self.cycle.more_body = False
        if not self.cycle.response_complete:
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.served = True
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    # What the server and the door ask

    def shutdown(self) -> None:
        """No further request is taken after the one in hand. Who has none in hand may have written already: to close
        over what was not read yet resets the peer, as happened to a webhook at an upgrade, so it is given a moment."""
        self._is_leaving = True
        if self.is_idle:
            asyncio.get_running_loop().call_later(self._door.limits.last_moment, self._leave)
        else:
            self.cycle.keep_alive = False

    def _leave(self) -> None:
        if self.is_idle:
            self.transport.close()

    @property
    def is_idle(self) -> bool:
        """Nothing is lost when it goes: it has no whole request in hand."""
        return self.cycle is None or self.cycle.response_complete

    def look(self, passed: float) -> None:
        """So many seconds went by since the last look. Time since the phase began counts from the look before, so a
        deadline is never overstepped."""
        if self._reader_stalls(passed):
            self.reset()
        elif not self.transport.is_closing():
            phase = self._phase_now()
            if (phase, self._requests) != self._phase:
                self._phase = (phase, self._requests)
                self.seconds = self._since_growth = 0.0
                self._grown_to = self._body_bytes
            if not self.flow.read_paused:
                self.seconds += passed
                self._since_growth += passed
            self._judge(phase)

    def _phase_now(self) -> str:
        cycle = self.cycle
        if self._in_head:
            return Phase.HEAD
        if cycle is None:
            return Phase.NEW
        if cycle.response_complete:
            return Phase.UNWANTED if cycle.more_body else Phase.KEPT
        return Phase.BODY if cycle.more_body and not cycle.waiting_for_100_continue else Phase.OURS

    def _judge(self, phase: str) -> None:
        limits = self._door.limits
        if (phase == Phase.HEAD and self.seconds > limits.head) or (phase == Phase.BODY and self._body_is_late(limits)):
            self.refuse(408)
        elif ((phase == Phase.NEW and self.seconds > limits.first_byte)
              or (phase == Phase.KEPT and self.seconds > limits.kept)
              or (phase == Phase.UNWANTED and self.seconds > limits.unwanted)):
            self.transport.close()

    def _body_is_late(self, limits: Limits) -> bool:
        if self._body_bytes - self._grown_to >= LEAST_SENT:
            self._since_growth, self._grown_to = 0.0, self._body_bytes
        if self.scope["path"].startswith(WEBHOOKS):
            whole = limits.webhook_body
        else:
            whole = limits.body + self._body_bytes / limits.body_rate
        return self._since_growth > limits.body_pause or self.seconds > whole

    def _reader_stalls(self, passed: float) -> bool:
        """Whether bytes wait here although the kernel would send them: it took too few of them for too long."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting:
            self._untaken = self._taken = 0
            self._since_taken = 0.0
            return False
        self._taken += max(0, self._untaken - waiting)
        self._untaken = waiting
        if self._taken >= LEAST_TAKEN:
            self._taken, self._since_taken = 0, 0.0
        self._since_taken += passed
        return self._since_taken > self._door.limits.answer

    def reset(self) -> None:
        """End it at once, and say so: without this the kernel would go on holding what the peer does not take."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def refuse(self, status: int) -> None:
        """Answer this and close; only close when it would read as the answer to another request."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        free = cycle is None or cycle.response_complete or not (self._in_head or cycle.response_started)
        if not free or any(not each.response_complete for each in self._earlier):
            self.transport.abort()
            return
        self.transport.write(_bare(status))
        self.transport.close()


@functools.cache
def _bare(status: int) -> bytes:
    phrase = http.HTTPStatus(status).phrase
    later = "retry-after: 5\r\n" if status == 503 else ""
    return (f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(phrase)}"
            f"\r\nx-content-type-options: nosniff\r\n{later}connection: close\r\n\r\n{phrase}").encode()


def most_connections() -> int:
    """What the process's file descriptors allow, after asking for all it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + FILES_KEPT_FREE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # A machine that grants little: half of it for whoever knocks.
        _log.warning("connections.few_descriptors", granted=soft, wanted=wanted)
        return soft // 2
    return MOST_CONNECTIONS


def tune(listener: socket.socket) -> None:
    """Have the kernel drop whoever takes nothing for as long as we would, and tell us early that somebody reads slowly.
    Accepted sockets inherit it."""
    for name, value in (("TCP_USER_TIMEOUT", 30_000), ("TCP_NOTSENT_LOWAT", 128 * 1024)):
        option = getattr(socket, name, None)
        if option is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
