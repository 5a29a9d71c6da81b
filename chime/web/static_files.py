"""Static files under `/static/<build>/…`: read once, compressed once, cached by browsers for a year.

The build is a hash over all of them, so a new release has new addresses and relative imports between modules work.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from typing import Any

from litestar import Request, get
from litestar.response import Response

from chime import resources
from chime.errors import NotFound

_TYPES = {".js": "text/javascript", ".css": "text/css",
          ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json"}
_FOREVER = "public, max-age=31536000, immutable"


class StaticFiles:
    """Every static file, by name."""

    def __init__(self) -> None:
        self._files = {name: body for name, body in resources.static_files().items()
                       if not name.endswith((".py", ".lock.json"))}
        hashed = hashlib.sha256()
        for name, body in sorted(self._files.items()):
            hashed.update(name.encode() + b"\0" + body)
        self.build = hashed.hexdigest()[:12]
        self._compressed: dict[str, bytes] = {}

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError for one that does not exist, so a template can't name it."""
        if name not in self._files:
            raise KeyError(f"there is no static file {name}")
        return f"/static/{self.build}/{name}"

    def body(self, name: str) -> bytes:
        return self._files[name]

    def answer(self, name: str, *, takes_gzip: bool) -> Response[bytes]:
        """Raises NotFound."""
        body = self._files.get(name)
        if body is None:
            raise NotFound("There is no such file.")
        suffix = name[name.rfind("."):]
        media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
        if takes_gzip and len(body) > 300 and not media_type.startswith(("image/p", "image/w", "font/")):
            if name not in self._compressed:
                self._compressed[name] = gzip.compress(body, 9, mtime=0)
            return Response(self._compressed[name], media_type=media_type,
                            headers=headers | {"Content-Encoding": "gzip"})
        return Response(body, media_type=media_type, headers=headers)


@get("/static/{build:str}/{path:path}", opt={"public": True}, include_in_schema=False)
async def show_static_file(request: Request[Any, Any, Any], build: str, path: str) -> Response[bytes]:
    from chime.web.services import Services

    takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
    return Services.of(request).static.answer(path.lstrip("/"), takes_gzip=takes_gzip)
