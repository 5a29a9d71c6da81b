"""A file somebody attaches: checked against WhatsApp's limits before it is kept, then stored encrypted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from chime.errors import Invalid
from chime.inbox.page_jobs import COUNT_PAGES, PDF
from chime.inbox.voice import NotARecording, ogg_from_webm
from chime.web.here import Here
from chime.web.uploads import Upload
from chime.whatsapp import check_media, kind_for_mime
from chime.workspaces import quotas

LARGEST_RECORDING = 16 * 1024 * 1024


class StoredUpload(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept, and as which kind of message it will go."""

    id: str
    kind: str
    mime_type: str
    filename: str
    size: int
    is_voice: bool


async def store_upload(here: Here, channel_id: str, upload: Upload, *, as_voice: bool = False) -> StoredUpload:
    """Raises Invalid naming `file` when WhatsApp would not take it, or there is no room for it."""
    await quotas.need_room(here.db)
    mime_type, filename = upload.mime_type, upload.name
    content: bytes | None = None
    if as_voice and mime_type in ("audio/webm", "video/webm"):
        content, mime_type, filename = await _recording(upload), "audio/ogg", "voice.ogg"
    kind = kind_for_mime(mime_type)
    size = len(content) if content is not None else upload.size
    problem = check_media(kind, mime_type, size)
    if problem is not None:
        raise Invalid.field("file", problem)
    if size == 0:
        raise Invalid.field("file", "This file is empty.")
    media_id = here.services.ids.new(here.now)
    is_voice = as_voice and mime_type == "audio/ogg"
    written = await here.workspace.files.write(media_id, _once(content) if content is not None else upload.pieces())
    async with here.workspace.write(here.actor) as tx:
        await tx.execute(
            "INSERT INTO media (id, channel_id, direction, kind, mime_type, filename, sha256, size, is_voice, state, "
            "created_at) VALUES (?, ?, 'out', ?, ?, ?, ?, ?, ?, 'ready', ?)", media_id, channel_id, kind, mime_type,
            filename, written.sha256, written.size, int(is_voice), tx.now)
        await tx.audit("media.stored", "media", media_id, kind=kind, size=written.size)
        if mime_type == PDF:
            tx.enqueue(COUNT_PAGES, media_id)
    return StoredUpload(id=media_id, kind=kind, mime_type=mime_type, filename=filename, size=written.size,
                        is_voice=is_voice)


async def _recording(upload: Upload) -> bytes:
    """Browsers record WebM, WhatsApp wants Ogg for a voice note: the same Opus packets in another box."""
    raw = await upload.read(LARGEST_RECORDING + 1)
    if len(raw) > LARGEST_RECORDING:
        raise Invalid.field("file", "The recording is longer than WhatsApp takes (16 MB).")
    try:
        return ogg_from_webm(raw)
    except NotARecording as error:
        raise Invalid.field("file", "This recording could not be read; record it again.") from error


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
