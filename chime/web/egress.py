"""The one client for everything outside that is not Meta: whoever wrote the address, nothing inside is reached.

Promises: https on port 443 to public addresses only, but for hosts that the operator names; a name is resolved once,
every address it has must be allowed, and the connection goes to one that was looked at while TLS and Host keep the
name; proxies and passwords of the environment count for nothing; no redirect is followed unless asked for, and then
each is judged like the first and gets no credentials; what a server can make us wait for, read and remember is bounded.

A person who named the address learns what `reduced` says and no more.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urljoin

import httpcore
import httpx
import msgspec

from chime import __version__
from chime.errors import ChimeError
from chime.log import Log
from chime.security.addresses import Address, NotAllowed, Place, SafeURL, may_call, safe_url

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
LARGEST_ANSWER = 5 * 1024 * 1024
LARGEST_HEAD = 32 * 1024
LARGEST_BODY = 1024 * 1024
MOST_REDIRECTS = 2
MOST_AT_ONCE = 32
MOST_ADDRESSES = 16
MOST_HEADERS = 32
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]{0,4096}")
# What decides where a request goes or how it is framed is ours to say.
_OURS = re.compile(r"host|connection|keep-alive|te|trailer|transfer-encoding|content-length|content-encoding|upgrade|"
                   r"expect|forwarded|via|accept-encoding|user-agent|(proxy|x-forwarded|x-real|x-http-method|sec)-?.*")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_log = Log("egress")


class Unreachable(ChimeError):
    """No connection, for whatever reason; the reason is for the operator's log only."""

    title = "No connection"


class NotInTime(Unreachable):
    """Asked, and not answered in time."""


class Unreadable(ChimeError):
    """Something answered, but not with what HTTP or our limits allow."""


class Answer(msgspec.Struct, frozen=True):
    """What came back. Header names are in lower case; of several with one name the last."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str


class Outcome(StrEnum):
    """What the person who named an address is told."""

    ANSWERED = "answered"
    REFUSED = "refused"
    NOT_REACHED = "not reached"


class Told(msgspec.Struct, frozen=True):
    """`status_class` is the first digit of the status."""

    outcome: Outcome
    status_class: int = 0


Resolve = Callable[[str, int], Awaitable[list[str]]]


class Egress:
    """Calls outside hosts. `allowed` are those the operator named; `tls` and `resolve` are for tests."""

    def __init__(self, allowed: Iterable[Place] = (), *, tls: ssl.SSLContext | None = None,
                 resolve: Resolve | None = None, total: float = TOTAL_SECONDS) -> None:
        self._allowed = frozenset(allowed)
        self._tls = tls
        self._resolve = resolve or _resolve
        self._total = total
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    def check(self, url: str) -> SafeURL:
        """What a form may ask before it keeps an address. Raises NotAllowed. Where the name leads is not asked."""
        return safe_url(url, self._allowed)

    async def fetch(self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None,
                    body: bytes = b"", redirects: int = 0, most: int = LARGEST_ANSWER, is_sealed: bool = False
                    ) -> Answer:
        """One request. `redirects` (for media, at most 2) are followed by GET without the given headers. `is_sealed`:
        the body is a push message (RFC 8291). Raises NotAllowed, Unreachable or Unreadable."""
        sent = checked_headers(headers or {}) + ([(b"Content-Encoding", b"aes128gcm")] if is_sealed else [])
        if method not in METHODS or len(body) > LARGEST_BODY or not 0 <= redirects <= MOST_REDIRECTS:
            raise NotAllowed("This request cannot be made.")
        target = self.check(url)
        try:
            async with asyncio.timeout(self._total), self._places:
                for left in range(redirects, -1, -1):
                    answer = await self._ask(target, method, sent, body, most)
                    where = answer.headers.get("location")
                    if not left or answer.status not in _REDIRECTS or where is None or method != "GET":
                        return answer
                    target, sent = self.check(urljoin(str(target), where)), []
                return answer
        except TimeoutError:
            raise NotInTime("It did not answer in time.") from None

    async def _ask(self, target: SafeURL, method: str, headers: list[tuple[bytes, bytes]], body: bytes,
                   most: int) -> Answer:
        network = _Network(target, self._resolve)
        own = [(b"Host", target.origin.removeprefix("https://").encode()), (b"Accept-Encoding", b"gzip"),
               (b"User-Agent", f"Chime/{__version__}".encode())]
        if body or method not in ("GET", "DELETE"):
            own.append((b"Content-Length", str(len(body)).encode()))
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._total) | {"connect": CONNECT_SECONDS}
        try:
            # A pool of its own: a connection that was judged for one request serves no other.
            async with (httpcore.AsyncConnectionPool(self._context(), http2=False, network_backend=network) as pool,
                        pool.stream(method, _as_url(target), headers=own + headers, content=body or None,
                                    extensions={"timeout": timeouts}) as response):
                network.head_is_read()
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                read = await _body(response, told.get("content-encoding", "identity"), most)
                return Answer(response.status, told, read, str(target))
        except (httpcore.ConnectError, httpcore.ConnectTimeout, OSError) as error:
            raise Unreachable(f"no connection: {type(error).__name__}") from error
        except httpcore.TimeoutException as error:
            raise NotInTime("It did not answer in time.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, zlib.error) as error:
            raise Unreadable(f"not a usable answer: {type(error).__name__}") from error

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = trusted_authorities()
        return self._tls


def trusted_authorities() -> ssl.SSLContext:
    """Whose certificates are believed: the usual ones, and those of this machine, for a host in the operator's own
    network has an authority of their own."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


