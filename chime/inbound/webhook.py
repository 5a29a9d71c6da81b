"""`/webhooks/whatsapp/{app_key}`: the address Meta posts to.

A raw ASGI handler: it must see the very bytes Meta signed, and a typed handler costs more than everything else here
(performance.md 1). It answers the codes of the contract by hand and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from litestar import asgi

from chime.errors import Unavailable
from chime.inbound.actions import Journals
from chime.log import Log
from chime.security.crypto import same
from chime.security.signatures import is_signed
from chime.whatsapp import NotJson, scan
from chime.workspaces import Control

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.types import Receive, Scope, Send

# Meta sends at most 3 MB (whatsapp-messaging.md 1.3).
LARGEST_BODY = 4 * 1024 * 1024
BODY_DEADLINE = 20.0
MOST_IN_HAND = 512


class TooLarge(Exception):
    """The body is over the limit; the rest is not read."""


class Webhooks:
    """Takes webhooks. `start_apply` is called for each workspace that got something new."""

    def __init__(self, control: Control, journals: Journals, start_apply: Callable[[str], None]) -> None:
        self._control = control
        self._journals = journals
        self._start_apply = start_apply
        self._in_hand = 0
        self._log = Log("webhook")
        self.answers: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app_key = scope["path"].rstrip("/").rpartition("/")[2]
        method = scope.get("method")
        if method == "GET":
            status, body = await self._challenge(app_key, bytes(scope.get("query_string", b"")))
        elif method == "POST":
            status, body = await self._bounded(app_key, scope, receive)
        else:
            status, body = 405, b"only GET and POST"
        self.answers[status] += 1
        await _answer(send, status, body)

    async def _challenge(self, app_key: str, query: bytes) -> tuple[int, bytes]:
        """Meta's check that the address is ours: the token must match, the answer is the bare challenge."""
        values = parse_qs(query.decode("latin-1"))
        app = await self._control.app(app_key)
        token = values.get("hub.verify_token", [""])[0]
        challenge = values.get("hub.challenge", [""])[0]
        if app is None or values.get("hub.mode") != ["subscribe"] or not same(app.verify_token.reveal(), token):
            return 403, b"the verify token does not match"
        # Anything but digits would let somebody have us print their text.
        if not challenge.isdigit() or len(challenge) > 20:
            return 400, b"the challenge is not a number"
        return 200, challenge.encode()

    async def _bounded(self, app_key: str, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        if self._in_hand >= MOST_IN_HAND:
            return 503, b"busy"
        self._in_hand += 1
        try:
            async with asyncio.timeout(BODY_DEADLINE):
                return await self._take(app_key, scope, receive)
        except TimeoutError:
            return 503, b"too slow"
        except TooLarge:
            return 413, b"too large"
        except Unavailable as error:
            self._log.error("webhook.not_stored", error)
            return 503, b"storage is not available"
        finally:
            self._in_hand -= 1

    async def _take(self, app_key: str, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        header = next((value for name, value in scope["headers"] if name == b"x-hub-signature-256"), b"")
        app = await self._control.app(app_key)
        if app is None or not header:
            return 401, b"not signed"
        body = await _read(scope, receive)
        if not is_signed(app.secret, body, header):
            return 401, b"not signed"
        try:
            scanned = scan(body)
        except NotJson:
            return 400, b"not JSON"
        for workspace_id in await self._journals.store(app.id, scanned):
            self._start_apply(workspace_id)
        return 200, b"ok"


async def _read(scope: Scope, receive: Receive) -> bytes:
    """The raw body. Raises TooLarge as soon as it is known to be."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared) > LARGEST_BODY:
        raise TooLarge
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Unavailable("the sender went away")
        part: bytes = message.get("body", b"")  # type: ignore[assignment]
        size += len(part)
        if size > LARGEST_BODY:
            raise TooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()),
               (b"x-content-type-options", b"nosniff")]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    if status == 405:
        headers.append((b"allow", b"GET, POST"))
    if status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def whatsapp_webhook(webhooks: Webhooks) -> object:
    """The route. Mounted, because Litestar 2.25 cannot find a raw handler by a path with a parameter."""

    @asgi("/webhooks/whatsapp", is_mount=True, opt={"public": True}, copy_scope=False)
    async def receive_webhook(scope: Scope, receive: Receive, send: Send) -> None:
        await webhooks(scope, receive, send)

    return receive_webhook
