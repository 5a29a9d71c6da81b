"""Webhook bodies as Meta sends them, written after whatsapp-messaging.md, and looks into what came of them.

Nothing here is shared with the simulator or with Chime's parser: a mistake in one of them must not hide in the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from chime.simulator import Number
from tests.support.world import Tenant, World


@dataclass(frozen=True)
class Customer:
    """A person with WhatsApp. `phone` None: hidden behind a username, so its keys are left out."""

    name: str
    phone: str | None
    user_id: str | None = None
    username: str | None = None


DANA = Customer("Dana R", "14155550123", "US.7Hq2mZ90", "dana.r")


def seconds(world: World, ago: int = 0) -> int:
    """Unix seconds of the world, so many before now."""
    return world.clock.now() // 1000 - ago


def sender(customer: Customer) -> dict[str, Any]:
    """The keys of a message that name its sender."""
    return _given({"from": customer.phone, "from_user_id": customer.user_id})


def contact(customer: Customer) -> dict[str, Any]:
    """An item of `contacts[]`."""
    profile = _given({"name": customer.name, "username": customer.username})
    return {"profile": profile, **_given({"wa_id": customer.phone, "user_id": customer.user_id})}


def message(customer: Customer, wamid: str, at: int, **part: Any) -> dict[str, Any]:
    """An item of `messages[]`; `at` in unix seconds, as text like Meta's."""
    return {**sender(customer), "id": wamid, "timestamp": str(at), **part}


def text(customer: Customer, wamid: str, at: int, words: str) -> dict[str, Any]:
    """The commonest message."""
    return message(customer, wamid, at, type="text", text={"body": words})


def change(number: Number, field: str = "messages", **parts: Any) -> dict[str, Any]:
    """A change that belongs to one number."""
    shown = "".join(filter(str.isdigit, number.display_phone_number))
    metadata = {"display_phone_number": shown, "phone_number_id": number.phone_number_id}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **parts}}


def inbound(number: Number, customer: Customer, *items: dict[str, Any]) -> dict[str, Any]:
    """A change with messages of one customer."""
    return change(number, contacts=[contact(customer)], messages=list(items))


def system(number: Number, wamid: str, at: int, phone: str | None, **part: Any) -> dict[str, Any]:
    """A change with a system message: no `contacts[]`, and no `from` when no number may be told."""
    item = {"id": wamid, "timestamp": str(at), "type": "system", "system": part}
    return change(number, messages=[{**item, **_given({"from": phone})}])


def statuses(number: Number, *items: dict[str, Any]) -> dict[str, Any]:
    """A change with statuses."""
    return change(number, statuses=list(items))


def body(number: Number, *changes: dict[str, Any]) -> dict[str, Any]:
    """A whole body: one entry of the number's account."""
    return bodies((number, list(changes)))


def bodies(*entries: tuple[Number, list[dict[str, Any]]]) -> dict[str, Any]:
    """A body with an entry for each account."""
    return {"object": "whatsapp_business_account",
            "entry": [{"id": number.waba_id, "changes": changes} for number, changes in entries]}


def account_body(waba_id: str, field: str, at: int, value: dict[str, Any]) -> dict[str, Any]:
    """A body of a field that names an account only and carries the entry's time."""
    return {"object": "whatsapp_business_account",
            "entry": [{"id": waba_id, "time": at, "changes": [{"field": field, "value": value}]}]}


async def take(world: World, sent: object) -> None:
    """Post a body as Meta does, and wait until it has had its effects."""
    answer = await world.webhook(sent)
    assert answer.status_code == 200, answer.text
    await world.settle()


async def rows(world: World, tenant: Tenant, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read a workspace's file."""
    async with world.workspace(tenant) as workspace:
        return await workspace.db.rows(sql, *values)


async def journalled(world: World, tenant: Tenant) -> bytes:
    """Every body in a workspace's journal, one after the other."""
    async with world.workspace(tenant) as workspace:
        return b"\n".join(row[0] for row in await workspace.journal_db.rows("SELECT body FROM webhook_body"))


async def thread_page(world: World, conversation_id: str, who: str = "alice") -> str:
    """The whole page of a conversation of Acme, as this person gets it."""
    client = await world.session(who)
    answer = await client.get(f"/w/{world.acme.slug}/inbox/{conversation_id}")
    assert answer.status_code == 200, answer.text
    return answer.text


def bubble(page: str, message_id: str) -> str:
    """The part of a thread that shows one message."""
    start = page.index(f'id="m-{message_id}"')
    end = re.compile(r'<li class="(?:msg|line|day)|</ol>').search(page, start)
    assert end is not None
    return page[start:end.start()]


def _given(keys: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in keys.items() if value is not None}