async def reduced(fetching: Awaitable[Answer], *, floor: float = CONNECT_SECONDS) -> Told:
    """What may be told to the person who named the address. An address that is refused, a port that is closed and one
    that is silent look the same and take the same time: else a form would be a scanner of the network we stand in."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    try:
        answer = await fetching
        return Told(Outcome.REFUSED if 400 <= answer.status < 500 else Outcome.ANSWERED, answer.status // 100)
    except ChimeError as error:
        _log.info("egress.failed", reason=type(error).__name__)
    passed = clock() - begun
    # Up to the next of a few fixed moments.
    await asyncio.sleep((floor if passed < floor else TOTAL_SECONDS + floor) - passed)
    return Told(Outcome.NOT_REACHED)


def checked_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers somebody wants us to send. Raises NotAllowed for those that are ours or no headers at all."""
    seen: set[str] = set()
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or _OURS.fullmatch(name.lower()) or name.lower() in seen:
            raise NotAllowed("A header with this name cannot be sent.")
        if not _HEADER_VALUE.fullmatch(value):
            raise NotAllowed("The value of a header holds characters that cannot be sent.")
        seen.add(name.lower())
    if len(headers) > MOST_HEADERS:
        raise NotAllowed(f"At most {MOST_HEADERS} headers can be sent.")
    return [(name.encode("ascii"), value.strip().encode("ascii")) for name, value in headers.items()]


def _as_url(target: SafeURL) -> httpcore.URL:
    return httpcore.URL(scheme=b"https", host=target.host.encode(), port=target.port, target=target.target.encode())


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class _Network(httpcore.AsyncNetworkBackend):
    """Connects to one target, and to addresses that were looked at only."""

    def __init__(self, target: SafeURL, resolve: Resolve) -> None:
        self._target = target
        self._resolve = resolve
        self._sockets = httpcore.AnyIOBackend()
        self.head = LARGEST_HEAD

    def head_is_read(self) -> None:
        self.head = LARGEST_ANSWER * 2

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                          socket_options: Any = None) -> httpcore.AsyncNetworkStream:
        if (host, port) != (self._target.host, self._target.port):
            raise httpcore.ConnectError("only the target is connected to")
        try:
            async with asyncio.timeout(timeout):
                stream = await self._connect(await self._addresses(), timeout)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        return _Stream(stream, self)

    async def _addresses(self) -> list[Address]:
        try:
            texts = await self._resolve(self._target.host, self._target.port)
            # Not even one of them may be forbidden: which one is taken would be up to chance, or to the attacker.
            found = [ipaddress.ip_address(text.partition("%")[0]) for text in dict.fromkeys(texts)]
        except (OSError, ValueError, UnicodeError) as error:
            raise httpcore.ConnectError("the name does not resolve") from error
        if not found or len(found) > MOST_ADDRESSES or not all(
                may_call(address, allowed=self._target.allowed) for address in found):
            _log.warning("egress.address_refused")
            raise httpcore.ConnectError("an address of this name is not allowed")
        return found

    async def _connect(self, addresses: list[Address], timeout: float | None) -> httpcore.AsyncNetworkStream:
        for address in addresses[:-1]:
            try:
                return await self._sockets.connect_tcp(str(address), self._target.port,
                                                       timeout=timeout / 2 if timeout else None)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._sockets.connect_tcp(str(addresses[-1]), self._target.port, timeout=timeout)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("no sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection whose answer has a longest head."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, network: _Network) -> None:
        self._inner = inner
        self._network = network

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # Small bites: what is read at once together with the head must not count as head.
        data = await self._inner.read(min(max_bytes, 4_096) if self._network.head <= LARGEST_HEAD else max_bytes,
                                      timeout)
        self._network.head -= len(data)
        if self._network.head < 0:
            raise httpcore.ReadError("the answer is too long")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
                        timeout: float | None = None) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._network)
        except BaseException:
            # Our deadline cancels; httpcore closes on errors only.
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


async def _body(response: httpcore.Response, encoding: str, most: int) -> bytes:
    """At most `most` bytes, counted after unpacking and never unpacked further than that. Raises Unreadable."""
    coding = encoding.strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise Unreadable("an encoding nobody asked for")
    parts: list[bytes] = []
    size = 0
    async for piece in _unpacked(response.aiter_stream(), most) if "gzip" in coding else response.aiter_stream():
        size += len(piece)
        if size > most:
            raise Unreadable("the answer is too large")
        parts.append(piece)
    return b"".join(parts)


async def _unpacked(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
    async for piece in pieces:
        while piece:
            yield decoder.decompress(piece, min(most + 1, 256 * 1024))
            piece = decoder.unconsumed_tail
