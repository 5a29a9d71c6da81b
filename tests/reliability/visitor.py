"""One of each who use an appliance: a person with a browser, a script with a key, Meta with a webhook; and what each
is told while the disk is ill.

`writes` and `reads` try everything once and say what was answered otherwise than it should be.
"""

from __future__ import annotations

import asyncio
import json
import time
from types import TracebackType
from typing import Self

import httpx

from chime.security.signatures import signature
from tests.reliability.appliance import Appliance
from tests.reliability.outbox import person
from tests.support.webhook_bodies import Customer, body, inbound, text
from tests.support.world import APP_SECRET, PASSWORD

# A key may make three calls a second.
BETWEEN_CALLS = 0.35
# One of the outbox's people, whose window is open.
WRITES_TO = f"+{person(0)}"
STRANGER = Customer("Stranger", "15557770000", "US.stranger")


class Visitor:
    """`async with` it while the appliance runs, and the disk is well at first: it needs a contact to delete later."""

    def __init__(self, appliance: Appliance) -> None:
        self._appliance = appliance
        number = appliance.numbers[0]
        self._number = number
        self._script = httpx.AsyncClient(base_url=appliance.base, timeout=30,
                                         headers={"Authorization": f"Bearer {number.api_key}"})
        self._spare: list[str] = []
        self._count = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self._script.aclose()

    async def prepare(self, contacts: int) -> None:
        """Make contacts to delete later."""
        for _ in range(contacts):
            self._count += 1
            answer = await self._call("POST", "/api/v1/contacts", {"phone": f"+1555888{self._count:04d}"})
            assert answer.status_code == 201, answer.text
            self._spare.append(answer.json()["id"])

    async def _call(self, method: str, path: str, sent: object = None) -> httpx.Response:
        await asyncio.sleep(BETWEEN_CALLS)
        return await self._script.request(method, path, json=sent)

    async def refused(self) -> list[str]:
        """What was not refused with 503, Retry-After and words."""
        answers = {
            "a send": await self._call("POST", "/api/v1/messages", {
                "to": WRITES_TO, "type": "text", "text": {"body": "Hello"}}),
            "a contact": await self._call("POST", "/api/v1/contacts", {"phone": "+15559990001"}),
            "an upload": await self._upload(),
            "a webhook": await self._webhook(),
        }
        return [f"{name} was answered {answer.status_code}, Retry-After {answer.headers.get('retry-after')}: "
                f"{answer.text[:120]}" for name, answer in answers.items()
                if answer.status_code != 503 or not answer.headers.get("retry-after", "").isdigit()]

    async def _upload(self) -> httpx.Response:
        await asyncio.sleep(BETWEEN_CALLS)
        return await self._script.post("/api/v1/media", files={"file": ("a.txt", b"words " * 5_000, "text/plain")})

    async def _webhook(self) -> httpx.Response:
        """Never acknowledged here, so it may have no effect either."""
        self._count += 1
        said = text(STRANGER, f"wamid.refused.{self._count}", int(time.time()), "Anybody there?")
        raw = json.dumps(body(self._number, inbound(self._number, STRANGER, said))).encode()
        return await self._script.post(self._appliance.webhook_path, content=raw, headers={
            "X-Hub-Signature-256": signature(APP_SECRET.encode(), raw), "Content-Type": "application/json"})

    async def reads(self, *, recorded: bool = True) -> list[str]:
        """What could not be read. Where it may be that nothing can be written down (not `recorded`), a script may be
        refused a list of people: of what leaves, a row is in the audit trail first."""
        people = "/api/v1/contacts"
        answers = {path: await self._call("GET", path) for path in ("/api/v1/conversations", people, "/healthz")}
        return [f"{path} was answered {answer.status_code}" for path, answer in answers.items()
                if answer.status_code not in ((200, 503) if path == people and not recorded else (200,))]

    async def deletes(self) -> list[str]:
        """Whether a contact can be deleted."""
        answer = await self._call("DELETE", f"/api/v1/contacts/{self._spare.pop()}")
        return [] if answer.status_code == 204 else [f"a delete was answered {answer.status_code}: {answer.text[:120]}"]

    async def signs_in(self, *, words: str) -> list[str]:
        """Whether a person gets in and their page says these words."""
        async with httpx.AsyncClient(base_url=self._appliance.base, timeout=30) as browser:
            answer = await browser.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
            if answer.status_code != 303:
                return [f"signing in was answered {answer.status_code}"]
            page = await browser.get(f"/w/{self._number.slug}/inbox")
        if page.status_code != 200:
            return [f"the inbox was answered {page.status_code}"]
        return [] if words in page.text else [f"the inbox does not say '{words}'"]

    async def metric(self, name: str) -> float:
        """One value of /metrics."""
        lines = (await self._script.get("/metrics")).text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))
