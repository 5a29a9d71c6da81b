"""Forms with files in them. A file is spooled encrypted, so its plain bytes are never on a disk outside our folders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import Request
from litestar.datastructures import FormMultiDict
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from chime.errors import ChimeError
from chime.security.spool import EncryptedSpool

MOST_PARTS = 200
LONGEST_TEXT = 256 * 1024
_PIECE = 256 * 1024


class CannotReadForm(ChimeError):
    """The body is not the form it says it is."""

    status = 400
    title = "The request cannot be read"


class Upload:
    """One file of a form, read from the start."""

    def __init__(self, filename: str, content_type: str) -> None:
        self.filename = filename
        self.content_type = content_type
        self.spool = EncryptedSpool()

    @property
    def mime_type(self) -> str:
        """The type the browser gave, without its parameters."""
        return (self.content_type or "application/octet-stream").split(";")[0].strip().lower()

    @property
    def name(self) -> str:
        """The file's name without folders, never empty."""
        return self.filename.replace("\\", "/").rpartition("/")[2][:240] or "file"

    @property
    def size(self) -> int:
        return self.spool.size

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it, from where it was last read."""
        while piece := await self.read(_PIECE):
            yield piece

    async def read(self, size: int = -1) -> bytes:
        return self.spool.read(size)

    async def seek(self, offset: int) -> int:
        """Back to the start; nothing else is asked of an upload."""
        if offset != 0:
            raise ValueError("an upload is read from its start")
        self.spool.rewind()
        return 0


async def read_multipart(request: Request[Any, Any, Any]) -> FormMultiDict:
    """Texts and files of a multipart form. Raises CannotReadForm; a body over the limit stays Litestar's 413."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get("boundary", "")
    if not boundary:
        raise CannotReadForm("The form could not be read.")
    reading = _Reading()
    try:
        with PushMultipartParser(boundary, max_segment_count=MOST_PARTS) as parser:
            async for chunk in request.stream():
                for part in parser.parse(chunk):
                    reading.take(part)
    except (MultipartError, ValueError) as error:
        raise CannotReadForm("The form could not be read.") from error
    return FormMultiDict(reading.found)


class _Reading:
    """The parts of a form as they come in."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Any]] = []
        self._name = ""
        self._text = bytearray()
        self._upload: Upload | None = None

    def take(self, part: MultipartSegment | bytearray | None) -> None:
        """A part begins, goes on, or (None) ends."""
        if isinstance(part, MultipartSegment):
            self._name, self._text = part.name, bytearray()
            self._upload = Upload(part.filename, part.content_type or "") if part.filename else None
        elif part is None:
            self._end()
        elif self._upload is not None:
            self._upload.spool.write(bytes(part))
        else:
            self._text += part
            if len(self._text) > LONGEST_TEXT:
                raise CannotReadForm(f"A text of the form has more than {LONGEST_TEXT // 1024} kB.")

    def _end(self) -> None:
        if self._upload is not None:
            self._upload.spool.rewind()
            self.found.append((self._name, self._upload))
        else:
            self.found.append((self._name, self._text.decode("utf-8")))
