"""The yardstick of `send`: a loop that only posts, as many at a time as Chime does and for some seconds, and keeps
nothing of it; through Chime's own transport or through the one that httpx comes with.

    python -m tests.bench.bare_sender ours|stock URL SECONDS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import httpx
import uvloop

from chime.whatsapp.transport import GraphTransport

AT_ONCE = 400


def _transport(kind: str) -> httpx.AsyncBaseTransport:
    if kind == "ours":
        return GraphTransport(connections=AT_ONCE)
    return httpx.AsyncHTTPTransport(verify=httpx.create_ssl_context(), limits=httpx.Limits(
        max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE))


async def _post(transport: httpx.AsyncBaseTransport, url: str, number: int) -> None:
    """What Chime posts for one message, as far as the other side can tell."""
    request = httpx.Request("POST", url, headers={"Authorization": "Bearer a-token"}, json={
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": f"+1555{number:07d}", "type": "text",
        "text": {"body": f"Hello number {number}, your order has left our shop this morning."},
        "biz_opaque_callback_data": f"bare.{number}.1"}, extensions={"timeout": httpx.Timeout(30).as_dict()})
    response = await transport.handle_async_request(request)
    try:
        json.loads(await response.aread())["messages"][0]["id"]
    finally:
        await response.aclose()


async def _go_on(kind: str, url: str, seconds: float) -> None:
    transport, until, number = _transport(kind), time.monotonic() + seconds, 0

    async def work() -> None:
        nonlocal number
        while time.monotonic() < until:
            number += 1
            await _post(transport, url, number)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    await transport.aclose()


if __name__ == "__main__":
    uvloop.run(_go_on(sys.argv[1], f"{sys.argv[2]}/v1/100/messages", float(sys.argv[3])))
