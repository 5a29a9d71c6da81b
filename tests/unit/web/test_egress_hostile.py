"""META-5 and SSRF-6: whatever a server answers, it ends soon; whatever is inside, the person is told the same."""

from __future__ import annotations

import asyncio
import resource
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chime.errors import ChimeError
from chime.security.addresses import Place
from chime.web.egress import LARGEST_ANSWER, Answer, Egress, NotInTime, Outcome, Unreachable, Unreadable, reduced
from tests.support.hostile_server import connections_watched, http
from tests.unit.web.egress_yard import Yard


async def _drip(writer: asyncio.StreamWriter, first: bytes, again: bytes, pause: float = 0.05) -> None:
    writer.write(first)
    while True:
        writer.write(again)
        await writer.drain()
        await asyncio.sleep(pause)


def _drips(first: bytes, again: bytes, pause: float = 0.05) -> Callable[..., Awaitable[None]]:
    return lambda _, writer: _drip(writer, first, again, pause)


def _says(raw: bytes) -> Callable[..., Awaitable[None]]:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return behave


def _bomb(size: int) -> bytes:
    """So many megabytes of nothing. A megabyte that ends with a full flush is the same bytes each time."""
    zeros = bytes(1024 * 1024)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checked = 0
    for _ in range(size):
        checked = zlib.crc32(zeros, checked)
    head, foot = b"\x1f\x8b\x08" + bytes(6) + b"\xff", struct.pack("<II", checked, len(zeros) * size)
    return http(200, head + block * size + packer.flush() + foot, Content_Encoding="gzip")


def _bursts(size: int) -> Callable[..., Awaitable[None]]:
    """A bomb, made when somebody asks for it."""
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _says(_bomb(size))(reader, writer)

    return behave


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
HOSTILE: dict[str, tuple[Callable[..., Awaitable[None]], type[ChimeError]]] = {
    "says nothing": (lambda *_: asyncio.sleep(60), NotInTime),
    "drips its head": (_drips(_OK, b"X"), NotInTime),
    "drips header lines": (_drips(_OK, b"X: y\r\n"), NotInTime),
    "head without end": (_drips(_OK, b"X-Long: " + b"y" * 8_000 + b"\r\n", 0), Unreadable),
    "one endless header": (_drips(_OK + b"X: ", b"y" * 8_000, 0), Unreadable),
    "body without end": (_drips(_OK + b"\r\n", b"z" * 65_536, 0), Unreadable),
    "chunks without end": (_drips(_CHUNKED, b"10000\r\n" + b"z" * 65_536 + b"\r\n", 0), Unreadable),
    "drips its body": (_drips(_OK + b"Content-Length: 1000000\r\n\r\n", b"z"), NotInTime),
    "drips chunks": (_drips(_CHUNKED, b"1\r\nz\r\n"), NotInTime),
    "only 100 Continue": (_drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0), Unreadable),
    "a gzip bomb": (_bursts(1_000), Unreadable),
    "gzip that is none": (_says(http(200, b"plain", Content_Encoding="gzip")), Unreadable),
    "another encoding": (_says(http(200, b"x", Content_Encoding="br")), Unreadable),
    "gzip twice": (_says(http(200, b"x", Content_Encoding="gzip, gzip")), Unreadable),
    "longer than it says": (_says(_OK + b"Content-Length: 6000000\r\n\r\n" + bytes(6_000_000)), Unreadable),
    "shorter than it says": (_says(_OK + b"Content-Length: 100\r\n\r\nshort"), Unreadable),
    "no HTTP": (_says(b"SSH-2.0-OpenSSH_9.9\r\n"), Unreadable),
    "two lengths": (_says(_OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), Unreadable),
    "hangs up": (_says(b""), Unreadable),
    "a chunk of 2^63": (_says(_CHUNKED + b"8000000000000000\r\n"), Unreadable),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_meta_5_a_hostile_server_ends_soon_and_costs_little(yard: Yard, name: str) -> None:
    """A second stands for the fifteen; what takes no time must end well before them."""
    behave, expected = HOSTILE[name]
    yard.server.behave = behave
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    with pytest.raises(expected):
        await yard.hasty(1.0).fetch(yard.url) if expected is NotInTime else await yard.egress.fetch(yard.url)
    assert time.monotonic() - begun < 6
    # The server in this process holds what it sends, too.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 * 1024, "kilobytes"


async def test_a_tls_handshake_that_stalls_is_no_connection(tmp_path: Path) -> None:
    async def stall(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async def resolve(_: str, __: int) -> list[str]:
            return ["127.0.0.1"]

        egress = Egress([Place("hostile.example", port)], resolve=resolve, total=0.7)
        with pytest.raises(Unreachable):
            await egress.fetch(f"https://hostile.example:{port}/")
    finally:
        server.close()


async def test_unpacked_answers_are_read_to_the_limit_and_no_further(yard: Yard) -> None:
    yard.server.answer(_bomb(5))
    assert len((await yard.egress.fetch(yard.url)).body) == LARGEST_ANSWER
    with pytest.raises(Unreadable):
        await yard.egress.fetch(yard.url, most=LARGEST_ANSWER - 1)


async def test_ssrf_6_what_a_person_is_told_does_not_depend_on_what_is_inside() -> None:
    """A port that is open, one that is closed, a name that is none, one that leads inside: one answer, one duration."""
    open_port = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    answers: dict[str, list[str]] = {"open.example": ["127.0.0.1"], "metadata.example": ["169.254.169.254"],
                                     "inside.example": ["10.0.0.1"], "none.example": []}

    async def resolve(host: str, _: int) -> list[str]:
        if not answers[host]:
            raise OSError("no such name")
        return answers[host]

    egress = Egress(resolve=resolve)
    took: dict[str, list[float]] = {host: [] for host in answers}
    try:
        with connections_watched() as seen:
            for _ in range(5):
                for host in answers:
                    begun = time.monotonic()
                    told = await reduced(egress.fetch(f"https://{host}/"), floor=0.15)
                    took[host].append(time.monotonic() - begun)
                    assert (told.outcome, told.status_class) == (Outcome.NOT_REACHED, 0)
    finally:
        open_port.close()
    assert not seen
    # The quickest of each kind: a busy machine may be late with any one of them.
    assert all(0.14 <= min(seconds) < 0.3 for seconds in took.values())


async def test_what_a_person_is_told_of_an_answer_is_its_class() -> None:
    async def answered(status: int) -> Answer:
        return Answer(status, {"x-secret": "inside"}, b"a page of the intranet", "https://x.example/")

    for status, outcome in ((204, Outcome.ANSWERED), (302, Outcome.ANSWERED), (401, Outcome.REFUSED),
                            (404, Outcome.REFUSED), (500, Outcome.ANSWERED)):
        told = await reduced(answered(status))
        assert (told.outcome, told.status_class) == (outcome, status // 100)
