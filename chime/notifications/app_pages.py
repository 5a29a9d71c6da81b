"""What makes Chime an app on a phone or desktop: its manifest, the worker that takes pushes, and what is shown without
a connection. The same for everybody, and nothing of anybody's data.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get
from litestar.response import Response

from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]
PUBLIC: dict[str, Any] = {"public": True}
# Behind the page until it is drawn, and around it where the system draws a frame: the colours of tokens.css.
GROUND, BRAND = "#ffffff", "#0a6e5a"
_ICONS = (("192x192", "any", "app/icon-192.png"), ("512x512", "any", "app/icon-512.png"),
          ("512x512", "maskable", "app/maskable-512.png"))
# What the page without a connection is made of.
_OFFLINE = ("css/tokens.css", "css/chime.css", "css/offline.css", "favicon.svg")


@get("/manifest.webmanifest", opt=PUBLIC, include_in_schema=False)
async def show_manifest(request: AnyRequest) -> Response[bytes]:
    static = Services.of(request).static
    manifest = {
        "id": "/", "name": "Chime", "short_name": "Chime", "start_url": "/", "scope": "/", "display": "standalone",
        "background_color": GROUND, "theme_color": BRAND, "categories": ["business", "productivity"],
        "icons": [{"src": static.url(name), "sizes": sizes, "type": "image/png", "purpose": purpose}
                  for sizes, purpose, name in _ICONS]}
    return Response(msgspec.json.encode(manifest), media_type="application/manifest+json",
                    headers={"Cache-Control": "public, max-age=3600"})


@get("/sw.js", opt=PUBLIC, include_in_schema=False)
async def show_worker(request: AnyRequest) -> Response[bytes]:
    """The service worker stands at the root, for it may serve only what lies below it. Browsers ask for it anew each
    time, so a new release is a new worker."""
    static = Services.of(request).static
    known = msgspec.json.encode({"build": static.build, "offline": [static.url(name) for name in _OFFLINE],
                                 "icon": static.url("app/icon-192.png")})
    return Response(b"const CHIME=" + known + b";\n" + static.body("js/sw.js"), media_type="text/javascript",
                    headers={"Cache-Control": "no-cache"})


@get("/offline", opt=PUBLIC, include_in_schema=False)
async def show_offline_page(request: AnyRequest) -> Response[bytes]:
    """The worker keeps it, and shows it in place of a page that cannot be fetched."""
    return Services.of(request).pages.answer(request, "notifications/offline.html")


ROUTES = [show_manifest, show_worker, show_offline_page]
