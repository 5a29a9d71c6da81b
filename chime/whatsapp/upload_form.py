"""A file as the multipart form that `POST /{PNID}/media` takes, written while the file is read.

Promise: the form has exactly the announced length or it is broken off, so Meta never stores part of a file.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from chime.ids import Ids
from chime.whatsapp.answers import NotSent

_MIME_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(?:; ?[\w-]+=[\w.+-]+)*", re.ASCII)


class UploadForm:
    """The form around one file. Raises NotSent when the type is none, for it becomes part of the form's own lines."""

    def __init__(self, content: AsyncIterator[bytes], *, size: int, mime_type: str, filename: str) -> None:
        if not _MIME_TYPE.fullmatch(mime_type):
            raise NotSent("mime_type: this is not the name of a file type.")
        boundary = Ids().token(24)
        self._content = content
        self._size = size
        self._before = _opening(boundary, mime_type, filename)
        self._after = f"\r\n--{boundary}--\r\n".encode()
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(self._before) + size + len(self._after)),
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._size
        yield self._before
        async for chunk in self._content:
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
        if left != 0:
            raise NotSent("The file has another size than was announced.")
        yield self._after


def _opening(boundary: str, mime_type: str, filename: str) -> bytes:
    """What stands before the file's bytes."""
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("messaging_product", "whatsapp"), ("type", mime_type))
    )
    # Browsers' way to write a name into a form: only these three characters are encoded.
    name = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return (
        f'{fields}--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {mime_type}\r\n\r\n"
    ).encode("utf-8", "replace")
