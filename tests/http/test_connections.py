"""Sockets themselves: what one may make the server remember, what a goodbye looks like, who makes room for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from chime.connections import MOST_PIPELINED, Door, Limits
from chime.web.whole_answer import after_the_servers_headers, offered
from tests.support.world import free_port, serving

ASKS = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
ASKS_WHOLE = ASKS.replace(b"/ ", b"/whole ")
WHOLE = after_the_servers_headers([(b"x-by", b"hand"), (b"content-length", b"5")], b"whole")
LIMITS = Limits(first_byte=1.0, head=0.5, kept=1.0, body=1.0, body_pause=0.5, answer=0.5, unwanted=0.3, most=4,
                look_every=0.05)
Answering = Callable[[Any, Any], Any]


class Site:
    """A small application behind a door. `release` lets its slow answers go; `left` counts who went away before, and
    `whole` the answers that left in one piece."""

    def __init__(self, port: int, door: Door) -> None:
        self.port = port
        self.door = door
        self.release = asyncio.Event()
        self.left = 0
        self.whole = 0
        self._opened: list[asyncio.StreamWriter] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/whole":
            writer = offered(scope["extensions"])
            assert writer is not None
            if writer.write_whole(scope, WHOLE):
                self.whole += 1
                return
        await {"/slow": self._slow, "/large": self._large, "/stream": self._stream}.get(scope["path"], self._answer)(
            receive, send)

    async def _answer(self, receive: Any, send: Any, body: bytes = b"hello") -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [
            (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _slow(self, receive: Any, send: Any) -> None:
        await self.release.wait()
        await self._answer(receive, send)

    async def _large(self, receive: Any, send: Any) -> None:
        await self._answer(receive, send, bytes(8_000_000))

    async def _stream(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left += 1

    async def open(self, first: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        self._opened.append(writer)
        writer.write(first)
        return reader, writer

    async def close(self) -> None:
        """Every connection a test left open."""
        self.release.set()
        for writer in self._opened:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._opened), return_exceptions=True)

    async def asked(self, request: bytes) -> bytes:
        """All that comes until the server ends it; a reset ends it too."""
        reader, _ = await self.open(request)
        try:
            async with asyncio.timeout(5):
                return await reader.read()
        except ConnectionError:
            return b""


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    site = Site(free_port(), Door(LIMITS))
    config = uvicorn.Config(site, http=site.door.protocol, ws="none", log_config=None, log_level="error",
                            lifespan="off")
    async with serving(config, site.port):
        try:
            yield site
        finally:
            await site.close()


@pytest.mark.parametrize(("request_", "status"), [
    (b"GET / HTTP/1.1\r\nx-a: " + b"x" * 400_000, 431), (b"GET /" + b"x" * 400_000, 431),
    (b"GET / HTTP/1.1\r\n" + b"x-a: b\r\n" * 80_000, 431), (b"nonsense\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nhost:", 408), (b"POST /slow HTTP/1.1\r\ncontent-length: 9\r\n\r\nx", 408),
])
async def test_a_request_without_end_gets_its_code_and_a_goodbye(request_: bytes, status: int) -> None:
    async with open_site() as site:
        answer = await site.asked(request_)
        # Who still sends when it is closed may see a reset instead of the answer.
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()) or (not answer and len(request_) > 100_000)
        assert not answer or b"connection: close\r\n" in answer


async def test_requests_one_after_the_other_are_answered_in_order_but_not_without_end() -> None:
    async with open_site() as site:
        reader, _ = await site.open(ASKS.replace(b"/ ", b"/slow ") + ASKS * (MOST_PIPELINED - 1))
        await asyncio.sleep(0.1)
        site.release.set()
        for _ in range(MOST_PIPELINED):
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
        site.release.clear()
        assert await site.asked(ASKS.replace(b"/ ", b"/slow ") + ASKS * 100) == b""


async def test_a_whole_answer_is_one_like_any_other_on_a_connection_that_goes_on() -> None:
    async with open_site() as site:
        reader, writer = await site.open(ASKS_WHOLE)
        for _ in range(3):
            answer = await reader.readuntil(b"whole")
            head, _, body = answer.partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            assert (first, body) == (b"HTTP/1.1 200 OK", b"whole")
            assert {line.partition(b":")[0] for line in lines} == {b"date", b"server", b"x-by", b"content-length"}
            writer.write(ASKS_WHOLE)
        assert await reader.readuntil(b"whole")
        assert site.whole == 4


async def test_where_an_answer_cannot_leave_whole_it_goes_the_usual_way() -> None:
    async with open_site() as site:
        assert (await site.asked(ASKS_WHOLE.replace(b"host", b"connection: close\r\nhost"))).endswith(b"\r\n\r\nhello")
        assert (await site.asked(ASKS_WHOLE.replace(b"1.1", b"1.0"))).endswith(b"\r\n\r\nhello")
        assert site.whole == 0
        reader, _ = await site.open(ASKS.replace(b"/ ", b"/slow ") + ASKS_WHOLE * 2 + ASKS)
        await asyncio.sleep(0.1)
        site.release.set()
        answers = [(await reader.readuntil(b"\r\n\r\n"), await reader.readexactly(5))[1] for _ in range(4)]
        assert answers[0] == answers[3] == b"hello", "in the order they were asked"
        assert len(answers) == 4


async def test_a_late_head_after_an_unanswered_request_is_not_mistaken_for_its_answer() -> None:
    async with open_site() as site:
        assert await site.asked(ASKS.replace(b"/ ", b"/slow ") + b"GET / HT") == b""


async def test_a_stream_hears_that_its_reader_left_although_another_request_came_behind_it() -> None:
    async with open_site() as site:
        reader, writer = await site.open(ASKS.replace(b"/ ", b"/stream "))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ASKS)
        await asyncio.sleep(0.1)
        writer.close()
        async with asyncio.timeout(2):
            while not site.left:
                await asyncio.sleep(0.01)


async def test_who_reads_nothing_is_ended_and_who_reads_slowly_is_not() -> None:
    async with open_site() as site:
        stalled, _ = await site.open(ASKS.replace(b"/ ", b"/large "))
        slow, _ = await site.open(ASKS.replace(b"/ ", b"/large "))
        stalled._transport.pause_reading()  # type: ignore[attr-defined]
        taken = 0
        async with asyncio.timeout(20):
            while taken < 8_000_000:
                taken += len(await slow.read(200_000))
                await asyncio.sleep(0.02)
        stalled._transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            while await stalled.read(1 << 20):
                pass


async def test_the_rest_of_a_body_that_is_answered_is_thrown_away_for_a_moment_only() -> None:
    async with open_site() as site:
        reader, writer = await site.open(b"POST / HTTP/1.1\r\ncontent-length: 90\r\n\r\nx")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"y" * 89 + ASKS)
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 90\r\n\r\nx")
        await reader.readuntil(b"hello")
        async with asyncio.timeout(2):
            assert await reader.read() == b""


async def test_the_silent_make_room_the_longest_first_and_whoever_was_served_last() -> None:
    async with open_site() as site:
        kept, his = await site.open(ASKS)
        await kept.readuntil(b"hello")
        silent = []
        for _ in range(LIMITS.most - 1):
            silent.append(await site.open())
            await asyncio.sleep(2 * LIMITS.look_every)
        assert (await site.asked(ASKS.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))).endswith(b"hello")
        with pytest.raises(ConnectionError):
            await silent[0][0].readexactly(1)
        his.write(ASKS)
        assert (await kept.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")


async def test_a_house_full_of_requests_refuses_the_next() -> None:
    async with open_site() as site:
        busy = [await site.open(ASKS.replace(b"/ ", b"/slow ")) for _ in range(LIMITS.most)]
        await asyncio.sleep(0.1)
        refused = await site.asked(b"")
        assert refused.startswith(b"HTTP/1.1 503 ") and b"retry-after: 5\r\n" in refused
        site.release.set()
        for reader, _ in busy:
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("before", [b"", ASKS, ASKS[:10]], ids=["nothing", "a request", "half a head"])
async def test_what_is_on_its_way_when_the_server_ends_is_answered(before: bytes) -> None:
    """A webhook that came with the end of the old process was reset, and Meta comes again only minutes later."""
    async with open_site() as site:
        reader, writer = await site.open(before)
        while not site.door.inside or (before == ASKS and not all(one.served for one in site.door.inside)):
            await asyncio.sleep(0.01)
        if before == ASKS:
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        for connection in list(site.door.inside):
            connection.shutdown()
        writer.write(ASKS[10:] if before == ASKS[:10] else ASKS)
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello") and b"connection: close" in answer
        assert not site.door.inside


async def test_who_says_nothing_more_is_gone_a_moment_after_the_end() -> None:
    async with open_site() as site:
        quiet, half = await site.open(), await site.open(ASKS[:10])
        while len(site.door.inside) < 2:
            await asyncio.sleep(0.01)
        for connection in list(site.door.inside):
            connection.shutdown()
        for reader, _ in (quiet, half):
            assert await asyncio.wait_for(reader.read(), 10) == b""
