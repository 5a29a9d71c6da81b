"""The HTTP transport against a server that misbehaves on purpose: what is reused, what is an error, and which."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from chime.whatsapp.transport import GraphTransport
from tests.support.scripted_server import ScriptedServer, Turn, Wire, answer, drip, drop, last_words, silence

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Late: 1\r\n\r\n"


@contextlib.asynccontextmanager
async def client(timeout: float = 5, *, connections: int = 400, tls: ssl.SSLContext | None = None) \
        -> AsyncIterator[httpx.AsyncClient]:
    transport = GraphTransport(connections=connections, tls=tls)
    async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as http:
        yield http


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with ScriptedServer([answer(b"one"), CHUNKED, answer(b"", 204), answer(b"four")]) as server, client() as http:
        said = [(await http.post(server.url, content=f"{i}")).text for i in range(4)]
    assert said == ["one", "abcdefg", "", "four"]
    assert [request.body for request in server.requests] == [b"0", b"1", b"2", b"3"]
    assert server.connections == 1


async def test_requests_at_the_same_time_have_a_connection_each() -> None:
    async with ScriptedServer([drip(answer(b"x"), size=1000, pause=0.05)]) as server, client() as http:
        await asyncio.gather(*(http.get(server.url) for _ in range(50)))
        assert server.connections == 50
        await asyncio.gather(*(http.get(server.url) for _ in range(50)))
        assert server.connections == 50


@pytest.mark.parametrize("said, body", [
    (CHUNKED, b"abcdefg"),
    (b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + answer(b"it"), b"it"),
    (answer(b""), b""),
    (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi", b"hi"),
], ids=["chunked", "interim", "empty", "no-reason"])
async def test_an_answer_may_come_byte_by_byte(said: bytes, body: bytes) -> None:
    async with ScriptedServer([drip(said)]) as server, client() as http:
        response = await http.get(server.url)
        assert (response.status_code, response.content) == (200, body)
        assert "x-early" not in response.headers
        await http.get(server.url)
    assert server.connections == 1


@pytest.mark.parametrize("said", [
    b"HTTP/1.1 200 OK\r\n\r\nto the end",
    b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nto the end",
    answer(b"to the end", 200, "Connection: close"),
], ids=["no-length", "http-1.0", "close"])
async def test_an_answer_may_end_its_connection(said: bytes) -> None:
    async with ScriptedServer([last_words(said)]) as server, client() as http:
        assert (await http.get(server.url)).content == b"to the end"
        assert (await http.get(server.url)).content == b"to the end"
    assert server.connections == 2


async def test_a_connection_that_shall_close_is_not_used_though_it_stays_open() -> None:
    async with ScriptedServer([answer(b"last", 200, "Connection: close"), answer(b"fine")]) as server, client() as http:
        assert (await http.get(server.url)).text == "last"
        assert (await http.get(server.url)).text == "fine"
    assert server.connections == 2


@pytest.mark.parametrize("turn, error", [
    (drop, httpx.ReadError),
    (last_words(b"HTTP/1.1 200 OK\r\nContent-Le"), httpx.ReadError),
    (last_words(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), httpx.ReadError),
    (last_words(CHUNKED[:-20]), httpx.ReadError),
    (last_words(b"SSH-2.0-OpenSSH_9\r\n"), httpx.RemoteProtocolError),
    (last_words(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
     httpx.RemoteProtocolError),
    (drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000, size=10_000), httpx.RemoteProtocolError),
    (silence, httpx.ReadTimeout),
    (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", size=99, pause=1), httpx.ReadTimeout),
], ids=["nothing", "half-head", "half-body", "half-chunks", "not-http", "upgrade", "endless", "silent", "stalled"])
async def test_after_the_first_byte_left_an_error_is_a_doubt(turn: Turn, error: type[Exception]) -> None:
    async with ScriptedServer([turn, answer(b"fine")]) as server, client(0.2) as http:
        with pytest.raises(error):
            await http.post(server.url, content=b"once")
        assert len(server.requests) == 1, "it must never be written again"
        assert (await http.post(server.url, content=b"other")).text == "fine"
        assert server.connections == 2, "the broken connection must not serve again"


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with client() as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(f"http://127.0.0.1:{free.getsockname()[1]}/")


async def test_the_name_is_unknown_or_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    async def slow(*_: object, **__: object) -> list[object]:
        await asyncio.sleep(30)
        return []

    async with client(0.05) as http:
        for lookup, error in ((unknown, httpx.ConnectError), (slow, httpx.ConnectTimeout)):
            _look_up(monkeypatch, lookup)
            with pytest.raises(error):
                await http.get("http://graph.example/")


async def test_an_address_that_leads_nowhere_does_not_hide_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        port = full.getsockname()[1]
        # The queue of a listener that accepts nobody is full after one; from then on connecting only waits.
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
        good = await asyncio.start_server(_say_fine, "127.0.0.1", port)

        async def both(*_: object, **__: object) -> list[object]:
            return [(0, 0, 0, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

        _look_up(monkeypatch, both)
        async with client(1) as http:
            assert (await http.get(f"http://graph.example:{port}/")).text == "fine"
        good.close()
        for one in waiting:
            one.close()


async def _say_fine(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"fine"))
    await writer.drain()
    writer.close()


def _look_up(monkeypatch: pytest.MonkeyPatch, lookup: object) -> None:
    """Have the transport look names up so. uvloop's loops take no patch, hence the way to the loop gives way."""

    class Loop:
        getaddrinfo = staticmethod(lookup)  # type: ignore[arg-type]

        def __getattr__(self, name: str) -> object:
            return getattr(asyncio.get_running_loop(), name)

    class Asyncio:
        def __getattr__(self, name: str) -> object:
            return Loop if name == "get_running_loop" else getattr(asyncio, name)

    monkeypatch.setattr("chime.whatsapp.transport.asyncio", Asyncio())


