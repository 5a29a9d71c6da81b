"""A simulated token never reaches Meta, a real one never the simulator; by construction and whatever is connected."""

from __future__ import annotations

import httpx
import pytest

from chime.security.vault import Secret
from chime.whatsapp.answers import NotSent
from chime.whatsapp.client import GraphClient

REAL, SIMULATED = Secret("EAAreal"), Secret("0-simulated-token")
NUMBER, SIMULATED_NUMBER = "411222333444555", "0411222333444555"


class Side(httpx.AsyncBaseTransport):
    """Answers every call, and knows where each was for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((str(request.url.copy_with(query=None)), request.headers["authorization"]))
        return httpx.Response(200, json={"id": "1", "data": []}, request=request)


async def test_each_token_goes_to_its_own_side() -> None:
    meta, simulator = Side(), Side()
    client = GraphClient("https://graph.facebook.com", "v26.0", transport=meta)
    client.simulator = simulator
    await client.phone_number(NUMBER, REAL)
    await client.phone_number(SIMULATED_NUMBER, SIMULATED)
    await client.subscriptions("0200300400500600", b"a secret")
    await client.subscriptions("200300400500600", b"a secret")
    assert [address for address, _ in meta.asked] == [
        f"https://graph.facebook.com/v26.0/{NUMBER}", "https://graph.facebook.com/v26.0/200300400500600/subscriptions"]
    assert len(simulator.asked) == 2 and all("simulator.invalid" in address for address, _ in simulator.asked)
    assert not [token for _, token in meta.asked if token.startswith("Bearer 0")]
    assert all(token.startswith("Bearer 0") for _, token in simulator.asked)


async def test_without_a_simulator_a_simulated_token_goes_nowhere() -> None:
    meta = Side()
    client = GraphClient("https://graph.facebook.com", "v26.0", transport=meta)
    with pytest.raises(NotSent):
        await client.phone_number(SIMULATED_NUMBER, SIMULATED)
    assert not meta.asked


@pytest.mark.parametrize(("url", "token"), [
    ("https://lookaside.fbsbx.com/file", SIMULATED), ("https://graph.facebook.com/file", SIMULATED),
    ("http://simulator.invalid/simulator/media/key", REAL)])
async def test_no_token_is_shown_to_the_files_of_the_other_side(url: str, token: Secret) -> None:
    meta, simulator = Side(), Side()
    client = GraphClient("https://graph.facebook.com", "v26.0", transport=meta)
    client.simulator = simulator
    with pytest.raises(NotSent):
        async for _ in client.download(url, token, limit_bytes=10):
            pass
    assert not meta.asked and not simulator.asked
