"""Peers that are slow on purpose: silent, half a head, a dripping body, an unread answer, and more than have room.

A round opens sockets of every kind at once. Each is ended within its deadline, never later; meanwhile ordinary requests
are answered within 300 ms (the 99th of 100), and afterwards nothing is left of them. A run of one round serves from a
thread with short deadlines; longer ones take the process as it is, 20 rounds and more with 2,000 sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator

import httpx

from chime.connections import Limits
from tests.reliability.appliance import Appliance
from tests.reliability.in_process import served_with
from tests.reliability.listeners import cookie_of_alice
from tests.reliability.scenario import Options, Outcome, Watch, percentile
from tests.reliability.senders import Sender
from tests.reliability.slow import Habit, Peer
from tests.reliability.traffic import Traffic

SHORT, NIGHTLY, RELEASE = 1, 5, 20
QUICK = Limits(first_byte=2.0, head=1.0, kept=3.0, body=4.0, webhook_body=2.0, body_pause=1.0, answer=2.0, unwanted=0.5,
               look_every=0.1, most=300)
# A peer notices its end a moment later, on a machine with work to do.
MOMENT = 1.0
FILE = b"%PDF-1.4\n" + bytes(3_000_000)
READERS = 10


def _habits(appliance: Appliance, limits: Limits) -> list[tuple[Habit, float]]:
    """Each kind with the seconds it may hold a socket."""
    webhook = (f"POST {appliance.webhook_path} HTTP/1.1\r\nhost: x\r\n"
               f"x-hub-signature-256: sha256={'0' * 64}\r\n").encode()
    form = (b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            b"content-length: 60000\r\n\r\n")
    good = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    return [
        (Habit("silent"), limits.first_byte),
        (Habit("empty lines", bit=b"\r\n"), limits.first_byte),
        (Habit("a slow head", at_once=b"GET / HTTP/1.1\r\n", bit=b"x"), limits.head),
        (Habit("headers without end", at_once=b"GET / HTTP/1.1\r\n", bit=b"x-a: b\r\n"), limits.head),
        (Habit("a second slow head", asks_first=good, at_once=b"GET"), limits.head),
        (Habit("kept and silent", asks_first=good), limits.kept),
        (Habit("kept, with empty lines", asks_first=good, bit=b"\r\n"), limits.kept),
        (Habit("half a webhook", at_once=webhook + b"content-length: 5000\r\n\r\n{"), limits.body_pause),
        (Habit("a dripping webhook", at_once=webhook + b"content-length: 5000\r\n\r\n", bit=b" "), limits.body_pause),
        (Habit("a slow webhook", at_once=webhook + b"content-length: 3000000\r\n\r\n", bit=b" " * 2_000),
         limits.webhook_body),
        (Habit("dripping chunks", at_once=webhook + b"transfer-encoding: chunked\r\n\r\n", bit=b"1\r\n \r\n"),
         limits.body_pause),
        (Habit("half a form", at_once=form + b"email=a"), limits.body_pause),
        (Habit("a dripping form", at_once=form, bit=b"x"), limits.body_pause),
    ]


async def run(options: Options) -> Outcome:
    watch = Watch("slow-clients", options)
    appliance = Appliance.install(options.folder)
    if options.rounds == 1:
        with served_with(appliance, QUICK):
            await _round(watch, appliance, QUICK, 200, options)
            await _full_house(watch, appliance, QUICK)
        return watch.outcome()
    async with appliance:
        await appliance.start()
        for _ in range(options.rounds):
            before = appliance.descriptors()
            await _round(watch, appliance, Limits(), 2_000 if options.rounds >= RELEASE else 500, options)
            await asyncio.sleep(2)
            left = appliance.descriptors() - before
            # The first requests open a workspace's files.
            watch.expect(left <= 40, f"{left} descriptors are left over")
        await _full_house(watch, appliance, Limits())
        watch.figures["resident_mb"] = appliance.resident_megabytes()
    return watch.outcome()


async def _round(watch: Watch, appliance: Appliance, limits: Limits, sockets: int, options: Options) -> None:
    habits = _habits(appliance, limits)
    peers = [(Peer(habit), most) for habit, most in habits for _ in range(sockets // len(habits))]
    readers = await _who_read_nothing(appliance)
    async with _ordinary_requests(watch, appliance, options):
        tasks = [asyncio.create_task(peer.run(appliance.port)) for peer, _ in peers]
        tasks += [asyncio.create_task(peer.run(appliance.port)) for peer in readers]
        longest = max(most for _, most in peers)
        await asyncio.wait(tasks[:len(peers)], timeout=longest + 5)
        await asyncio.sleep(max(0.0, limits.answer - longest) + MOMENT)
        for peer in readers:
            peer.resume()
        await asyncio.wait(tasks, timeout=5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    _check_peers(watch, peers)
    _check_readers(watch, readers)
    for peer in [each for each, _ in peers] + readers:
        peer.close()


def _check_peers(watch: Watch, peers: list[tuple[Peer, float]]) -> None:
    held: dict[str, list[float]] = defaultdict(list)
    for peer, most in peers:
        name = peer.habit.name
        held[name].append(peer.seconds)
        if not peer.ended.is_set():
            watch.faults.append(f"{name}: never ended")
        elif peer.seconds > most + MOMENT:
            watch.faults.append(f"{name}: held a socket for {peer.seconds:.1f} s instead of {most:.0f} s")
        elif peer.answer and not peer.answer.startswith(b"HTTP/1.1 408 "):
            watch.faults.append(f"{name}: was answered {peer.answer[9:12].decode()}")
    watch.figures["held_at_most_seconds"] = {name: round(max(seconds), 1) for name, seconds in held.items()}


def _check_readers(watch: Watch, readers: list[Peer]) -> None:
    # What was in the kernels' buffers still arrives.
    served = sum(peer.taken >= len(FILE) or not peer.ended.is_set() for peer in readers)
    watch.expect(not served, f"{served} of {len(readers)} who read nothing were not ended")


async def _who_read_nothing(appliance: Appliance) -> list[Peer]:
    """They ask for a large file and take none of it."""
    number = appliance.numbers[0]
    async with httpx.AsyncClient(base_url=appliance.base, timeout=20) as client:
        answer = await client.post("/api/v1/media", files={"file": ("a.pdf", FILE, "application/pdf")},
                                   headers={"Authorization": f"Bearer {number.api_key}"})
        assert answer.status_code == 201, answer.text
    cookie = await cookie_of_alice(appliance.base)
    asks = f"GET /w/{number.slug}/media/{answer.json()['id']} HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n".encode()
    return [Peer(Habit("an unread answer", at_once=asks, reads=False)) for _ in range(READERS)]


@contextlib.asynccontextmanager
async def _ordinary_requests(watch: Watch, appliance: Appliance, options: Options) -> AsyncIterator[None]:
    """Meta posts and somebody looks whether we live, all the while."""
    traffic = Traffic(appliance.numbers, options.luck(), name=f"t{time.monotonic_ns()}")
    sender = Sender(appliance.port, appliance.webhook_path, options.luck(), connections=4)

    async def post() -> None:
        while True:
            await sender.deliver(traffic.delivery())
            await asyncio.sleep(0.02)

    posting = asyncio.create_task(post())
    try:
        yield
    finally:
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
        p99 = percentile(sender.milliseconds, 0.99)
        watch.figures |= {"ordinary_requests": len(sender.milliseconds), "ordinary_p99_ms": round(p99, 1)}
        watch.expect(p99 <= 300, f"ordinary requests took {p99:.0f} ms")
        watch.expect(set(sender.answers) <= {200}, f"ordinary requests were answered {dict(sender.answers)}")
        await sender.close()


async def _full_house(watch: Watch, appliance: Appliance, limits: Limits) -> None:
    """More sockets than there is room for: the silent ones make room, whoever asks is answered."""
    silent = [Peer(Habit("silent")) for _ in range(limits.most + 50)]
    tasks = [asyncio.create_task(peer.run(appliance.port)) for peer in silent]
    await asyncio.sleep(1)
    evicted = sum(peer.ended.is_set() for peer in silent)
    async with httpx.AsyncClient(base_url=appliance.base, timeout=5) as client:
        answers = [(await client.get("/healthz")).status_code for _ in range(5)]
    for peer in silent:
        peer.close()
    await asyncio.gather(*tasks)
    watch.figures["made_room"] = evicted
    watch.expect(answers == [200] * 5, f"a full house answers {answers}")
    watch.expect(evicted >= 50, f"only {evicted} of {len(silent)} silent ones made room for {limits.most}")
