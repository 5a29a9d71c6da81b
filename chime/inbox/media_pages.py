"""A conversation's files: served by permission, with headers that keep them data; fetched again when that failed."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from litestar import get, post
from litestar.response import Redirect, Response, Stream

from chime import audit
from chime.audit import Reading
from chime.errors import Conflict, NotFound
from chime.inbox import queries
from chime.inbox.changes import FETCH_MEDIA
from chime.inbox.model import MediaState
from chime.inbox.pages import REPLY
from chime.inbox.queries import StoredMedia
from chime.phone import shown_text
from chime.security import limits
from chime.security.permissions import Permission
from chime.web.headers import MEDIA_POLICY
from chime.web.here import Here

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
# Shown inside our pages; everything else is only ever downloaded. SVG is a document with scripts, not a picture.
_INLINE = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "audio/aac", "audio/amr", "audio/mpeg",
                     "audio/mp4", "audio/ogg", "video/mp4", "video/3gpp"})


@get("/w/{slug:str}/media/{media_id:str}", opt={
    "permission": Permission.INBOX_FILES, "rate": limits.FILE, "document": False})
async def show_media(here: Here, media_id: str) -> Response[Any]:
    return await served(here, media_id)


async def served(here: Here, media_id: str) -> Response[Any]:
    """The bytes, or the part a player asks for, or that the browser has them already. Raises NotFound."""
    stored = await queries.media(here.db, media_id)
    if stored is None or stored.state is not MediaState.READY:
        raise NotFound("This file is not here.")
    size = here.workspace.files.size(media_id)
    headers = _headers(stored, download="download" in here.request.query_params)
    asked, tag = here.request.headers, headers["ETag"]
    if {known.strip().removeprefix("W/") for known in asked.get("if-none-match", "").split(",")} & {tag, "*"}:
        return Response(b"", status_code=304, headers=headers)
    # A part is only good for who has the rest of the very same file.
    status, start, end = _span(asked.get("range", "") if asked.get("if-range", tag) == tag else "", size)
    if status == 416:
        return Response(b"", status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    await _noted(here, media_id, saved=headers["Content-Disposition"].startswith("attachment"), is_start=start == 0)
    headers["Content-Length"] = str(end - start)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Stream(here.workspace.files.read(media_id, start, end), status_code=status, headers=headers,
                  media_type=_served_type(stored))


async def _noted(here: Here, media_id: str, *, saved: bool, is_start: bool) -> None:
    """Who takes the file away, or has it shown; further parts of the same file are no further reading."""
    if (saved or here.request.route_handler.opt.get("api")) and is_start:
        await audit.read_first(here, Reading.FILE_SAVED, media_id)
    else:
        audit.read(here, Reading.FILE_SHOWN, media_id)


def _served_type(stored: StoredMedia) -> str:
    plain = stored.mime_type.split(";")[0].strip().lower()
    return plain if plain in _INLINE else "application/octet-stream"


def _headers(stored: StoredMedia, *, download: bool) -> dict[str, str]:
    inline = _served_type(stored) != "application/octet-stream" and not download
    name = shown_text(stored.filename) or f"{stored.kind}-{stored.id[-6:]}"
    disposition = f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}"
    return {"Content-Disposition": disposition, "Content-Security-Policy": MEDIA_POLICY, "Accept-Ranges": "bytes",
            "Cache-Control": "private, max-age=86400, immutable", "ETag": f'"{stored.id}"'}


def _span(header: str, size: int) -> tuple[int, int, int]:
    """Status and the half-open span of bytes a Range header asks for; one range only, as players do. What makes no
    sense counts as not asked (RFC 9110)."""
    found = _RANGE.fullmatch(header.strip())
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)):
        return 200, 0, size
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    return (206, start, end) if start < end else (416, 0, 0)


@post("/w/{slug:str}/media/{media_id:str}/fetch", opt=REPLY, status_code=200)
async def create_media_fetch(here: Here, media_id: str) -> Response[Any]:
    """Try at once to get a customer's file that could not be had so far."""
    async with here.workspace.write(here.actor) as tx:
        changed = await tx.execute("UPDATE media SET state = 'pending', trouble = '', attempts = 0, "
                                   "next_attempt_at = ?, created_at = ? WHERE id = ? AND direction = 'in' AND "
                                   "trouble <> 'revoked' AND (state = 'failed' "
                                   "OR (state = 'pending' AND trouble <> ''))",
                                   tx.now, tx.now, media_id)
        if not changed and await queries.media(tx, media_id) is None:
            raise NotFound("There is no such file.")
        if not changed:
            raise Conflict("This file is here, or on its way.")
        await tx.audit("media.fetch_requested", "media", media_id)
        tx.enqueue(FETCH_MEDIA, media_id)
    found = await queries.message_of_media(here.db, media_id)
    if found is None:
        raise NotFound("There is no such file.")
    if not here.is_htmx and here.request.headers.get("x-csrf-token") is None:
        return Redirect(f"{here.base}/inbox/{found.conversation_id}", status_code=303)
    return here.page("inbox/_message.html", message=found)


ROUTES = [show_media, create_media_fetch]
