"""A Graph API for `send` and `soak`, as a process of its own: HTTP over TLS, every message accepted after a pause, and
its three statuses posted back if wanted. It is told everything as one JSON object in its arguments and prints one
JSON object when it is ended: what it accepted in each second, and how long Chime took to acknowledge the statuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import httptools
import msgspec
import uvloop

from tests.bench.bodies import envelope, request, status

CONNECTIONS_BACK = 64


class Settings(msgspec.Struct, kw_only=True):
    """`webhook_port` 0: no statuses."""

    port: int
    pause_seconds: float
    certificate: str
    private_key: str
    webhook_port: int = 0
    webhook_path: str = ""


class Graph:
    """What all its connections share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.total = 0
        self.accepted: Counter[int] = Counter()
        self.seen: Counter[str] = Counter()
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.idle: deque[_Back] = deque()
        self.latencies: list[float] = []
        self.refused = 0

    def accept(self, message: dict[str, Any]) -> bytes:
        """Take a message; Meta's id for it."""
        self.total += 1
        self.accepted[int(time.monotonic())] += 1
        self.seen[message["biz_opaque_callback_data"].split(".")[1]] += 1
        wamid = f"wamid.GRAPH{self.total}"
        if self.settings.webhook_port:
            for word in ("sent", "delivered", "read"):
                told = status(wamid, word, str(message["to"]).lstrip("+"))
                told["biz_opaque_callback_data"] = message["biz_opaque_callback_data"]
                self.waiting.append((time.perf_counter(),
                                     request(self.settings.webhook_path, envelope({"statuses": [told]}))))
            asyncio.get_running_loop().call_soon(self.post)
        return wamid.encode()

    def post(self) -> None:
        while self.waiting and self.idle:
            back = self.idle.popleft()
            if back.lost:
                asyncio.get_running_loop().create_task(back.replaced())
            else:
                back.post(*self.waiting.popleft())

    def summary(self) -> dict[str, Any]:
        ordered = sorted(self.latencies)
        return {"accepted": self.total, "by_second": [self.accepted[key] for key in
                                                                       sorted(self.accepted)],
                "twice": sum(1 for times in self.seen.values() if times > 1), "statuses": len(ordered),
                "statuses_refused": self.refused, "statuses_waiting": len(self.waiting),
                "p50_ms": ordered[len(ordered) // 2] if ordered else None,
                "p99_ms": ordered[int(len(ordered) * 0.99)] if ordered else None}


class _Call(asyncio.Protocol):
    """A connection of Chime's sender."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        asyncio.get_running_loop().call_later(self._graph.settings.pause_seconds, self._answer, body)

    def _answer(self, body: bytes) -> None:
        message = json.loads(body or b"{}")
        told = b'{"data":[]}'
        if "biz_opaque_callback_data" in message:
            told = (b'{"messaging_product":"whatsapp","contacts":[{"input":"+1","wa_id":"1"}],"messages":[{"id":"'
                    + self._graph.accept(message) + b'","message_status":"accepted"}]}')
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
                              + str(len(told)).encode() + b"\r\n\r\n" + told)


class _Back(asyncio.Protocol):
    """A connection over which statuses are posted to Chime."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._since = 0.0
        self._answer = b""
        self._transport: Any = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._graph.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Chime closes what is idle for long."""
        self.lost = True

    async def replaced(self) -> None:
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().create_connection(lambda: _Back(self._graph), "127.0.0.1",
                                                               self._graph.settings.webhook_port)
        self._graph.post()

    def post(self, since: float, whole: bytes) -> None:
        self._since = since
        self._transport.write(whole)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        self._answer = b""
        self._graph.latencies.append((time.perf_counter() - self._since) * 1000)
        self._graph.refused += not head.startswith(b"HTTP/1.1 200")
        self._graph.idle.append(self)
        self._graph.post()


async def _serve(settings: Settings) -> None:
    graph, loop = Graph(settings), asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(settings.certificate, settings.private_key)
    await loop.create_server(lambda: _Call(graph), "127.0.0.1", settings.port, ssl=tls, backlog=1000)
    print("ready", flush=True)
    if settings.webhook_port:
        await _connect_back(graph)
    await stop.wait()
    print(json.dumps(graph.summary()), flush=True)


async def _connect_back(graph: Graph) -> None:
    """Chime may start after us."""
    loop = asyncio.get_running_loop()
    while len(graph.idle) < CONNECTIONS_BACK:
        try:
            await loop.create_connection(lambda: _Back(graph), "127.0.0.1", graph.settings.webhook_port)
        except OSError:
            await asyncio.sleep(0.05)
    graph.post()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-made authority for 127.0.0.1: certificate and key."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's Graph")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=36_500))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256()))
    certificate, private_key = folder / "graph.pem", folder / "graph.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private_key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                              serialization.NoEncryption()))
    return certificate, private_key


if __name__ == "__main__":
    uvloop.run(_serve(msgspec.json.decode(sys.argv[1], type=Settings)))
