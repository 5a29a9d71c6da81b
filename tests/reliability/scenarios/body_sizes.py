"""Bodies of every size and encoding: none, one byte, megabytes, a declared gigabyte, endless ones, a gzip bomb.

A round posts all that must be refused at once. Each is answered with one of the codes it may get, the
process grows by 32 MB at most, and the ordinary message between them is taken each time. At last 24 bodies of 3 to 4 MB
come at once: all are taken, and the process never holds them all.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from chime.security.signatures import signature
from tests.reliability.appliance import Appliance
from tests.reliability.checker import opened, unaccounted, unsound, until_applied
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.senders import Delivery, Sender
from tests.reliability.traffic import Traffic
from tests.support.world import APP_SECRET

SHORT, NIGHTLY, RELEASE = 1, 500, 5_000
MOST_GROWTH_MB = 32
LARGE = 24
LETTERS = 40_000
# 57 to 84 measured; 130 to 190 while the trust page's own check of the delivery proof went through the journal sixteen
# bodies at once, which it does no more. With 72 such bodies it was no more than with 24.
MOST_GROWTH_BY_LARGE_MB = 140
PATIENCE = 30.0
PIECE = bytes(65_536)
# What a sender without end sends at most, should nobody stop it.
ENDLESS_MB = 64


class Case(msgspec.Struct, frozen=True):
    """A request as pieces, and the answers it may get. 0 is a closed connection: the answer to a flood may drown."""

    name: str
    pieces: Callable[[], Iterator[bytes]]
    answers: frozenset[int]


def _post(path: str, body: bytes, *headers: str, signed: bytes | None = None) -> Iterator[bytes]:
    """A whole request; `signed` is what the signature is of, when it is not of the body."""
    yield _head(path, f"content-length: {len(body)}",
                f"x-hub-signature-256: {signature(APP_SECRET.encode(), body if signed is None else signed)}", *headers)
    yield body


def _head(path: str, *headers: str) -> bytes:
    kind = "application/json" if path.startswith(("/webhooks", "/api")) else "application/x-www-form-urlencoded"
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-type: {kind}", *headers,
                        "\r\n"]).encode()


def _declared(path: str, megabytes: int) -> Iterator[bytes]:
    """So much is announced, and begun."""
    yield _head(path, f"content-length: {megabytes * 1_000_000}", f"x-hub-signature-256: sha256={'0' * 64}")
    yield PIECE


def _endless(path: str, piece: bytes) -> Iterator[bytes]:
    """A chunked body that never ends."""
    yield _head(path, "transfer-encoding: chunked", f"x-hub-signature-256: sha256={'0' * 64}")
    for _ in range(ENDLESS_MB * 1_000_000 // len(piece)):
        yield piece


def _endless_head(path: str, start: bytes) -> Iterator[bytes]:
    """Something before the body that never ends: a header, the headers, the address."""
    yield start or _head(path)[:-2]
    for _ in range(ENDLESS_MB * 1_000_000 // len(PIECE)):
        yield b"x" * len(PIECE) if start else b"x-a: b\r\n" * 8_000


def _of_size(traffic: Traffic, size: int) -> bytes:
    """A body of long messages, filled up with white space to the very byte."""
    facts = [msgspec.structs.replace(traffic.text(), words="x" * LETTERS) for _ in range(size // (LETTERS + 1_000))]
    return traffic.body(facts).body.ljust(size)


def _refused(webhook: str, traffic: Traffic) -> list[Case]:
    bomb = gzip.compress(bytes(200_000_000), 9)
    small = traffic.body([traffic.text()]).body
    long_chunk = b"%x\r\n" % len(PIECE) + PIECE + b"\r\n"
    extension = b"1;" + b"x" * 60_000 + b"\r\nx\r\n"

    def case(name: str, pieces: Callable[[], Iterator[bytes]], *answers: int) -> Case:
        return Case(name, pieces, frozenset(answers))

    return [
        case("0 bytes", lambda: _post(webhook, b""), 400),
        case("1 byte", lambda: _post(webhook, b"x"), 400),
        case("a digit", lambda: _post(webhook, b"7"), 200),
        case("4 MiB and a byte", lambda: _post(webhook, _of_size(traffic, 4 * 1024 * 1024 + 1)), 413),
        case("1 GB declared", lambda: _declared(webhook, 1_000), 413),
        case("a number too long for a length", lambda: iter([_head(webhook, f"content-length: {'9' * 40}")]), 400),
        case("a negative length", lambda: iter([_head(webhook, "content-length: -1")]), 400),
        case("two lengths", lambda: iter([_head(webhook, "content-length: 3", "content-length: 5"), b"abcde"]), 400),
        case("a length and chunks", lambda: iter([_head(
            webhook, "content-length: 3", "transfer-encoding: chunked"), b"5\r\nabcde\r\n0\r\n\r\n"]), 400),
        case("endless chunks", lambda: _endless(webhook, long_chunk), 413),
        case("endless chunks, little in each", lambda: _endless(webhook, extension), 401, 408),
        case("an endless chunk size", lambda: _endless(webhook, b"0" * len(PIECE)), 400, 431, 0),
        case("endless trailers", lambda: _endless_head(webhook, _head(webhook, "transfer-encoding: chunked")
                                                       + b"0\r\nx-a: "), 400, 401, 431, 0),
        case("an endless header", lambda: _endless_head(webhook, _head(webhook)[:-2] + b"x-a: "), 431, 0),
        case("endless headers", lambda: _endless_head(webhook, b""), 431, 0),
        case("an endless address", lambda: _endless_head(webhook, b"GET /"), 431, 0),
        case("endless empty lines", lambda: _endless_head(webhook, b"\r\n" * 30_000), 400, 431, 0),
        case("a gzip bomb", lambda: _post(webhook, bomb, "content-encoding: gzip"), 400),
        case("a gzipped message", lambda: _post(webhook, gzip.compress(small), "content-encoding: gzip", signed=small),
             401),
        case("1 GB declared for a form", lambda: _declared("/sign-in", 1_000), 413),
        case("endless chunks for a form", lambda: _endless("/sign-in", long_chunk), 413, 0),
        case("endless chunks for nobody", lambda: _endless("/no/such/page", long_chunk), 404, 0),
        case("endless chunks without a key", lambda: _endless("/api/v1/messages", long_chunk), 401, 404, 0),
        case("a gzip bomb for a form", lambda: _post("/sign-in", bomb, "content-encoding: gzip"), 400, 401, 413, 422),
    ]


def _ask(port: int, pieces: Iterator[bytes]) -> int:
    """Send until all is sent or nobody takes more; the status, 0 without one. Blocking, for a thread: a stream of
    asyncio forgets the answer when writing fails."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
        except OSError:
            pass
        answer = b""
        try:
            while b"\r\n" not in answer:
                part = sock.recv(65_536)
                if not part:
                    break
                answer += part
        except TimeoutError:
            return -1
        except OSError:
            pass
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


