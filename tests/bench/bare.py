"""The yardstick of `ingest`: the same server with a handler that only verifies the signature and says 200."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

from chime.security.signatures import is_signed
from tests.support.world import APP_SECRET


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    header = next((value for name, value in scope["headers"] if name == b"x-hub-signature-256"), b"")
    status = 200 if is_signed(APP_SECRET.encode(), body, header) else 401
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", ws="none",
                access_log=False, server_header=False, log_level="warning", backlog=2048)
