"""What the tests of exports and erasures share: people who ask, agree and fetch; files read back."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx

from chime import contacts
from chime.approvals.model import Approval, State
from chime.approvals.queries import approval
from chime.exports.table import unguarded
from chime.security.permissions import OPERATOR
from tests.http.inbox_setup import rows
from tests.support.world import Tenant, World

SETTINGS = "/w/acme/settings"


async def newest(world: World, tenant: Tenant | None = None) -> Approval:
    """The last thing anybody asked for."""
    tenant = tenant or world.acme
    found = await rows(world, tenant, "SELECT id FROM approval ORDER BY id DESC LIMIT 1")
    return await standing(world, found[0][0], tenant)


async def standing(world: World, approval_id: str, tenant: Tenant | None = None) -> Approval:
    async with world.workspace(tenant or world.acme) as workspace:
        found = await approval(workspace.db, approval_id)
    assert found is not None
    return found


async def ask(world: World, name: str, what: str = "contacts", **fields: str) -> Approval:
    """Somebody asks for an export."""
    client = await world.session(name)
    answer = await client.post(f"{SETTINGS}/exports/{what}", data={"format": "csv", **fields})
    assert answer.status_code == 303, answer.text
    await world.settle()
    return await newest(world)


async def decide(world: World, name: str, row: Approval, decision: str = "approve", **fields: str) -> httpx.Response:
    """Somebody agrees to what they were shown, or refuses."""
    client = await world.session(name)
    way = "erasure-decision" if row.decided_by == "data:erase" else "decision"
    answer = await client.post(f"{SETTINGS}/approvals/{row.id}/{way}",
                               data={"decision": decision, "fingerprint": row.fingerprint, **fields})
    await world.settle()
    return answer


async def fetch(world: World, name: str, row: Approval) -> httpx.Response:
    client = await world.session(name)
    return await client.post(f"{SETTINGS}/exports/{row.id}/file")


async def exported(world: World, asker: str, decider: str, what: str = "contacts", **fields: str) -> httpx.Response:
    """The whole way."""
    row = await ask(world, asker, what, **fields)
    answer = await decide(world, decider, row)
    assert answer.status_code == 303, answer.text
    row = await standing(world, row.id)
    assert row.state is State.READY, row
    answer = await fetch(world, asker, row)
    assert answer.status_code == 200, answer.text
    return answer


def table(answer: httpx.Response) -> list[dict[str, str]]:
    """A CSV as any reader sees it, the apostrophes taken away; the line at the end left out."""
    found = list(csv.reader(io.StringIO(answer.content.decode(), newline="")))
    names = found[0]
    return [{name: unguarded(cell) for name, cell in zip(names, row, strict=True)} for row in found[1:-1]]


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()][:-1]


async def contact(world: World, phone: str, name: str = "", *, tenant: Tenant | None = None, **more: Any) -> str:
    """A contact that somebody typed in."""
    async with world.workspace(tenant or world.acme) as workspace, workspace.write(OPERATOR) as tx:
        return await contacts.create(tx, contacts.NewContact(name=name, phone=phone, **more))
