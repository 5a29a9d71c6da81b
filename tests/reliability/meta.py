"""A small Graph API outside of Chime, made for being cruel: it keeps a ledger of every POST of a message, and a hook
decides what becomes of each: taken or not, answered or not, late, cut, garbled.

Independent of the product's simulator on purpose. Promise: an entry is in the ledger before any byte of its answer is
written, and `accepted` says what a customer's phone would know.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgspec


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a POST. `definite`: whoever reads the answer knows that no message left or that one did."""

    name: str
    accepted: bool
    definite: bool
    delay: float = 0.0
    """seconds before the answer"""
    status: int = 200
    body: bytes | None = None
    """None: the answer that belongs to `accepted`"""
    written: float = 1.0
    """the share of the answer that is written before the connection ends; 0 for none of it"""
    raw: bytes | None = None
    """the whole answer, head and all, after which the connection ends; goes before `status`, `body` and `written`"""


def accept(delay: float = 0.0) -> Fate:
    return Fate(name="accepted", accepted=True, definite=True, delay=delay)


def reply_lost(*, accepted: bool, delay: float = 0.0) -> Fate:
    """The connection ends without an answer."""
    return Fate(name=f"reply lost, {'taken' if accepted else 'not taken'}", accepted=accepted, definite=False,
                delay=delay, written=0.0)


def bare_fault(*, accepted: bool, status: int = 500) -> Fate:
    """A status of some machine before Meta, without an error of Meta's."""
    return Fate(name=f"{status} without a body, {'taken' if accepted else 'not taken'}", accepted=accepted,
                definite=False, status=status, body=b"")


def garbled() -> Fate:
    return Fate(name="garbled", accepted=True, definite=False, body=b'{"messaging_product":"whatsapp","mess')


def cut() -> Fate:
    """Half of the answer, then nothing more."""
    return Fate(name="cut", accepted=True, definite=False, written=0.5)


def refuse(code: int, *, status: int = 400, definite: bool = True, accepted: bool = False) -> Fate:
    """An error of Meta's. Some codes say nothing about whether the message left (`definite=False`)."""
    error = {"error": {"message": f"(#{code}) refused", "type": "OAuthException", "code": code,
                       "error_data": {"messaging_product": "whatsapp", "details": "refused"}, "fbtrace_id": "A"}}
    return Fate(name=f"refused with {code}", accepted=accepted, definite=definite, status=status,
                body=json.dumps(error).encode())


class Entry(msgspec.Struct, kw_only=True):
    """One POST of a message. `message_id` and `attempt` are what its callback data says."""

    place: int
    phone_number_id: str
    to: str
    message_id: str
    attempt: int
    callback_data: str
    sha256: str
    at: float
    fate: Fate
    wamid: str | None
    answered_at: float | None = None
    """when the last byte of the answer was handed to the system; None when it never was"""


Behave = Callable[[str], Fate]


