"""HTTP/1.1 for httpx on asyncio and httptools: a pool that stays fast with hundreds of connections.

The stock pool of httpx looks at every connection for every request and collapses above 40 (performance.md 3).
Promises: ConnectError, ConnectTimeout, PoolTimeout, UnsupportedProtocol and LocalProtocolError mean that not a byte
of the request left; any other error means that some may have. No request is ever written twice. A connection serves
again only after a whole answer to a whole request, and not if its other end has spoken or hung up since.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools
import httpx

# Below the 5 s after which uvicorn and Node close an idle connection: a request that crosses with the closing stays
# doubtful for ever, while a new handshake costs 100 ms.
_KEEP_IDLE = 4.0
_LONGEST_HEAD = 64 << 10
_READ_AHEAD = 256 << 10

_Origin = tuple[str, str, int]


class GraphTransport(httpx.AsyncBaseTransport):
    """At most `connections` requests at a time; connections without one are kept for a moment, by host."""

    def __init__(self, *, connections: int = 400, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._places = asyncio.Semaphore(connections)
        self._idle: dict[_Origin, dict[_Connection, None]] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and wait for the head of its answer."""
        origin, head = _origin(request.url), _head(request)
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        body = aiter(cast(httpx.AsyncByteStream, request.stream))
        # Asked for before a connection is chosen, so that nothing can happen to that one before it is written to.
        first = await anext(body, b"")
        await self._take_place(timeouts.get("pool"))
        connection = None
        try:
            connection = self._reuse(origin) or await self._connect(origin, timeouts.get("connect"))
            await connection.ask(head + first, body, timeouts.get("write"), timeouts.get("read"))
        except BaseException:
            self.leave(origin, connection)
            raise
        return httpx.Response(
            connection.status, headers=connection.headers,
            stream=_Body(self, origin, connection, timeouts.get("read")), extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Close what is idle; what is in use closes with its answer."""
        self._closed = True
        for idle in self._idle.values():
            for connection in list(idle):
                connection.close()
        self._idle.clear()

    def leave(self, origin: _Origin, connection: _Connection | None) -> None:
        """End a request: its place is free, and its connection serves the next one if it can."""
        self._places.release()
        if connection is None:
            return
        if self._closed or not connection.reusable:
            connection.close()
            return
        idle = self._idle.setdefault(origin, {})
        idle[connection] = None
        connection.rest(lambda: idle.pop(connection, None))

    async def _take_place(self, timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("all connections are in use") from None

    def _reuse(self, origin: _Origin) -> _Connection | None:
        """The connection that has rested shortest, if it is still whole."""
        idle = self._idle.get(origin)
        while idle:
            connection, _ = idle.popitem()
            if connection.wake():
                return connection
            connection.close()
        return None

    async def _connect(self, origin: _Origin, timeout: float | None) -> _Connection:
        scheme, host, port = origin
        try:
            async with asyncio.timeout(timeout):
                addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
                for *_, address in addresses[:-1]:
                    try:
                        # Half the time at most: where IPv6 leads nowhere the next address still gets its turn.
                        async with asyncio.timeout(timeout / 2 if timeout else None):
                            return await self._open(str(address[0]), port, scheme, host)
                    except OSError:
                        continue
                return await self._open(str(addresses[-1][-1][0]), port, scheme, host)
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"no connection: {type(error).__name__}") from error

    async def _open(self, address: str, port: int, scheme: str, host: str) -> _Connection:
        loop = asyncio.get_running_loop()
        tls = self._tls_context() if scheme == "https" else None
        _, connection = await loop.create_connection(
            lambda: _Connection(loop), address, port, ssl=tls, server_hostname=host if tls else None
        )
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        """Made when it is first needed: reading the authorities takes a moment."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


class _Body(httpx.AsyncByteStream):
    """The body of an answer; closing it ends the request."""

    def __init__(
        self, pool: GraphTransport, origin: _Origin, connection: _Connection, timeout: float | None
    ) -> None:
        self._pool = pool
        self._origin = origin
        self._connection = connection
        self._timeout = timeout
        self._ended = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.body(self._timeout)

    async def aclose(self) -> None:
        if not self._ended:
            self._ended = True
            self._pool.leave(self._origin, self._connection)


class _Connection(asyncio.Protocol):
    """One socket and the one answer that is being read from it. The loop and httptools both report to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._forget: Callable[[], object] | None = None
        self._lost = False
        self._writable = True
        self._paused = False
        self._begin()

    def _begin(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._error: httpx.TransportError | None = None
        self._chunks: deque[bytes] = deque()
        self._ahead = 0
        self._head_size = 0
        self._written = False
        self._answered = False
        self._complete = False
        self.reusable = False

    async def ask(
        self, start: bytes, more: AsyncIterator[bytes], write_timeout: float | None, read_timeout: float | None
    ) -> None:
        """Write the request and wait for the head of the answer, which may come while we still write (413)."""
        self._transport.write(start)
        async for chunk in more:
            while not (self._writable or self._answered or self._error):
                await self._news(write_timeout, httpx.WriteTimeout("the request is not taken in time"))
            if self._answered or self._error:
                break
            self._transport.write(chunk)
        else:
            self._written = True
        while not self._answered:
            if self._error:
                raise self._error
            await self._news(read_timeout, httpx.ReadTimeout("no answer in time"))

    async def body(self, timeout: float | None) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._ahead -= len(chunk)
                self._pace()
                yield chunk
            if self._complete:
                return
            if self._error:
                raise self._error
            await self._news(timeout, httpx.ReadTimeout("the answer stopped in its middle"))

    def rest(self, forget: Callable[[], object]) -> None:
        """Lie idle for a moment; `forget` is called when the connection has become useless."""
        self._chunks.clear()  # perhaps nobody read the last body to its end; reading may be paused for it
        self._ahead = 0
        self._pace()
        self._forget = forget
        self._expiry = self._loop.call_later(_KEEP_IDLE, self.close)

    def wake(self) -> bool:
        """End the rest. False when the other end has spoken or hung up, even if the loop hasn't noticed yet."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._forget = None
        if self._lost or self._transport.is_closing() or _readable(self._transport):
            return False
        self._begin()
        return True

    def close(self) -> None:
        """Hang up at once. Nothing that matters is lost: a request that is given up was not answered."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._transport.abort()

    async def _news(self, timeout: float | None, late: httpx.TimeoutException) -> None:
        """Wait until the socket has something to say, or fail with `late`."""
        self._waiter = self._loop.create_future()
        timer = None if timeout is None else self._loop.call_later(timeout, self._fail, late)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _tell(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: httpx.TransportError) -> None:
        self._error = self._error or error
        self._transport.abort()
        self._tell()

    def _pace(self) -> None:
        """Stop reading while the reader of the body lags behind. A transport that closes takes neither call."""
        if self._transport.is_closing():
            return
        if not self._paused and self._ahead > _READ_AHEAD:
            self._paused = True
            self._transport.pause_reading()
        elif self._paused and self._ahead <= _READ_AHEAD // 2:
            self._paused = False
            self._transport.resume_reading()

    # What the loop reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._complete:  # nobody asked for more: a proxy's 408 before it hangs up, or an answer to a stranger
            self.reusable = False
            self.close()
            return
        self._head_size += 0 if self._answered else len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.reusable = False
            if not self._complete:
                self._fail(httpx.RemoteProtocolError("the answer is not HTTP"))
        if not self._answered and self._head_size > _LONGEST_HEAD:
            self._fail(httpx.RemoteProtocolError("the answer's head has no end"))
        self._pace()
        self._tell()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self.reusable = False
        if exc is None and self._answered and _ends_with_connection(self.headers):
            self._complete = True
        if not self._complete:
            self._error = self._error or httpx.ReadError("the connection broke before the answer was complete")
        self._tell()
        if self._expiry is not None:
            self._expiry.cancel()
        if self._forget is not None:
            self._forget()

    # What httptools reports.

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("a second answer to one request")
        self.headers = []  # those of an interim answer (1xx) are of no interest

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._answered = self.status >= 200

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)
        self._ahead += len(data)

    def on_message_complete(self) -> None:
        if self._answered:
            self._complete = True
            self.reusable = self._written and self._parser.should_keep_alive()


def _readable(transport: asyncio.Transport) -> bool:
    """Whether something waits in the socket. Asked of the one connection about to be used, never of all."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _ends_with_connection(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a body has no length of its own, so that the end of the connection is its end."""
    known = {name.lower(): value.lower() for name, value in headers}
    return b"content-length" not in known and b"chunked" not in known.get(b"transfer-encoding", b"")


def _origin(url: httpx.URL) -> _Origin:
    if url.scheme not in ("http", "https") or not url.host:
        raise httpx.UnsupportedProtocol("only http and https addresses can be called")
    return url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)


def _head(request: httpx.Request) -> bytes:
    """The request's first lines. Raises LocalProtocolError for what would not arrive as it was meant."""
    if request.method in ("HEAD", "CONNECT") or "Transfer-Encoding" in request.headers:
        raise httpx.LocalProtocolError("this transport sends bodies of known length and expects answers with a body")
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    head = b"\r\n".join(lines)
    if head.count(b"\r") != len(lines) - 1 or head.count(b"\n") != len(lines) - 1 or b"\0" in head:
        raise httpx.LocalProtocolError("a line break or NUL in the request's head")
    return head + b"\r\n\r\n"