async def test_an_idle_connection_that_was_closed_is_not_used() -> None:
    async with ScriptedServer([answer(b"fine")]) as server, client() as http:
        await http.post(server.url, content=b"1")
        server.hang_up()  # only the kernel knows yet
        assert (await http.post(server.url, content=b"2")).text == "fine"
        server.hang_up()
        await asyncio.sleep(0.05)  # now the loop knows too
        assert (await http.post(server.url, content=b"3")).text == "fine"
    assert [(request.body, request.connection) for request in server.requests] == [(b"1", 1), (b"2", 2), (b"3", 3)]


@pytest.mark.parametrize("pause", [0, 0.05], ids=["unseen", "seen"])
async def test_an_idle_connection_that_speaks_is_not_used(pause: float) -> None:
    async with ScriptedServer([answer(b"fine")]) as server, client() as http:
        await http.post(server.url, content=b"1")
        server.say(answer(b"too slow", 408))
        await asyncio.sleep(pause)
        assert (await http.post(server.url, content=b"2")).text == "fine"
    assert server.connections == 2


async def test_a_second_answer_never_reaches_another_request() -> None:
    async with ScriptedServer([answer(b"mine") + answer(b"smuggled"), answer(b"yours")]) as server, client() as http:
        assert (await http.get(server.url)).text == "mine"
        assert (await http.get(server.url)).text == "yours"
    assert server.connections == 2


async def test_an_idle_connection_is_closed_before_the_other_end_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chime.whatsapp.transport._KEEP_IDLE", 0.05)
    async with ScriptedServer([answer()]) as server, client() as http:
        await http.get(server.url)
        await server.until_hung_up()
        await http.get(server.url)
    assert server.connections == 2


async def test_a_cancelled_request_closes_its_connection_and_frees_its_place() -> None:
    async with ScriptedServer([silence, answer(b"fine")]) as server, client(connections=1) as http:
        task = asyncio.create_task(http.get(server.url))
        await server.until_asked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until_hung_up()
        assert (await http.get(server.url)).text == "fine"


async def test_who_finds_no_place_in_time_has_sent_nothing() -> None:
    async with ScriptedServer([silence]) as server, client(connections=1) as http:
        task = asyncio.create_task(http.get(server.url))
        await server.until_asked()
        with pytest.raises(httpx.PoolTimeout):
            await http.get(server.url, timeout=httpx.Timeout(5, pool=0.05))
        assert len(server.requests) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_closing_the_pool_closes_what_is_idle() -> None:
    async with ScriptedServer([answer()]) as server:
        async with client() as http:
            await http.get(server.url)
        await server.until_hung_up()


async def test_a_body_nobody_reads_to_its_end() -> None:
    long = bytes(600_000)
    async with ScriptedServer([answer(long), answer(b"fine")]) as server, client() as http:
        async with http.stream("GET", server.url):
            await asyncio.sleep(0.05)
        assert (await http.get(server.url)).text == "fine"


