"""AUTHZ-1/2 and TOK-2: every route × everybody there is × every way to say who one is, against the matrix of
`chime/security/permissions.py`. Computed from the list of routes, so a route added tomorrow is asked the same; a form
is sent without its token, so that nothing is done and a permission held shows as the refusal that comes after it.
"""

from __future__ import annotations

import random
from base64 import b64encode
from dataclasses import dataclass

import httpx
import pytest

from chime import accounts
from chime.accounts.api_keys import create_api_key
from chime.security.permissions import GRANTS, NOBODY, OPERATES, OPERATOR, Permission, Role, scopes
from tests.http.all_routes import FORM, Address, addresses
from tests.http.people_setup import control, id_of, person
from tests.support.world import World

SAMPLE = 1_600
CARRIERS = ("cookie", "key", "both", "basic", "lower", "header", "query", "key in a cookie", "none")
TOO_OLD, NEEDS = "page was open too long", "needs the permission"
CUSTOM = {Permission.INBOX_READ, Permission.AUDIT_READ, Permission.NUMBERS_REVEAL}


@dataclass(frozen=True)
class Principal:
    """Somebody, what they hold in Acme, and whether they are a member of it."""

    name: str
    grants: frozenset[Permission]
    member: bool = True
    signed_in: bool = True
    key: str = ""
    cookies: tuple[tuple[str, str], ...] = ()


async def principals(world: World) -> list[Principal]:
    found = []
    for role in Role:
        name = f"the-{role.value}"
        await person(world, name, role)
        found.append(await _known(world, name, frozenset(GRANTS[role])))
    await person(world, "the-custom", Role.VIEWER)
    async with world.services.control.ingest("test") as tx:
        grants = ",".join(f'"{one.value}":{{"reach":3}}' for one in CUSTOM)
        await tx.execute("INSERT INTO custom_role (id, workspace_id, name, grants_json, created_at) "
                         "VALUES ('role1', ?, 'Desk', ?, 0)", world.acme.workspace_id, "{" + grants + "}")
        await tx.execute("UPDATE membership SET role = 'role1' WHERE user_id = ?", await id_of(world, "the-custom"))
    found.append(await _known(world, "the-custom", frozenset(CUSTOM | set(NOBODY))))
    await person(world, "the-suspended", Role.ADMIN)
    suspended = await _known(world, "the-suspended", frozenset(NOBODY), member=False)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET state = 'suspended' WHERE user_id = ?",
                         await id_of(world, "the-suspended"))
    async with world.services.control.write(OPERATOR) as tx:
        hashed = (await control(world, "SELECT password_hash FROM user WHERE email = 'alice@example.com'"))[0][0]
        await accounts.create_user(tx, email="the-operator@example.com", name="Operator", password_hash=hashed,
                                   is_operator=True)
    operator = await _known(world, "the-operator", frozenset(NOBODY) | frozenset(OPERATES), member=False)
    charlie = await _known(world, "charlie", frozenset(NOBODY), member=False)
    return [*found, suspended, operator, charlie, Principal("nobody", frozenset(), member=False, signed_in=False)]


async def _known(world: World, name: str, grants: frozenset[Permission], *, member: bool = True) -> Principal:
    client = httpx.AsyncClient(base_url=world.base, timeout=20)
    async with client:
        answer = await client.post("/sign-in", data={"email": f"{name}@example.com",
                                                     "password": "correct horse battery staple"})
        assert answer.status_code == 303, (name, answer.text)
        cookies = tuple(client.cookies.items())
    key = ""
    if member:
        async with world.services.control.write(OPERATOR) as tx:
            made = await create_api_key(tx, world.services.ids, workspace_id=world.acme.workspace_id, name=name,
                                        scope_text="all")
            await tx.execute("UPDATE api_key SET made_by = ? WHERE id = ?", await id_of(world, name), made.id)
        key = made.key
    return Principal(name, grants, member=member, key=key, cookies=cookies)


def _ask(who: Principal, carrier: str, address: Address) -> tuple[str, dict[str, str]] | None:
    """The path and headers of a request, None when they have nothing to carry so."""
    headers: dict[str, str] = {}
    path = address.path
    if carrier in ("cookie", "both"):
        if not who.cookies:
            return None
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in who.cookies)
    if carrier not in ("cookie", "none") and not who.key:
        return None
    told = {"key": f"Bearer {who.key}", "both": f"Bearer {who.key}", "lower": f"bearer {who.key}",
            "basic": "Basic " + b64encode(f"{who.key}:".encode()).decode()}.get(carrier)
    if told:
        headers["Authorization"] = told
    if carrier == "header":
        headers |= {"X-API-Key": who.key, "Chime-Key": who.key}
    if carrier == "key in a cookie":
        headers["Cookie"] = f"chime={who.key}; __Host-chime={who.key}"
    if carrier == "query":
        path += f"?api_key={who.key}&access_token={who.key}"
    return path, headers


def _fault(who: Principal, carrier: str, address: Address, status: int, text: str) -> str:
    """What is wrong with an answer, empty when nothing is."""
    if status >= 500 and status != 503:
        return "a 5xx"
    permission = address.opt["permission"]
    if address.api:
        if carrier not in ("key", "both", "lower"):
            return "" if status == 401 else "not a bearer key, and yet not 401"
        held = permission in who.grants and permission in scopes("all")
        refused = status == 403 and NEEDS in text
        return "" if refused != held and status != 401 else "a key against the matrix"
    if carrier not in ("cookie", "both"):
        return "" if status == 303 else "no session, and yet not sent to sign in"
    if "/w/" in address.path and not who.member:
        return "" if status == 404 else "a stranger, and yet not 404"
    if permission not in who.grants:
        return "" if status == 403 and NEEDS in text else "a session against the matrix"
    if address.changes:
        return "" if status == 403 and TOO_OLD in text else "a form without its token was not stopped"
    return "" if status not in (401, 403) else "a permission held was refused"


async def checked(world: World, chance: random.Random, most: int | None) -> tuple[int, list[str]]:
    everybody = await principals(world)
    routes = [address for address in addresses(world.acme.slug) if not address.public]
    cases = [(who, carrier, address) for who in everybody for carrier in CARRIERS for address in routes]
    if most is not None:
        cases = chance.sample(cases, most)
    faults, asked = [], 0
    async with httpx.AsyncClient(base_url=world.base, timeout=20) as client:
        for who, carrier, address in cases:
            request = _ask(who, carrier, address)
            if request is None:
                continue
            body = {"content": b"nothing"} if address.api else {"data": FORM}
            async with client.stream(address.method, request[0], headers=request[1],
                                     **(body if address.changes else {})) as answer:  # type: ignore[arg-type]
                endless = answer.headers.get("content-type", "").startswith("text/event-stream")
                text = "" if endless else (await answer.aread()).decode(errors="replace")
                status = answer.status_code
            asked += 1
            if fault := _fault(who, carrier, address, status, text):
                faults.append(f"{who.name} by {carrier}: {address.method} {address.path} {status}: {fault}")
    return asked, faults


async def test_everybody_reaches_what_the_matrix_says_by_every_carrier(world: World) -> None:
    asked, faults = await checked(world, random.Random(20261121), SAMPLE)
    assert asked > SAMPLE // 2
    assert not faults, "\n".join(faults)


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_everybody_on_every_route_by_every_carrier(world: World) -> None:
    asked, faults = await checked(world, random.Random(0), None)
    assert asked > 10_000
    assert not faults, "\n".join(faults)
