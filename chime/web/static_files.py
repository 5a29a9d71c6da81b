"""Static files under `/static/<build>/…`: read once, compressed once, cached by browsers for a year.

The build is a hash over all of them, so a new release has new addresses and relative imports between modules work.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import mimetypes
import re
from collections.abc import Callable
from typing import Any

import brotli
import rcssmin
import rjsmin
from litestar import Request, get
from litestar.response import Response

from chime import resources
from chime.errors import NotFound
from chime.security.limits import UNLIMITED
from chime.web import scripts

_TYPES = {".js": "text/javascript", ".css": "text/css",
          ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json"}
# Something that stands inside of something else and is told by a pseudo-class alone.
_INSIDE = re.compile(r"(?<=[\w\])\"]) (?=:[a-z])")
# What every page needs, and what every page with a conversation needs, in one answer each.
TOGETHER = {"css/shell.css": ("css/tokens.css", "css/chime.css"),
            "css/conversation.css": ("css/inbox.css", "css/thread.css")}
SPRITES = ("icons.svg", "more-icons.svg")
_SYMBOL = re.compile(r'<symbol id="([\w-]+)"')
_FOREVER = "public, max-age=31536000, immutable"


class StaticFiles:
    """Every static file, by name."""

    def __init__(self) -> None:
        read = resources.static_files()
        sources = {name[3:]: body.decode() for name, body in read.items() if name.startswith("js/")}
        read |= {f"js/{name}": scripts.joined(name, sources).encode() for name in scripts.TOGETHER}
        self._files = {name: _smaller(name, body) for name, body in read.items()
                       if not name.endswith((".py", ".lock.json"))}
        self._files |= {name: b"".join(self._files[part] for part in parts) for name, parts in TOGETHER.items()}
        hashed = hashlib.sha256()
        for name, body in sorted(self._files.items()):
            hashed.update(name.encode() + b"\0" + body)
        self.build = hashed.hexdigest()[:12]
        self.icons = {name: f"{self.url(sprite)}#{name}" for sprite in SPRITES
                      for name in _SYMBOL.findall(self._files[sprite].decode())}
        """Where each icon is drawn, by its name."""
        self._compressed: dict[tuple[str, str], bytes] = {}
        self._integrity: dict[str, str] = {}

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError for one that does not exist, so a template can't name it."""
        if name not in self._files:
            raise KeyError(f"there is no static file {name}")
        return f"/static/{self.build}/{name}"

    def integrity(self, name: str) -> str:
        """What a page says of a script, so that a browser runs these very bytes or none (SRI)."""
        if name not in self._integrity:
            hashed = base64.b64encode(hashlib.sha384(self._files[name]).digest()).decode()
            self._integrity[name] = f"sha384-{hashed}"
        return self._integrity[name]

    def body(self, name: str) -> bytes:
        return self._files[name]

    async def answer(self, name: str, *, accepts: str) -> Response[bytes]:
        """`accepts` is the request's Accept-Encoding. Raises NotFound."""
        body = self._files.get(name)
        if body is None:
            raise NotFound("There is no such file.")
        suffix = name[name.rfind("."):]
        media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
        encoding = _best_of(accepts)
        if encoding and len(body) > 300 and not media_type.startswith(("image/p", "image/w", "font/")):
            if (name, encoding) not in self._compressed:
                # Some hundredths of a second, once; without the interpreter's lock. Brotli at its best (11) takes four
                # times as long for 2 % less, and the first visitor after a start waits for it.
                self._compressed[name, encoding] = await asyncio.to_thread(_ENCODINGS[encoding], body)
            return Response(self._compressed[name, encoding], media_type=media_type,
                            headers=headers | {"Content-Encoding": encoding})
        return Response(body, media_type=media_type, headers=headers)


# By their names in HTTP, the smallest result first. Browsers offer Brotli over HTTPS and on localhost only.
_ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: bytes(brotli.compress(body, quality=10, lgwin=18)),
    "gzip": lambda body: gzip.compress(body, 9, mtime=0)}


def _best_of(accepts: str) -> str:
    """The first of ours that the browser takes; nothing when it takes none. What it refuses (`br;q=0`) it does not
    take, and we have no other use for its weights."""
    offered = {name.strip().lower(): weight.replace(" ", "").lower()
               for name, _, weight in (one.partition(";") for one in accepts.split(","))}
    return next((name for name in _ENCODINGS if not re.fullmatch(r"q=0(\.0*)?", offered.get(name, "q=0"))), "")


def _smaller(name: str, body: bytes) -> bytes:
    """Without comments and indentation: a third of what a phone would fetch for its first page. Vendored files are
    served as they came, so that their published hashes hold."""
    if name.startswith("vendor/"):
        return body
    if name.endswith(".js"):
        return bytes(rjsmin.jsmin(body.decode()), "utf-8")
    # The minifier takes the space before a colon for one it may drop: `.a :is(b)` would become `.a:is(b)`.
    return bytes(rcssmin.cssmin(_INSIDE.sub(" *", body.decode())), "utf-8") if name.endswith(".css") else body


@get("/static/{build:str}/{path:path}", opt={"public": True, "rate": UNLIMITED}, include_in_schema=False)
async def show_static_file(request: Request[Any, Any, Any], build: str, path: str) -> Response[bytes]:
    from chime.web.services import Services

    return await Services.of(request).static.answer(path.lstrip("/"),
                                                    accepts=request.headers.get("accept-encoding", ""))
