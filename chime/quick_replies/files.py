"""The files of a quick reply: checked as if they were sent now, then stored encrypted like every other file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from chime.errors import Invalid
from chime.quick_replies.model import MOST_FILES, StoredFile
from chime.web.here import Here
from chime.web.uploads import Upload
from chime.whatsapp import check_media, kind_for_mime
from chime.workspaces import quotas


@asynccontextmanager
async def stored(here: Here, uploads: Sequence[Upload]) -> AsyncIterator[tuple[StoredFile, ...]]:
    """The files on disk, for whoever saves the rows that name them; when that raises they are gone again. Raises
    Invalid naming `files` when WhatsApp would not take one."""
    if len(uploads) > MOST_FILES:
        raise Invalid.field("files", "A quick reply has at most 10 files.")
    problems = [problem for upload in uploads if (problem := _problem(upload))]
    if problems:
        raise Invalid(("files", problem) for problem in problems)
    kept: list[StoredFile] = []
    try:
        for upload in uploads:
            kept.append(await _store(here, upload))
        yield tuple(kept)
    except BaseException:
        for file in kept:
            here.workspace.files.remove(file.id)
        raise


def _problem(upload: Upload) -> str | None:
    if upload.size == 0:
        return "This file is empty."
    return check_media(kind_for_mime(upload.mime_type), upload.mime_type, upload.size)


async def _store(here: Here, upload: Upload) -> StoredFile:
    await quotas.need_room(here.db)
    file_id = here.services.ids.new(here.now)
    written = await here.workspace.files.write(file_id, upload.pieces())
    return StoredFile(id=file_id, kind=kind_for_mime(upload.mime_type), mime_type=upload.mime_type,
                      filename=upload.name, size=written.size, sha256=written.sha256)
