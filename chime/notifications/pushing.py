"""One push to one browser: sealed, signed, handed to its push service; and which services those may be.

A push goes from this server straight to the service that the browser's maker runs; there is none in between. Only known
services are called, and hosts that the operator named, so the list of outside hosts on the trust page stays whole.
"""

from __future__ import annotations

import msgspec

from chime.clock import MINUTE, SECOND
from chime.errors import ChimeError, Invalid
from chime.jobs.model import Egress
from chime.log import Log
from chime.notifications import devices
from chime.notifications.model import FRESH_FOR, Notification
from chime.security.addresses import NotAllowed, Place, safe_url
from chime.security.crypto import digest
from chime.security.web_push import NotAKey, PushAddress, authorization, base64url, sealed_for
from chime.web.outside import PUSH_SERVICES
from chime.workspaces import Control

LONGEST_PAUSE = 15 * MINUTE
LARGEST_ANSWER = 16 * 1024
_log = Log("push")


def checked(endpoint: str, key: str, auth: str, allowed: frozenset[Place]) -> tuple[PushAddress, str]:
    """What a browser gave us, and the host of its service. Raises Invalid."""
    where = PushAddress(endpoint.strip(), key.strip(), auth.strip())
    try:
        target = safe_url(where.endpoint, allowed)
        where.check()
    except (NotAllowed, NotAKey) as error:
        raise Invalid.field("endpoint", "This browser's address for messages cannot be used.") from error
    known = any(target.host == name or (name.startswith("*.") and target.host.endswith(name[1:]))
                for name in PUSH_SERVICES)
    if not known and not target.allowed:
        raise Invalid.field("endpoint", "This browser uses a push service that this server does not know. The operator "
                                        "can name its host in CHIME_EGRESS_ALLOW.")
    return where, target.host


async def ring(control: Control, egress: Egress, where: PushAddress, message: bytes, *, topic: str, urgent: bool,
               subject: str, now: int) -> tuple[int, int]:
    """The status that the push service answered, 0 when it did not, and how long it asks us to wait. `now` is the
    machine's time. Raises NotAKey, NotAllowed."""
    own = await devices.own_key(control)
    if own is None:
        return 410, 0
    headers = {"TTL": str(FRESH_FOR // SECOND), "Urgency": "high" if urgent else "normal",
               "Topic": base64url(digest(topic.encode()))[:32], "Content-Type": "application/octet-stream",
               "Authorization": authorization(own, where.endpoint, subject=subject, now=now // SECOND)}
    try:
        answer = await egress.fetch(where.endpoint, method="POST", headers=headers, body=sealed_for(where, message),
                                    most=LARGEST_ANSWER, is_sealed=True)
    except (NotAllowed, NotAKey):
        raise
    except ChimeError as error:
        _log.info("push.not_reached", reason=type(error).__name__)
        return 0, 0
    if answer.status >= 400:
        _log.warning("push.refused", status=answer.status)
    asked = answer.headers.get("retry-after", "")
    return answer.status, min(int(asked) * SECOND, LONGEST_PAUSE) if asked.isdecimal() and len(asked) < 6 else 0


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser's worker reads. `tag` lets a newer one take an older one's place."""

    title: str
    body: str
    url: str
    tag: str
    count: int

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)


def tag_of(row: Notification) -> str:
    return row.conversation_id or row.id
