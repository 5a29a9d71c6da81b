"""What the Graph API said: the results of calls, and the three ways in which one can fail.

Meta knows no idempotency key, so each failure says what may be done about it (whatsapp-messaging.md 7):
`GraphRefused` Meta answered with an error, `failure.verdict` says whether and when to try again; `NotSent` nothing
happened at Meta; `Doubtful` it may have taken effect. Promise: none of them holds a token, or anything of a body but
the words Meta itself wrote into `failure.details`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from chime.errors import ChimeError
from chime.whatsapp import lenient
from chime.whatsapp.errors import Failure, classify

_REQUEST_TIMEOUT = 408


class GraphRefused(ChimeError):
    """Meta answered with an error. `failure` says what it means; of a file, `http_status` 404 says that it is gone."""

    status = 422
    title = "WhatsApp refused"

    def __init__(self, failure: Failure, *, http_status: int = 0) -> None:
        code = "" if failure.code is None else f" (code {failure.code})"
        super().__init__(f"{failure.title}{code}. {failure.what_to_do}")
        self.failure = failure
        self.http_status = http_status


class NotSent(ChimeError):
    """Certainly nothing happened at Meta. The call may be repeated freely."""

    status = 503
    title = "WhatsApp could not be reached"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Doubtful(ChimeError):
    """The request left and no answer says what became of it. A message must not be sent again blindly."""

    status = 503
    title = "WhatsApp did not answer clearly"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MediaTooLarge(ChimeError):
    """A file is larger than the caller takes. What came of it so far is no whole file."""

    status = 422
    title = "The file is too large"


class SendAccepted(Struct, frozen=True, kw_only=True):
    """Meta took the message; that it arrives, only a status says. `wa_id` may differ from the number written to."""

    wamid: str
    wa_id: str | None
    user_id: str | None
    message_status: str


class MediaLocation(Struct, frozen=True, kw_only=True):
    """Where a file can be fetched for the next five minutes."""

    url: str
    mime_type: str
    sha256: str | None
    size: int | None


def understand(
    status: int, headers: Mapping[str, str], content: bytes, *, attempt: int, secrets: Iterable[str]
) -> dict[str, Any]:
    """The JSON object of a successful answer; raises GraphRefused or Doubtful for every other answer."""
    answer = _object(content)
    error = answer.get("error") if answer is not None else None
    if isinstance(error, dict):
        clean = _masked(error, tuple(filter(None, secrets)))
        raise GraphRefused(classify(status, clean, attempt, headers), http_status=status)
    if answer is not None and 200 <= status < 300:
        return answer
    # Without Meta's own error only a plain refusal is certain: a proxy may say 408 or 5xx of what it passed on.
    if 400 <= status < 500 and status != _REQUEST_TIMEOUT:
        raise GraphRefused(classify(status, None, attempt, headers), http_status=status)
    raise Doubtful(f"WhatsApp answered with status {status} and nothing that can be read.")


def _object(content: bytes) -> dict[str, Any] | None:
    """The JSON object in an answer, or None: a proxy's page, nothing at all, half an answer."""
    try:
        answer = lenient.decode(content)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _masked(value: Any, secrets: tuple[str, ...]) -> Any:
    """`value` without the secrets: Meta quotes a malformed token in its message."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "…")
        return value
    if isinstance(value, dict):
        return {key: _masked(item, secrets) for key, item in value.items()}
    return [_masked(item, secrets) for item in value] if isinstance(value, list) else value
