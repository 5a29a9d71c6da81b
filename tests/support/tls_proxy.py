"""A reverse proxy with TLS in front of the world, which does wrong whatever a test asks for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Certificates:
    """An authority, and certificates of it: each `use` puts another in the place of the server's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority of the tests")])
        made = self._built(self._name, self._key, 3650).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(self._key, hashes.SHA256())
        (folder / "authority.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.client = ssl.create_default_context(cafile=str(folder / "authority.pem"))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def _built(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=30))
                .not_valid_after(now + timedelta(days=days)))

    def use(self, *, days: float = 80, name: str = "localhost") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        made = self._built(subject, key, days).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False).sign(self._key, hashes.SHA256())
        pem = self._folder / "proxy.pem"
        pem.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.server.load_cert_chain(pem)


@dataclass
class Proxy:
    """How it behaves. As it stands it does everything right."""

    backend: int
    tells_scheme: bool = True
    overwrites_address: bool = True
    alters_body: bool = False
    answers: bytes | None = None
    """Instead of the backend's answer"""
    largest: int | None = None
    """Bytes of a body; what is larger gets 413"""
    holds_back: bool = False
    """An answer is passed on when all of it is there"""
    contact: bytes | None = None
    """A security.txt of its own"""
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if self.largest is not None and _length(head) > self.largest:
                # As nginx: the answer at once, and what is still coming is read and thrown away.
                writer.write(_answer(b"413 Request Entity Too Large", b"too large"))
            body = await reader.readexactly(_length(head))
            self.requests.append(head)
            if self.answers is not None:
                writer.write(self.answers)
            elif self.contact is not None and b" /.well-known/security.txt " in head:
                writer.write(_answer(b"200 OK", self.contact))
            elif self.largest is None or len(body) <= self.largest:
                await self._pass_on(head, body, writer)
            await writer.drain()
        writer.close()

    async def _pass_on(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if self.alters_body:
            body = body.replace("äöü".encode(), b"\\u00e4\\u00f6\\u00fc")
        lines = [line for line in head[:-4].split(b"\r\n")
                 if not line.lower().startswith((b"content-length:", b"x-forwarded-proto:"))
                 and not (self.overwrites_address and line.lower().startswith(b"x-forwarded-for:"))]
        lines.append(f"Content-Length: {len(body)}".encode())
        if self.tells_scheme:
            lines.append(b"X-Forwarded-Proto: https")
        if self.overwrites_address:
            lines.append(b"X-Forwarded-For: 192.0.2.10")
        upstream, to = await asyncio.open_connection("127.0.0.1", self.backend)
        to.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        await to.drain()
        if self.holds_back:
            writer.write(await upstream.read(-1))
        else:
            while part := await upstream.read(65_536):
                writer.write(part)
                await writer.drain()
        to.close()


def _answer(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)


def _length(head: bytes) -> int:
    found = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(found[0].partition(b":")[2]) if found else 0


@asynccontextmanager
async def tls_proxy(proxy: Proxy, port: int, tls: ssl.SSLContext) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port, ssl=tls)
    try:
        yield proxy
    finally:
        server.close()