async def run(options: Options) -> Outcome:
    watch, luck = Watch("body-sizes", options), options.luck()
    async with Appliance.install(options.folder) as appliance:
        await appliance.start()
        traffic = Traffic(appliance.numbers, luck)
        sender = Sender(appliance.port, appliance.webhook_path, luck, connections=2)
        # What the process keeps for good after its first large body is not the matter here.
        await sender.deliver(Delivery(_of_size(traffic, 3_000_000)))
        await until_applied(appliance)
        cases, before, peak = _refused(appliance.webhook_path, traffic), appliance.resident_megabytes(), 0.0
        answers: Counter[str] = Counter()
        for _ in range(options.rounds):
            luck.shuffle(cases)
            asking = [asyncio.create_task(asyncio.to_thread(_ask, appliance.port, case.pieces())) for case in cases]
            peak = max(peak, await _watched(appliance, asyncio.gather(*asking)))
            for case, asked in zip(cases, asking, strict=True):
                answers[f"{case.name}: {asked.result()}"] += 1
                watch.expect(asked.result() in case.answers, f"{case.name}: answered {asked.result()}")
            await sender.deliver(traffic.body([traffic.text()]))
        watch.expect(peak - before <= MOST_GROWTH_MB,
                     f"what was refused made the process grow by {peak - before:.0f} MB")
        watch.figures |= {"resident_before_mb": before, "growth_by_the_refused_mb": round(peak - before, 1),
                          "answers": dict(sorted(answers.items()))}
        await _large_ones(watch, appliance, sender, traffic)
        await sender.close()
        await appliance.stop()
        with opened(appliance) as files:
            watch.faults += unsound(files) + unaccounted(files)
    return watch.outcome()


async def _large_ones(watch: Watch, appliance: Appliance, sender: Sender, traffic: Traffic) -> None:
    """As large as Meta sends them and a little more, faster than they can be applied."""
    before = appliance.resident_megabytes()
    bodies = [_of_size(traffic, size) for _ in range(LARGE // 3) for size in (3_000_000, 3_500_000, 4_000_000)]

    async def take() -> None:
        for body in bodies:
            await sender.deliver(Delivery(body))
        await until_applied(appliance)

    peak = await _watched(appliance, asyncio.create_task(take()))
    watch.figures |= {"large_bodies": len(bodies), "growth_by_large_bodies_mb": round(peak - before, 1)}
    watch.faults += sender.unusual()
    watch.expect(peak - before <= MOST_GROWTH_BY_LARGE_MB,
                 f"{len(bodies)} large bodies made the process grow by {peak - before:.0f} MB")


async def _watched(appliance: Appliance, work: asyncio.Future[Any]) -> float:
    """Wait for it; the most memory seen meanwhile, in megabytes."""
    most = appliance.resident_megabytes()
    while not work.done():
        await asyncio.wait({work}, timeout=0.02)
        most = max(most, appliance.resident_megabytes())
    work.result()
    return most
