"""A script with a key, and customers with phones, for the tests of the public API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from chime.simulator import write
from chime.simulator.model import Customer, LedgerEntry
from tests.support.world import Tenant, World

MAYA = "14155550101"
STRANGE_ID = "0" * 26
TEXT: dict[str, Any] = {"type": "text", "text": {"body": "Your order is on its way."}}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


class Scripting:
    """Scripts of the world."""

    def __init__(self, world: World, stack: AsyncExitStack) -> None:
        self.world = world
        self._stack = stack

    async def script(self, scopes: str = "all", tenant: Tenant | None = None) -> httpx.AsyncClient:
        """A client with a fresh key."""
        client = self.world.client(await self.world.key(tenant or self.world.acme, scopes))
        return await self._stack.enter_async_context(client)

    async def customer(self, *, name: str = "Maya", phone: str | None = MAYA, username: str | None = None,
                       tenant: Tenant | None = None, text: str = "hi") -> Customer:
        """Somebody who just wrote, so that the window is open."""
        customer = self.world.simulator.world.add_customer(name=name, phone=phone, username=username)
        await self.writes(customer, text=text, tenant=tenant)
        return customer

    async def writes(self, customer: Customer, *, text: str = "hi", tenant: Tenant | None = None) -> str:
        """One more message of a customer; its wamid."""
        number = (tenant or self.world.acme).number
        written = write(self.world.simulator, customer, {"type": "text", "text": {"body": text}},
                        number=self.world.simulator.world.number(number.phone_number_id))
        await self.world.settle()
        return written.wamid

    @property
    def ledger(self) -> list[LedgerEntry]:
        """What WhatsApp accepted."""
        return self.world.simulator.world.ledger

    async def count(self, table: str, tenant: Tenant | None = None) -> int:
        async with self.world.workspace(tenant or self.world.acme) as workspace:
            return int(await workspace.db.value(f"SELECT count(*) FROM {table}"))


@pytest.fixture
async def scripting(world: World) -> AsyncIterator[Scripting]:
    async with AsyncExitStack() as stack:
        yield Scripting(world, stack)


def fields(answer: httpx.Response) -> dict[str, str]:
    """The fields a problem names, with its words."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return {problem["field"]: problem["message"] for problem in answer.json().get("errors", [])}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """A problem document as RFC 9457 and the contract want it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "request_id"} <= told.keys()
    assert told["status"] == status and told["request_id"] and answer.headers["x-request-id"]
    return told
