"""Hours of an ordinary busy day: messages and statuses come in, answers go out over TLS and their statuses come back,
pages and the API are read, browsers listen. What is looked at is whether memory, descriptors and logs stay as they are.
The yardstick is the process after the first sixth of the time (20 minutes of two hours)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from chime.setup import new_api_key
from tests.bench.bodies import envelope, message, request, status
from tests.bench.installation import Installed, Process, config_for, install, resident_megabytes, served
from tests.bench.options import Options
from tests.bench.send import graph
from tests.support.world import PASSWORD, free_port

SECONDS = 7_200
IN_A_SECOND = 20
LISTENERS = 20
LOOK_EVERY = 10.0


def measure(options: Options) -> dict[str, object]:
    seconds = options.lasting(SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        key = asyncio.run(new_api_key(config_for(installed.data_dir), "Acme", "soak", "all")).key
        port = free_port()
        with graph(Path(folder), installed, port) as (url, certificate, told):
            with served(installed.data_dir, graph_url=url, port=port, fsync_ms=options.fsync_ms,
                        environment={"SSL_CERT_FILE": str(certificate)}) as process:
                day = Day(process, installed, key, seconds, every=0.5 if options.quick else LOOK_EVERY)
                asyncio.run(day.live())
            sent = told()
    return day.report() | {"sent_through_graph": sent["accepted"], "sent_twice": sent["twice"]}


class Day:
    """Everything that goes on, and what is seen of the process meanwhile."""

    def __init__(self, process: Process, installed: Installed, key: str, seconds: float, *, every: float) -> None:
        self._process = process
        self._installed = installed
        self._key = key
        self._seconds = seconds
        self._every = every
        self._until = time.monotonic() + seconds
        self._luck = random.Random(11)
        self._cookies: dict[str, str] = {}
        self._answers: Counter[str] = Counter()
        self._looks: list[tuple[float, float, int, float]] = []
        """Seconds since the start, megabytes, descriptors, megabytes of write-ahead logs"""

    async def live(self) -> None:
        async with asyncio.TaskGroup() as group:
            for work in (self._customers(), self._agent(), self._script(), self._looking(),
                         *(self._listener(number) for number in range(LISTENERS))):
                group.create_task(work)

    @property
    def _goes_on(self) -> bool:
        return time.monotonic() < self._until

    async def _customers(self) -> None:
        """20 posts a second: two thirds messages, the rest statuses of messages nobody knows, one in ten repeated."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._process.port)
        index, last = 0, b""
        while self._goes_on:
            begun = time.monotonic()
            for _ in range(IN_A_SECOND):
                index += 1
                if not last or self._luck.random() > 0.1:
                    body = (message("soak", index) if index % 3 else
                            envelope({"statuses": [status(f"wamid.unknown.{index}", "read", "15550000001")]}))
                    last = request(self._installed.webhook_path, body)
                writer.write(last)
                head = await reader.readuntil(b"\r\n\r\n")
                # A refusal says more than "ok", and what follows it is to be read as what it is.
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
                self._answers[f"webhook {head[9:12].decode()}"] += 1
            await asyncio.sleep(max(0.0, begun + 1 - time.monotonic()))
        writer.close()

    async def _agent(self) -> None:
        """Two pages and an answer a second."""
        async with httpx.AsyncClient(base_url=self._process.base, timeout=30) as browser:
            await browser.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
            self._cookies = dict(browser.cookies)
            while self._goes_on:
                page = await browser.get("/w/acme/inbox?v=all")
                self._answers[f"page {page.status_code}"] += 1
                ids = re.findall(r'id="c-([0-9a-z]{26})"', page.text)
                token = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
                if ids and token:
                    thread = f"/w/acme/inbox/{self._luck.choice(ids)}"
                    shown = await browser.get(thread)
                    self._answers[f"page {shown.status_code}"] += 1
                    answer = await browser.post(f"{thread}/messages", data={"type": "text", "text": "On its way!"},
                                                headers={"X-CSRF-Token": token[1], "HX-Request": "true"})
                    self._answers[f"answer {answer.status_code}"] += 1
                await asyncio.sleep(1)

    async def _script(self) -> None:
        """An API call a second, slow enough for the key's limits."""
        async with httpx.AsyncClient(base_url=self._process.base, timeout=30,
                                     headers={"Authorization": f"Bearer {self._key}"}) as client:
            while self._goes_on:
                for path in ("/api/v1/conversations?state=open", "/api/v1/contacts", "/api/v1/channels"):
                    answer = await client.get(path)
                    self._answers[f"api {answer.status_code}"] += 1
                    await asyncio.sleep(1)

    async def _listener(self, number: int) -> None:
        """A browser that stays a minute or so, goes, and comes back."""
        while not self._cookies:
            await asyncio.sleep(0.1)
        async with httpx.AsyncClient(base_url=self._process.base, timeout=60, cookies=self._cookies) as browser:
            await asyncio.sleep(number * 0.05)
            while self._goes_on:
                stay = min(self._until, time.monotonic() + self._luck.uniform(30, 90))
                with contextlib.suppress(httpx.HTTPError, TimeoutError):
                    async with (asyncio.timeout(stay - time.monotonic()),
                                browser.stream("GET", "/w/acme/events") as stream):
                        self._answers[f"stream {stream.status_code}"] += 1
                        async for _ in stream.aiter_lines():
                            pass
                await asyncio.sleep(0.5)

    async def _looking(self) -> None:
        begun = time.monotonic()
        while self._goes_on:
            await asyncio.sleep(self._every)
            self._looks.append((time.monotonic() - begun, *self._look()))

    def _look(self) -> tuple[float, int, float]:
        logs = sum(path.stat().st_size for path in self._installed.data_dir.rglob("*-wal"))
        descriptors = len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))
        return resident_megabytes(self._process.pid), descriptors, logs / 2**20

    def report(self) -> dict[str, object]:
        warm = [look for look in self._looks if look[0] >= self._seconds / 6]
        slope = statistics.linear_regression([look[0] / 3600 for look in warm], [look[1] for look in warm]).slope
        half = len(warm) // 2
        first, second = (statistics.median(look[2] for look in part) for part in (warm[:half], warm[half:]))
        wrong = {answer: count for answer, count in self._answers.items() if not answer.endswith(("200", "303"))}
        return {"seconds": round(self._seconds), "baseline_rss_mb": warm[0][1], "rss_mb_at_the_end": warm[-1][1],
                "ratio": round(warm[-1][1] / warm[0][1], 3), "rss_slope_mb_per_hour": round(slope, 2),
                "descriptors_first_half": first, "descriptors_second_half": second,
                "largest_wal_mb": round(max(look[3] for look in warm), 1), "answers": dict(self._answers),
                "rss_every_tenth": [look[1] for look in self._looks[::max(1, len(self._looks) // 10)]],
                "must": {"rss_slope_mb_per_hour": 1, "descriptors": "flat"},
                "reached": slope <= 1 and second <= first + 5 and not wrong}