class Meta:
    """`async with` it. `behave` is asked what becomes of each message's POST, by the message's id."""

    def __init__(self, behave: Behave = lambda message_id: accept(),
                 on_accepted: Callable[[Entry], None] = lambda entry: None) -> None:
        self.behave = behave
        self.on_accepted = on_accepted
        self.before_answer: Callable[[Entry], Awaitable[None]] | None = None
        """Awaited before each answer, to have something happen while the caller still waits for it."""
        self.ledger: list[Entry] = []
        self.other: Counter[str] = Counter()
        """Calls that send nothing, by method and last part of the path."""
        self.connections: set[_Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def listen(self) -> None:
        """Take connections, on the same port as before if there was one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self) -> None:
        """As if the network were gone: nobody listens, and every connection ends."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)

    async def __aexit__(self, *error: object) -> None:
        await self.vanish()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def in_flight(self) -> int:
        """POSTs that wait for their answer now."""
        return len(self.tasks)

    def entry(self, phone_number_id: str, body: dict[str, Any], raw: bytes) -> Entry:
        """Into the ledger."""
        data = str(body.get("biz_opaque_callback_data", "c1..0."))
        _, message_id, attempt, _ = data.split(".")
        fate = self.behave(message_id)
        entry = Entry(place=len(self.ledger), phone_number_id=phone_number_id, message_id=message_id,
                      attempt=int(attempt), callback_data=data, to=str(body.get("to") or body.get("recipient")),
                      sha256=hashlib.sha256(raw).hexdigest(), at=time.monotonic(), fate=fate,
                      wamid=f"wamid.M{len(self.ledger)}.{message_id}" if fate.accepted else None)
        self.ledger.append(entry)
        if fate.accepted:
            self.on_accepted(entry)
        return entry

    @property
    def accepted(self) -> list[Entry]:
        return [entry for entry in self.ledger if entry.fate.accepted]


class _Connection(asyncio.Protocol):
    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._meta.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._meta.connections.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(rest) < length:
            return
        self._buffer = b""
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        self._take(method, target.partition("?")[0].strip("/").split("/"), rest)

    def _take(self, method: str, path: list[str], raw: bytes) -> None:
        body = json.loads(raw) if method == "POST" and raw else {}
        if method == "POST" and path[-1] == "messages" and body.get("status") != "read":
            entry = self._meta.entry(path[-2], body, raw)
            task = asyncio.create_task(self._answer(entry))
            self._meta.tasks.add(task)
            task.add_done_callback(self._meta.tasks.discard)
            return
        self._meta.other[f"{method} {path[-1]}"] += 1
        self._write(200, b'{"data":[],"success":true}')

    async def _answer(self, entry: Entry) -> None:
        if entry.fate.delay:
            await asyncio.sleep(entry.fate.delay)
        if self._meta.before_answer is not None:
            await self._meta.before_answer(entry)
        if entry.fate.raw is not None:
            self._write_raw(entry.fate.raw)
            return
        taken = {"messaging_product": "whatsapp", "contacts": [{"input": entry.to, "wa_id": entry.to}],
                 "messages": [{"id": entry.wamid, "message_status": "accepted"}]}
        body = json.dumps(taken).encode() if entry.fate.body is None else entry.fate.body
        if self._write(entry.fate.status, body, entry.fate.written):
            entry.answered_at = time.monotonic()

    def _write_raw(self, whole: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(whole)
            self._transport.close()

    def _write(self, status: int, body: bytes, share: float = 1.0) -> bool:
        if self._transport is None or self._transport.is_closing():
            return False
        whole = (f"HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\n"
                 f"content-length: {len(body)}\r\n\r\n").encode() + body
        self._transport.write(whole[:int(len(whole) * share)])
        if share < 1:
            self._transport.close()
        return share == 1


class Mood:
    """A mixture of fates, drawn anew for each POST."""

    def __init__(self, luck: random.Random, mixture: list[tuple[float, Callable[[random.Random], Fate]]]) -> None:
        self._luck = luck
        self._weights = [weight for weight, _ in mixture]
        self._makes = [make for _, make in mixture]

    def __call__(self, message_id: str) -> Fate:
        return self._luck.choices(self._makes, self._weights)[0](self._luck)


def bad_day(luck: random.Random) -> Mood:
    """Most messages are taken, some of them slowly; one in eight ends in doubt; some are refused."""
    return Mood(luck, [
        (0.66, lambda dice: accept(dice.uniform(0.005, 0.06))), (0.14, lambda dice: accept(dice.uniform(0.1, 0.6))),
        (0.04, lambda dice: reply_lost(accepted=True, delay=dice.uniform(0, 0.1))),
        (0.02, lambda dice: reply_lost(accepted=False)), (0.02, lambda dice: bare_fault(accepted=True)),
        (0.01, lambda dice: bare_fault(accepted=False, status=502)), (0.01, lambda dice: garbled()),
        (0.01, lambda dice: cut()), (0.01, lambda dice: refuse(131000, status=500, definite=False, accepted=True)),
        (0.03, lambda dice: refuse(131026)), (0.03, lambda dice: refuse(130429)), (0.02, lambda dice: refuse(131056)),
    ])
