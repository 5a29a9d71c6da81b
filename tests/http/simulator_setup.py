"""A simulator on a real port with a small webhook receiver on another, for the tests of the simulator."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from chime.clock import Clock
from chime.simulator import Number, Pace, Simulator, create_app

SECRET = "the app's secret"
TOKEN = "EAAsimulated"
PNID, WABA, BUSINESS = "411222333444555", "377001122334455", "15550100200"
GRAPH = "/simulator/graph/v25.0"
PHONE = "14155550101"


class Server(uvicorn.Server):
    """uvicorn beside the test, in the same loop, leaving the test runner's signals alone."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, ws="none"))
        self.listening = asyncio.Event()
        self.leaving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        """uvicorn looks ten times a second whether it shall stop; a test does not want to wait for that."""
        await self.on_tick(0)
        await self.leaving.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    # Named TCP: asyncio sets TCP_NODELAY only on sockets that say so, and without it each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = Server(app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.listening.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.leaving.set()
        await task


class Receiver:
    """What Chime is to the simulator: takes POSTs, answers what it is told to (200 when told nothing)."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        answer = b""
        if scope["method"] == "GET":
            query = httpx.QueryParams(scope["query_string"].decode())
            right = query.get("hub.verify_token") == "verify me"
            status, answer = (200, query["hub.challenge"].encode()) if right else (403, b"")
        else:
            self.posts.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
            status = self.answers.pop(0) if self.answers else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    @property
    def changes(self) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, body in self.posts]
        return [change for body in bodies for entry in body["entry"] for change in entry["changes"]]

    def items(self, name: str) -> list[dict[str, Any]]:
        return [item for change in self.changes for item in change["value"].get(name, [])]

    @property
    def statuses(self) -> list[str]:
        return [item["status"] for item in self.items("statuses")]


class Setup:
    """A simulator with one number, a customer in the window, and an HTTP client on it."""

    def __init__(self, simulator: Simulator, receiver: Receiver, http: httpx.AsyncClient, webhook: str) -> None:
        self.simulator, self.receiver, self.http, self.webhook = simulator, receiver, http, webhook

    async def customer(self, **fields: Any) -> str:
        answer = await self.http.post("/simulator/customers", json={"name": "Maya", "phone": PHONE, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def writes(self, customer: str, body: dict[str, Any] | None = None) -> str:
        body = body or {"type": "text", "text": {"body": "hi"}}
        answer = await self.http.post(f"/simulator/customers/{customer}/messages", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["wamid"])

    async def send(self, body: dict[str, Any], **envelope: Any) -> httpx.Response:
        whole = {"messaging_product": "whatsapp", "to": f"+{PHONE}", **envelope, **body}
        return await self.http.post(f"{GRAPH}/{PNID}/messages", json={k: v for k, v in whole.items() if v is not None})

    async def text(self, **envelope: Any) -> httpx.Response:
        return await self.send({"type": "text", "text": {"body": "hello"}}, **envelope)

    async def upload(self, content: bytes, mime_type: str) -> httpx.Response:
        return await self.http.post(
            f"{GRAPH}/{PNID}/media", data={"messaging_product": "whatsapp", "type": mime_type},
            files={"file": ("file", content, mime_type)},
        )

    async def switch(self, **switches: Any) -> None:
        answer = await self.http.put("/simulator/switches", json=switches)
        assert answer.status_code == 200, answer.text

    async def settled(self) -> None:
        assert await self.simulator.settled(5)

    async def quiet(self) -> None:
        """Wait for what is under way and forget it."""
        await self.settled()
        self.receiver.posts.clear()


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    receiver = Receiver()
    async with served(receiver) as webhook:
        simulator = Simulator(Clock(), pace=Pace(sent=0, delivered=0, read=0), retry_delays=(0.05, 0.1, 0.2))
        simulator.add_app(
            app_id="900", app_secret=SECRET, verify_token="verify me", webhook_url=webhook, access_token=TOKEN
        )
        simulator.world.add_number(
            Number(phone_number_id=PNID, waba_id=WABA, display_phone_number=BUSINESS, verified_name="Shop"),
            subscribed_app="900",
        )
        async with served(create_app(simulator)) as address:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as http:
                yield Setup(simulator, receiver, http, webhook)


def code(answer: httpx.Response) -> int:
    return int(answer.json()["error"]["code"])
