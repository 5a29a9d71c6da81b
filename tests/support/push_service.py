"""A push service of our own over real HTTPS, and a browser that subscribed to it: what arrives is opened with the keys
that only that browser has, and the sender's proof is checked.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from chime.security.web_push import base64url, claims_of, new_key, opened
from tests.support.oidc_provider import certificate
from tests.support.world import free_port, serving


@dataclass
class Arrived:
    """One push as it reached the service."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PushService:
    """`answers` are given one after the other, the last one for ever; each a status and headers."""

    origin: str
    arrived: list[Arrived] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=lambda: [(201, {})])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.arrived.append(Arrived(scope["path"], headers, body))
        status, told = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await send({"type": "http.response.start", "status": status,
                    "headers": [(name.encode(), value.encode()) for name, value in told.items()]})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Browser:
    """Where one browser is rung, with the keys that open what arrives."""

    service: PushService
    name: str

    def __post_init__(self) -> None:
        self.keys = new_key()
        self.auth = base64url(os.urandom(16))

    @property
    def endpoint(self) -> str:
        return f"{self.service.origin}/send/{self.name}"

    @property
    def fields(self) -> dict[str, str]:
        """What the page's script posts."""
        return {"endpoint": self.endpoint, "key": self.keys.public, "auth": self.auth}

    def pushes(self) -> list[Arrived]:
        return [one for one in self.service.arrived if one.path == f"/send/{self.name}"]

    def messages(self) -> list[dict[str, Any]]:
        """What it would show."""
        return [json.loads(opened(one.body, self.keys.private, self.auth)) for one in self.pushes()]

    def claims(self, public: str) -> dict[str, object] | None:
        """What the newest push proves, with the installation's public key."""
        return claims_of(self.pushes()[-1].headers["authorization"], public)

    async def rung(self, times: int = 1, within: float = 5.0) -> None:
        """Wait until it was rung so often."""
        async with asyncio.timeout(within):
            while len(self.pushes()) < times:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def push_service(folder: Path) -> AsyncIterator[tuple[PushService, Path]]:
    """A running service on a loopback port, and the file with its certificate."""
    pem, port = certificate(folder), free_port()
    found = PushService(f"https://localhost:{port}")
    config = uvicorn.Config(found, log_level="error", log_config=None, ws="none", lifespan="off", ssl_certfile=str(pem),
                            ssl_version=ssl.PROTOCOL_TLS_SERVER)
    async with serving(config, port):
        yield found, pem
