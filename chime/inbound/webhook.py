"""`/webhooks/whatsapp/{app_key}`: the address Meta posts to.

A raw ASGI handler: it must see the very bytes Meta signed. It stands in front of the router, whose way to a handler
costs more than everything done here, and answers the codes of the contract by hand and nothing else.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from litestar.enums import ScopeType

from chime.inbound import self_test
from chime.inbound.actions import Journals, StoredInPart
from chime.inbound.deadline import Deadline
from chime.log import Log
from chime.security.crypto import same
from chime.security.signatures import is_signed
from chime.web.headers import BARE
from chime.web.whole_answer import after_the_servers_headers, offered
from chime.whatsapp import NotJson, scan
from chime.workspaces import Control, OpenApp, Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

ADDRESS = "/webhooks/whatsapp/"
# Meta sends at most 3 MB (whatsapp-messaging.md 1.3).
LARGEST_BODY = 4 * 1024 * 1024
BODY_DEADLINE = 20.0
# What may be in hand at a time before senders are told to come again: requests, and bytes of their bodies.
MOST_IN_HAND = 4_000
MOST_BYTES_IN_HAND = 64 * 1024 * 1024
# Not signed, or a challenge without the token.
UNVERIFIED = (401, 403)

_OK = after_the_servers_headers(
    [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"2"), *BARE], b"ok")


class TooLarge(Exception):
    """The body is over the limit; the rest is not read."""


class Busy(Exception):
    """Too much is in hand already."""


class WentAway(Exception):
    """The sender did not wait for an answer, or not long enough to send the whole body."""


class Webhooks:
    """Takes webhooks. `start_apply` is called for each workspace that got something new; `unverified` counts a request
    that nobody signed, and says how many seconds its sender shall wait. What Meta signed is never counted. `caller` is
    the address that a request counts as."""

    def __init__(self, control: Control, journals: Journals, registry: Registry,
                 start_apply: Callable[[str], None], unverified: Callable[[Scope], float],
                 caller: Callable[[Scope], str] = lambda _: "") -> None:
        self._control = control
        self._journals = journals
        self._registry = registry
        self._start_apply = start_apply
        self._unverified = unverified
        self._caller = caller
        self.in_hand = 0
        self._deadline = Deadline(BODY_DEADLINE)
        self._refused, self._said_at = 0, -math.inf
        self._bytes_in_hand = 0
        self._log = Log("webhook")
        self.answers: Counter[int] = Counter()

    def before(self, app: ASGIApp) -> ASGIApp:
        """`app` with this address in front of it."""

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP and scope["path"].startswith(ADDRESS):
                await self(scope, receive, send)
            else:
                await app(scope, receive, send)

        return run

    async def gauges(self, _: object) -> dict[str, int]:
        """What a monitor should know: what is being taken now, and what was answered so far."""
        answered = {f'chime_webhooks_answered_total{{status="{status}"}}': count
                    for status, count in sorted(self.answers.items())}
        return {"chime_webhooks_in_hand": self.in_hand, **answered}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app_key = scope["path"][len(ADDRESS):].rstrip("/")
        method = scope.get("method")
        if method == "GET":
            status, body = await self._challenge(app_key, bytes(scope.get("query_string", b"")))
        elif method == "POST":
            status, body = await self._bounded(app_key, scope, receive)
        else:
            status, body = 405, b"only GET and POST"
        wait = math.ceil(self._unverified(scope)) if status in UNVERIFIED else 0
        if wait:
            status, body = 429, b"too many that are not signed"
        self.answers[status] += 1
        writer = offered(scope.get("extensions")) if status == 200 and body == b"ok" else None
        if writer is None or not writer.write_whole(scope, _OK):
            await _answer(send, status, body, wait)

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
        if self.in_hand >= MOST_IN_HAND:
            return 503, b"busy"
        if not self._registry.space.enough:
            return 503, b"the disk is nearly full"
        self.in_hand += 1
        task = self._deadline.begin()
        try:
            return await self._take(app_key, scope, receive)
        except asyncio.CancelledError:
            if not self._deadline.was_ours(task):
                raise
            return 503, b"too slow"
        except TooLarge:
            return 413, b"too large"
        except Busy:
            return 503, b"busy"
        except WentAway:
            return 408, b"the sender went away"
        except StoredInPart as part:
            for workspace_id in part.stored:
                self._start_apply(workspace_id)
            if isinstance(part.__cause__, Exception):
                self._not_stored(part.__cause__)
            return 503, part.because.encode()
        except Exception as error:  # whatever ails us, Meta shall come again: 503 says so, a plain 500 does not
            self._not_stored(error)
            return 503, b"storage is not available"
        finally:
            self._deadline.end(task)
            self.in_hand -= 1

    def _not_stored(self, error: Exception) -> None:
        """Said at most once a second: a disk that takes nothing refuses thousands, and the log is on it too."""
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now - self._said_at >= 1:
            self._log.error("webhook.not_stored", error, bodies=self._refused)
            self._said_at, self._refused = now, 0

    async def _take(self, app_key: str, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        header = _signature(scope)
        app = await self._control.app(app_key)
        if app is None or not header:
            return 401, b"not signed"
        parts: list[bytes] = []
        size, more = 0, True
        try:
            while more:
                part, more = _part(await receive())
                size += len(part)
                # Counted as they come: what is only announced would let a few silent senders shut out all others.
                self._bytes_in_hand += len(part)
                if size > LARGEST_BODY:
                    raise TooLarge
                if self._bytes_in_hand > MOST_BYTES_IN_HAND:
                    raise Busy
                parts.append(part)
            return await self._store(app, b"".join(parts), header, scope)
        finally:
            self._bytes_in_hand -= size

    async def _store(self, app: OpenApp, body: bytes, header: bytes, scope: Scope) -> tuple[int, bytes]:
        if not any(is_signed(secret, body, header) for secret in app.secrets):
            return 401, b"not signed"
        if self_test.is_one(body):
            return 200, self_test.answer(app.secret, body, self._caller(scope), scope["headers"])
        try:
            scanned = scan(body)
        except NotJson:
            return 400, b"not JSON"
        for workspace_id in await self._journals.store(app.id, scanned):
            self._start_apply(workspace_id)
        return 200, b"ok"


def _signature(scope: Scope) -> bytes:
    """Empty when there is none. Raises TooLarge when the body says that it is."""
    signature, length = b"", 0
    for name, value in scope["headers"]:
        if name == b"x-hub-signature-256":
            signature = value
        elif name == b"content-length" and value.isdigit():
            length = int(value)
    if length > LARGEST_BODY:
        raise TooLarge
    return signature


def _part(message: ReceiveMessage) -> tuple[bytes, bool]:
    """Some of the body, and whether there is more. Raises WentAway."""
    if message["type"] != "http.request":
        raise WentAway
    return message["body"], message["more_body"]


async def _answer(send: Send, status: int, body: bytes, wait: int = 0) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *BARE]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    if status == 429:
        headers.append((b"retry-after", str(wait).encode()))
    if status == 405:
        headers.append((b"allow", b"GET, POST"))
    if status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
