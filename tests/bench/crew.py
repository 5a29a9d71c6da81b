"""Agents for `agents`: each keeps a stream open, fetches the list when it hears of something, opens conversations and
answers customers, as a browser would have them do."""

from __future__ import annotations

import asyncio
import random
import re
import time
from types import TracebackType
from typing import Any, Self

import httpx

from chime.security.signatures import signature
from tests.bench.bodies import envelope
from tests.bench.installation import percentile
from tests.support.world import APP_SECRET, PASSWORD

OPENS_EVERY = (4.0, 10.0)
# A browser waits so long between two lists, and eight times as long as the last one took.
LIST_PAUSE = 0.3
FRAGMENT = {"HX-Request": "true"}


class Crew:
    """So many agents, named agent0@example.com and so on. Use as a context."""

    def __init__(self, base: str, webhook_path: str, agents: int, *,
                 opens_every: tuple[float, float] = OPENS_EVERY) -> None:
        self._opens_every = opens_every
        self._base = base
        self._webhook_path = webhook_path
        self._agents = agents
        self._luck = random.Random(5)
        self._stopped = asyncio.Event()
        self._clients: list[httpx.AsyncClient] = []
        self._milliseconds: dict[str, list[float]] = {"list": [], "open": [], "reply": []}
        self._refused = 0

    async def __aenter__(self) -> Self:
        for number in range(self._agents):
            client = httpx.AsyncClient(base_url=self._base, timeout=60)
            answer = await client.post("/sign-in", data={"email": f"agent{number}@example.com", "password": PASSWORD})
            if answer.status_code != 303:
                raise RuntimeError(f"signing in was answered with {answer.status_code}")
            page = await client.get("/w/acme/inbox?v=all")
            client.headers["X-CSRF-Token"] = page.text.split('name="csrf-token" content="')[1].split('"')[0]
            self._clients.append(client)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        for client in self._clients:
            await client.aclose()

    def stop(self) -> None:
        self._stopped.set()

    async def work(self, *, webhooks_per_second: int) -> None:
        """Until told to stop."""
        tasks = [asyncio.create_task(self._customers(webhooks_per_second))]
        for client in self._clients:
            heard = asyncio.Event()
            tasks += [asyncio.create_task(self._listen(client, heard)), asyncio.create_task(self._list(client, heard)),
                      asyncio.create_task(self._answer(client))]
        await self._stopped.wait()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception):
                raise one

    def figures(self) -> dict[str, Any]:
        return {"agents_lists": len(self._milliseconds["list"]), "agents_opened": len(self._milliseconds["open"]),
                "agents_replied": len(self._milliseconds["reply"]), "agents_refused": self._refused,
                "agents_list_p95_ms": round(percentile(self._milliseconds["list"], 0.95), 1),
                "agents_open_p95_ms": round(percentile(self._milliseconds["open"], 0.95), 1),
                "agents_reply_p95_ms": round(percentile(self._milliseconds["reply"], 0.95), 1)}

    async def _timed(self, kind: str, client: httpx.AsyncClient, method: str, path: str, **values: Any) -> str:
        begun = time.perf_counter()
        answer = await client.request(method, path, headers=FRAGMENT, **values)
        self._milliseconds[kind].append((time.perf_counter() - begun) * 1000)
        if answer.status_code >= 400:
            self._refused += 1
        return answer.text

    async def _listen(self, client: httpx.AsyncClient, heard: asyncio.Event) -> None:
        async with client.stream("GET", "/w/acme/events", timeout=None) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: ") and '"topic"' in line:
                    heard.set()

    async def _list(self, client: httpx.AsyncClient, heard: asyncio.Event) -> None:
        while True:
            await heard.wait()
            heard.clear()
            await self._timed("list", client, "GET", "/w/acme/inbox/list?v=all")
            await asyncio.sleep(max(LIST_PAUSE, 8 * self._milliseconds["list"][-1] / 1000))

    async def _answer(self, client: httpx.AsyncClient) -> None:
        """Open one of the newest conversations, and answer every other time."""
        while True:
            await asyncio.sleep(self._luck.uniform(*self._opens_every))
            rows = re.findall(r'id="c-([0-9a-z]{26})"', (await client.get("/w/acme/inbox/list?v=all", headers=FRAGMENT)
                                                        ).text)
            thread = f"/w/acme/inbox/{self._luck.choice(rows)}"
            page = await self._timed("open", client, "GET", thread)
            await client.post(f"{thread}/read", headers=FRAGMENT)
            if 'id="composer"' in page and self._luck.random() < 0.5:
                await self._timed("reply", client, "POST", f"{thread}/messages", data={
                    "type": "text", "text": "Thank you, we look into it and write again today.",
                    "client_id": "".join(self._luck.choices("abcdefghijklmnopqrstuvwxyz234567", k=26))})

    async def _customers(self, rate: int) -> None:
        async with httpx.AsyncClient(base_url=self._base, timeout=30) as meta:
            number = 0
            while True:
                number += 1
                phone = f"1556{self._luck.randrange(40):07d}"
                body = envelope({
                    "contacts": [{"profile": {"name": f"Customer {phone[-2:]}"}, "wa_id": phone}],
                    "messages": [{"from": phone, "id": f"wamid.crew.{number}", "timestamp": str(int(time.time())),
                                  "type": "text", "text": {"body": f"question {number}: where is my order?"}}]})
                answer = await meta.post(self._webhook_path, content=body,
                                         headers={"X-Hub-Signature-256": signature(APP_SECRET.encode(), body)})
                answer.raise_for_status()
                await asyncio.sleep(1 / rate)
