"""What the tests of the inbox share: a customer with a conversation, what a verb leaves behind, an open live stream."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from chime import inbox, notifications
from chime.accounts import UNASSIGN
from chime.accounts.trail_jobs import COPY
from chime.audit import Reading
from chime.inbox.search_jobs import EVERYTHING, INDEX
from chime.message_templates.jobs import SYNC
from chime.simulator import Template, write
from chime.simulator.model import Customer
from chime.simulator.sample_templates import sample_templates
from tests.support.world import Tenant, World

PHONE = "14155550101"


def text(body: str) -> dict[str, Any]:
    """What a customer's phone sends when somebody types."""
    return {"type": "text", "text": {"body": body}}


async def indexed(world: World, tenant: Tenant | None = None) -> None:
    """Have the search know everything that is there by now; by itself it is half a second late."""
    world.services.runner.start((tenant or world.acme).workspace_id, INDEX, EVERYTHING)
    await world.settle()


async def rows(world: World, tenant: Tenant, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """A look into a workspace's file."""
    async with world.workspace(tenant) as workspace:
        return await workspace.db.rows(sql, *values)


@dataclass
class Talk:
    """One customer's conversation with a workspace, seen from both ends."""

    world: World
    tenant: Tenant
    customer: Customer
    id: str
    contact_id: str

    @property
    def workspace_base(self) -> str:
        return f"/w/{self.tenant.slug}"

    @property
    def base(self) -> str:
        return f"{self.workspace_base}/inbox/{self.id}"

    async def says(self, body: str | dict[str, Any], **options: Any) -> inbox.Message:
        """The customer writes; the message as it stands in the inbox."""
        said = write(self.world.simulator, self.customer, text(body) if isinstance(body, str) else body,
                     number=self.tenant.number, **options)
        await self.world.settle()
        return (await self.messages("wamid = ?", said.wamid))[0]

    async def messages(self, where: str = "1", *values: Any) -> list[inbox.Message]:
        """The messages of the conversation that fit, oldest first."""
        async with self.world.workspace(self.tenant) as workspace:
            ids = await workspace.db.rows(f"SELECT id FROM message WHERE conversation_id = ? AND {where} "
                                          "ORDER BY at, id", self.id, *values)
            return [found for row in ids if (found := await inbox.message(workspace.db, row[0])) is not None]

    async def sent(self) -> list[inbox.Message]:
        """What we wrote, oldest first."""
        return await self.messages("direction = 'out'")

    async def reply(self, client: httpx.AsyncClient, body: str, **fields: str) -> inbox.Message:
        """An agent writes from the composer; the message as it stands when all is quiet."""
        before = {message.id for message in await self.sent()}
        answer = await client.post(f"{self.base}/messages", data={"type": "text", "text": body, **fields})
        assert answer.status_code == 200, answer.text
        await self.world.settle()
        return next(message for message in await self.sent() if message.id not in before)

    async def conversation(self) -> inbox.Conversation:
        async with self.world.workspace(self.tenant) as workspace:
            found = await inbox.conversation(workspace.db, self.id)
        assert found is not None
        return found

    def on_the_phone(self) -> list[Any]:
        """What the customer sees, oldest first: our own messages only."""
        chat = self.world.simulator.world.conversation(self.customer, self.tenant.number.phone_number_id)
        return [message for message in chat.messages if not message.from_customer]


async def talk(world: World, body: str | dict[str, Any] = "Do you open on Sunday?", *, tenant: Tenant | None = None,
               name: str = "Maya Chen", phone: str | None = PHONE, username: str | None = None) -> Talk:
    """A customer who has just written their first message, so the reply window is open."""
    tenant = tenant or world.acme
    customer = world.simulator.world.add_customer(name=name, phone=phone, username=username)
    said = write(world.simulator, customer, text(body) if isinstance(body, str) else body, number=tenant.number)
    await world.settle()
    found = await rows(world, tenant, "SELECT conversation.id, contact_id FROM message JOIN conversation "
                       "ON conversation.id = message.conversation_id WHERE wamid = ?", said.wamid)
    return Talk(world, tenant, customer, *found[0])


async def stock_templates(world: World, tenant: Tenant | None = None) -> dict[str, Template]:
    """Approve the sample templates for a number and have Chime fetch them."""
    tenant = tenant or world.acme
    made = sample_templates()
    for template in made:
        world.simulator.world.add_template(tenant.number.waba_id, template)
    world.services.runner.start(tenant.workspace_id, SYNC, tenant.number.waba_id)
    await world.settle()
    return {template.name: template for template in made if template.language == "en"}


async def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Look until there is something; what was found. `condition` may be a coroutine function."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)


def without_script(world: World, client: httpx.AsyncClient) -> tuple[httpx.AsyncClient, str]:
    """The same person in a browser without scripts, and the token their forms carry."""
    plain = httpx.AsyncClient(base_url=world.base, cookies=client.cookies, timeout=20)
    return plain, client.headers["X-CSRF-Token"]


@dataclass
class Stream:
    """An open live stream. `events` holds (name, id, data) as they came; comments and heartbeats are left out."""

    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def nudges(self) -> list[tuple[str, str]]:
        """What everybody hears; what one person is told of is theirs alone."""
        return [(data["topic"], data["id"]) for name, _, data in self.events
                if name == "nudge" and data["topic"] != "notification"]

    @property
    def last_id(self) -> str:
        return next(event_id for _, event_id, _ in reversed(self.events) if event_id)

    def named(self, name: str) -> list[dict[str, Any]]:
        return [data for found, _, data in self.events if found == name]

    async def read(self, response: httpx.Response) -> None:
        try:
            async for block in _blocks(response):
                found = dict(line.split(": ", 1) for line in block.splitlines())
                if found.get("event", "hb") != "hb":
                    self.events.append((found["event"], found.get("id", ""), json.loads(found["data"])))
        finally:
            self.ended.set()


async def _blocks(response: httpx.Response) -> AsyncIterator[str]:
    held = ""
    async for part in response.aiter_text():
        held += part
        while "\n\n" in held:
            block, held = held.split("\n\n", 1)
            yield block


@asynccontextmanager
async def listening(client: httpx.AsyncClient, tenant: Tenant, after: str = "") -> AsyncIterator[Stream]:
    """The live stream of a workspace, as a browser holds it open; `after` is what it heard last."""
    stream = Stream()
    headers = {"Last-Event-ID": after} if after else {}
    async with client.stream("GET", f"/w/{tenant.slug}/events", headers=headers, timeout=None) as response:
        assert response.status_code == 200, response.status_code
        assert response.headers["content-type"].startswith("text/event-stream")
        task = asyncio.create_task(stream.read(response))
        try:
            await until(lambda: stream.named("hello") or stream.named("bye"))
            yield stream
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@dataclass
class Left:
    """What something left behind."""

    audit: list[tuple[str, str, str]] = field(default_factory=list)
    nudges: set[tuple[str, str]] = field(default_factory=set)
    jobs: Counter[str] = field(default_factory=Counter)


@asynccontextmanager
async def leaving(world: World, client: httpx.AsyncClient, tenant: Tenant | None = None) -> AsyncIterator[Left]:
    """Records what happens inside: audit rows by people (but of what they only saw), nudges browsers hear, jobs that
    ran."""
    tenant = tenant or world.acme
    left = Left()
    sequence = (await rows(world, tenant, "SELECT coalesce(max(sequence), 0) FROM audit_event"))[0][0]
    jobs = Counter(world.services.runner.finished)
    async with listening(client, tenant) as stream:
        yield left
        await world.settle()
        # Whatever was told before comes before it; numbers would not do, since another workspace may have the newest.
        world.services.hub.mention(tenant.workspace_id, "told", {}, "")
        await until(lambda: stream.named("told"))
        left.nudges = set(stream.nudges)
    left.jobs = Counter(world.services.runner.finished) - jobs
    # Half a second after whatever happened, with every sweep, whenever somebody may have a hand free or is told of it.
    for kind in (INDEX, COPY, UNASSIGN, notifications.DELIVER, notifications.FAN_OUT, inbox.ROUTE):
        del left.jobs[kind]
    left.audit = [(row[0], row[1], row[2]) for row in await rows(
        world, tenant, "SELECT action, object_kind, object_id FROM audit_event WHERE sequence > ? "
        "AND actor_kind = 'user' ORDER BY sequence", sequence) if row[0] not in set(Reading)]
