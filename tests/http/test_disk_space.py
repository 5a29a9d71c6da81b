"""While the disk is nearly full: what is refused and in which words, what goes on, and who is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.http.inbox_setup import talk
from tests.support.webhook_bodies import DANA, body, inbound, seconds, text
from tests.support.world import ACME_NUMBER, World

WORDS = "disk is nearly full"


@pytest.fixture
def full(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The machine's own disk is left out of it."""
    monkeypatch.setattr(world.services.registry.space, "look", lambda: None)
    yield monkeypatch


@pytest.fixture
async def script(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client(await world.key(world.acme)) as client:
        yield client


def now_full(world: World) -> None:
    world.services.registry.space.enough = False


async def test_what_grows_is_refused_in_plain_words_before_it_is_read(
    world: World, script: httpx.AsyncClient, full: pytest.MonkeyPatch,
) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    now_full(world)
    sent = {"to": "+14155550123", "type": "text", "text": {"body": "Hello"}}
    for answer in (await script.post("/api/v1/messages", json=sent),
                   await script.post("/api/v1/messages", content=b"not even JSON"),
                   await script.post("/api/v1/media", files={"file": ("a.txt", b"words", "text/plain")})):
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["title"] == "The disk is nearly full" and WORDS in answer.json()["detail"]
    refused = await alice.post(f"{maya.base}/messages", data={"text": "Hello"})
    assert refused.status_code == 503 and WORDS in refused.text
    event = body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.F1", seconds(world), "Hi")))
    posted = await world.webhook(event)
    assert (posted.status_code, posted.headers["retry-after"]) == (503, "5")
    world.services.registry.space.enough = True
    assert (await world.webhook(event)).status_code == 200
    assert (await alice.post(f"{maya.base}/messages", data={"text": "Hello"})).status_code == 200


async def test_reading_small_changes_and_deleting_go_on(
    world: World, script: httpx.AsyncClient, full: pytest.MonkeyPatch,
) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    made = await script.post("/api/v1/contacts", json={"phone": "+14155550177"})
    now_full(world)
    assert (await alice.get(maya.base)).status_code == 200
    assert (await alice.post(f"{maya.base}/read")).status_code == 204
    assert (await alice.post(f"{maya.base}/closure")).status_code == 303
    consent = {"marketing": "opted_out", "source": "phone call", "evidence": "said so"}
    address = f"/api/v1/contacts/{made.json()['id']}"
    assert (await script.post(f"{address}/consent", json=consent)).status_code == 200, "a no must never wait"
    assert (await script.delete(address)).status_code == 204
    mo = await world.session("mo")
    assert (await mo.post("/sign-out")).status_code == 303


async def test_people_and_machines_are_told(world: World, full: pytest.MonkeyPatch) -> None:
    alice = await world.session("alice")
    inbox = f"/w/{world.acme.slug}/inbox"
    assert WORDS not in (await alice.get(inbox)).text
    assert (await alice.get("/readyz")).status_code == 200
    now_full(world)
    page = (await alice.get(inbox)).text
    assert WORDS in page and 'id="disk" role="status"' in page
    assert (await alice.get("/readyz")).status_code == 503
    assert (await alice.get("/healthz")).status_code == 200, "a restart would not help"
    told = (await alice.get("/metrics")).text.splitlines()
    assert "chime_disk_nearly_full 1" in told
    assert any(line.startswith("chime_disk_free_bytes ") and int(line.split()[1]) > 0 for line in told)