async def test_a_whole_body_nobody_read_leaves_a_connection_that_reads() -> None:
    """Larger than what is read ahead, so reading was paused when the answer was complete."""
    async with ScriptedServer([answer(bytes(262_200)), answer(b"fine")]) as server, client(1) as http:
        async with http.stream("GET", server.url):
            await asyncio.sleep(0.1)
        for _ in range(3):
            assert (await http.get(server.url)).text == "fine"


async def test_a_slow_reader_slows_the_sender_down() -> None:
    piece, pieces, sent = bytes(range(256)) * 256, 1024, []

    async def flood(wire: Wire) -> None:
        wire.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * pieces))
        for _ in range(pieces):
            wire.writer.write(piece)
            await wire.writer.drain()
            sent.append(len(piece))

    async with ScriptedServer([flood]) as server, client() as http, http.stream("GET", server.url) as response:
        await asyncio.sleep(0.3)
        assert sum(sent) < len(piece) * pieces / 2, "the rest must wait in the sender, not in our memory"
        digest = hashlib.sha256()
        async for chunk in response.aiter_raw():
            digest.update(chunk)
    assert digest.digest() == hashlib.sha256(piece * pieces).digest()


async def _pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(65_536)


async def test_a_long_request_is_written_as_it_is_made() -> None:
    async with ScriptedServer([answer(b"fine")]) as server, client() as http:
        headers = {"Content-Length": str(65_536 * 200)}
        assert (await http.post(server.url, content=_pieces(200), headers=headers)).text == "fine"
    assert len(server.requests[0].body) == 65_536 * 200


async def test_an_answer_before_the_request_is_written_ends_it() -> None:
    async def refuse(wire: Wire) -> None:
        wire.writer.write(answer(b"too large", 413))
        await silence(wire)

    async with ScriptedServer([refuse, answer(b"fine")], eager=True) as server, client(2) as http:
        headers = {"Content-Length": str(65_536 * 4000)}
        response = await http.post(server.url, content=_pieces(4000), headers=headers)
        assert (response.status_code, response.text) == (413, "too large")
        assert (await http.get(server.url)).text == "fine", "what is left of the first request must not spoil the next"
    assert server.connections == 2


async def test_nobody_takes_the_request() -> None:
    async def deaf(wire: Wire) -> None:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(5)

    async with ScriptedServer([deaf], eager=True) as server, client(0.2) as http:
        with pytest.raises(httpx.WriteTimeout):
            await http.post(server.url, content=_pieces(4000), headers={"Content-Length": str(65_536 * 4000)})


@pytest.mark.parametrize("method, headers, content", [
    ("POST", {"X-A": "b\r\nX-Evil: 1"}, b""),
    ("POST", {"X-A": "b\nX-Evil: 1"}, b""),
    ("POST", {"X-A": "b\rX-Evil: 1"}, b""),
    ("POST", {"X-A": "b\0"}, b""),
    ("POST", {}, _pieces(1)),
    ("HEAD", {}, b""),
], ids=["crlf", "lf", "cr", "nul", "no-length", "head"])
async def test_what_cannot_be_said_is_not_sent(
    method: str, headers: dict[str, str], content: bytes | AsyncIterator[bytes]
) -> None:
    async with ScriptedServer([answer()]) as server, client() as http:
        with pytest.raises(httpx.LocalProtocolError):
            await http.request(method, server.url, headers=headers, content=content)
        with pytest.raises(httpx.UnsupportedProtocol):
            await http.get("ftp://127.0.0.1/")
    assert server.connections == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its certificate for 127.0.0.1, signed by itself."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "-", "-out", "-"],
        check=True, capture_output=True,
    )
    path.write_bytes(made.stdout)
    return path


async def test_tls(certificate: Path) -> None:
    ours = ssl.create_default_context(cafile=str(certificate))
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate)
    async with ScriptedServer([answer(b"fine")], tls=theirs) as server:
        async with client(tls=ours) as http:
            for _ in range(3):
                assert (await http.post(server.url, content=b"x")).text == "fine"
            assert server.connections == 1
            server.hang_up()
            assert (await http.post(server.url, content=b"x")).text == "fine"
            assert server.connections == 2
        async with client() as stranger:
            with pytest.raises(httpx.ConnectError):
                await stranger.post(server.url, content=b"x")
        assert len(server.requests) == 4


async def test_a_handshake_that_breaks_has_sent_nothing(certificate: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with client(tls=ssl.create_default_context(cafile=str(certificate))) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    server.close()
