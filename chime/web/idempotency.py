"""`Idempotency-Key`: a script may repeat a POST whose answer it lost, and the work is done once.

Promise: one caller, one key, one request → one answer, for two days; the second time it comes out of
`idempotent_answer` and the handler does not run. The row is committed before the work begins and the answer stored
after it; a row that is left without an answer (the process ended in between) may be taken over after a minute.
Refusals are answers too. Faults of ours (5xx) and 429 are not kept: the script shall try those again.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request
from litestar.response import Response

from chime.clock import HOUR, MINUTE
from chime.errors import Conflict, Invalid, Unavailable
from chime.log import Log
from chime.web import errors
from chime.web.forms import read_form
from chime.web.here import Here
from chime.web.uploads import Upload

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT = 48 * HOUR
# No handler works this long on what it has read already; one that did not answer by then ended with its process.
LOST_AFTER = MINUTE
_LONGEST = 255
_PIECE = 256 * 1024

AnyRequest = Request[Any, Any, Any]
Answered = Callable[..., Awaitable[Response[bytes]]]
_log = Log("web")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request with a key. `at` is when it claimed the row: whoever takes the row over changes it, so an attempt
    that comes back late does not overwrite the other's answer."""

    caller_id: str
    key: str
    request_hash: bytes
    at: int


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    request_hash: bytes
    status: int | None
    body: bytes | None
    at: int


class StillRunning(Conflict):
    """The first request with this key has no answer yet."""

    title = "Still being done"


def once(handler: Callable[..., Awaitable[object]]) -> Answered:
    """Makes a POST handler of the API repeatable. It is given `here` and the path's ids, and returns what is told."""

    @functools.wraps(handler)
    async def answered(here: Here, **ids: str) -> Response[bytes]:
        key = _key(here.request)
        if key is None:
            return _answer(here.request, await handler(here=here, **ids))
        attempt = Attempt(caller_id=here.actor.id or "", key=key, request_hash=await _hash(here.request),
                          at=here.services.clock.real_now())
        try:
            known = await _claim(here, attempt)
        except StillRunning as running:
            refusal = errors.handle(here.request, running)
            refusal.headers["Retry-After"] = "1"
            return refusal
        if known is not None:
            return known
        here.request.scope["state"]["attempt"] = attempt
        try:
            response = _answer(here.request, await handler(here=here, **ids))
        except Exception as error:  # told to the caller now, and again to whoever repeats the request
            response = errors.handle(here.request, error)
        await _settle(here, attempt, response)
        return response

    return answered


def client_id(here: Here) -> str | None:
    """A name for what this request makes, the same for every repetition of it; None without a key.

    Put under a UNIQUE column, it keeps even a crash between the commit and the stored answer from doing it twice. The
    request's hash is in it because a key may be used for something else once its two days are over.
    """
    attempt: Attempt | None = here.request.scope["state"].get("attempt")
    if attempt is None:
        return None
    return f"api:{attempt.caller_id}:{attempt.key}:{attempt.request_hash.hex()[:16]}"


def _key(request: AnyRequest) -> str | None:
    given = request.headers.getall(HEADER, [])
    if not given:
        return None
    key = given[0]
    if len(given) > 1 or not 1 <= len(key) <= _LONGEST or not all(" " <= character <= "~" for character in key):
        raise Invalid.field(HEADER, f"One key of 1 to {_LONGEST} printable ASCII characters.")
    return key


async def _hash(request: AnyRequest) -> bytes:
    """What was asked. Of a form its parts count, not its bytes: clients draw a new boundary for every attempt."""
    hashed = hashlib.sha256(msgspec.json.encode((request.method, request.url.path)))
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        hashed.update(await request.body())
        return hashed.digest()
    form = await read_form(request)
    for name, value in sorted(form.multi_items(), key=lambda item: item[0]):
        part = await _of_file(value) if isinstance(value, Upload) else (str(value),)
        hashed.update(msgspec.json.encode((name, *part)) + b"\n")
    return hashed.digest()


async def _of_file(upload: Upload) -> tuple[str, str, str]:
    hashed = hashlib.sha256()
    while piece := await upload.read(_PIECE):
        hashed.update(piece)
    await upload.seek(0)
    return upload.filename, upload.content_type, hashed.hexdigest()


def _answer(request: AnyRequest, told: object) -> Response[bytes]:
    status: int = request.route_handler.status_code
    return _response(status, b"" if told is None else msgspec.json.encode(told))


def _response(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response[bytes]:
    media_type = "application/problem+json" if status >= 400 else "application/json"
    return Response(body, status_code=status, media_type=media_type, headers=headers)


async def _claim(here: Here, attempt: Attempt) -> Response[bytes] | None:
    """The answer there is already, or None when the work is ours to do. Raises Invalid, StillRunning."""
    async with here.workspace.ingest("idempotency") as tx:
        await tx.execute("DELETE FROM idempotent_answer WHERE at < ?", attempt.at - KEPT)
        row = await tx.one(_Row, "SELECT request_hash, status, body, at FROM idempotent_answer "
                           "WHERE caller_id = ? AND key = ?", attempt.caller_id, attempt.key)
        if row is None:
            await tx.execute("INSERT INTO idempotent_answer (caller_id, key, request_hash, at) VALUES (?, ?, ?, ?)",
                             attempt.caller_id, attempt.key, attempt.request_hash, attempt.at)
            return None
        if row.request_hash != attempt.request_hash:
            raise Invalid.field(HEADER, "This key was used for another request; take a new one.")
        if row.status is not None:
            return _response(row.status, row.body or b"", {REPLAYED: "true"})
        if row.at > attempt.at - LOST_AFTER:
            raise StillRunning("The first request with this key is still being done; ask again in a moment.")
        await tx.execute("UPDATE idempotent_answer SET at = ? WHERE caller_id = ? AND key = ?",
                         attempt.at, attempt.caller_id, attempt.key)
    return None


async def _settle(here: Here, attempt: Attempt, response: Response[bytes]) -> None:
    """Keep the answer for the next time, or forget the attempt so that it may be made again."""
    whose = (attempt.caller_id, attempt.key, attempt.at)
    status = response.status_code or 200
    try:
        async with here.workspace.ingest("idempotency") as tx:
            if status < 500 and status != 429:
                await tx.execute("UPDATE idempotent_answer SET status = ?, body = ? "
                                 "WHERE caller_id = ? AND key = ? AND at = ?", status, response.content, *whose)
            else:
                await tx.execute("DELETE FROM idempotent_answer WHERE caller_id = ? AND key = ? AND at = ?", *whose)
    except Unavailable as error:
        # The work is done and its answer is true; a repetition is told to wait, then does what is still missing.
        _log.warning("answer.not_kept", reason=type(error).__name__)
