"""Builds `chime/web/static/icons.svg`, the one sprite, from the icons named here.

For developers only; the sprite is committed. A test fails when a template or module uses a name that is not in it, and
when the sprite holds a name that this list does not.

    python tools/icons.py [--tarballs DIR]
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from vendor import ROOT, member, packages, tarball

SPRITE = ROOT / "chime" / "web" / "static" / "icons.svg"

NAMES = (
    "arrow-down", "arrow-left", "ban", "book-open", "check", "check-check", "chevron-down", "circle-alert",
    "circle-stop", "clock", "copy", "download", "ellipsis", "external-link", "file-text", "film", "hourglass",
    "image", "inbox", "info", "keyboard", "layout-template", "link", "list", "lock", "log-out", "map-pin",
    "megaphone", "message-circle", "mic", "monitor", "moon", "mouse-pointer-click", "music", "panel-right",
    "paperclip", "plus", "reply", "rotate-ccw", "search", "send", "shopping-cart", "smartphone", "smile", "sticker",
    "sun", "sun-moon", "trash-2", "triangle-alert", "user-plus", "user-round", "wifi-off", "x",
)


def symbol(name: str, svg: str) -> str:
    """One icon as a `<symbol>`: its shapes without the wrapper, whose look comes from CSS."""
    inner = re.sub(r"<!--.*?-->|</?svg[^>]*>", "", svg, flags=re.DOTALL)
    shapes = re.sub(r"\s*\n\s*", "", inner).replace(" />", "/>").strip()
    return f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>'


def main() -> None:
    """Write the sprite."""
    parser = argparse.ArgumentParser(description="build icons.svg")
    parser.add_argument("--tarballs", type=Path, help="a directory that holds the tarballs")
    options = parser.parse_args()
    package = next(package for package in packages() if package["name"] == "lucide-static")
    with tempfile.TemporaryDirectory() as temporary:
        data = tarball(package, options.tarballs or Path(temporary))
    symbols = "\n".join(symbol(name, member(data, f"icons/{name}.svg").decode()) for name in sorted(NAMES))
    SPRITE.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n', "utf-8")


if __name__ == "__main__":
    main()
