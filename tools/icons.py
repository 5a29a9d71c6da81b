"""Builds the two sprites `chime/web/static/icons.svg`, what the inbox shows at first sight, and `more-icons.svg`, all
the others, from the icons named here. `icon(…)` of the templates knows which one has it.

For developers only; the sprites are committed. A test fails when a template or module uses a name that is in neither,
and when one of them holds a name that these lists do not.

    python tools/icons.py [--tarballs DIR]
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from vendor import ROOT, member, packages, tarball

STATIC = ROOT / "chime" / "web" / "static"

# What the page of an open conversation draws before anybody touches it, and what is common in its messages: every one
# here is paid for by every first visit (tests/unit/web/test_static.py), every other one by whoever meets it.
FIRST = (
    "alarm-clock", "arrow-down", "arrow-left", "at-sign", "ban", "bell", "book-open", "calendar", "check",
    "check-check", "chevron-down", "circle-alert", "circle-stop", "clock", "copy", "ellipsis", "file-text",
    "fingerprint", "hourglass", "image", "inbox", "info", "key-round", "keyboard", "layout-template", "life-buoy",
    "link", "list", "list-checks", "list-filter", "lock", "log-out", "mail", "map-pin", "message-circle", "mic",
    "monitor", "moon", "mouse-pointer-click", "panel-right", "paperclip", "pin", "plus", "reply", "scroll-text",
    "search", "send", "settings", "shield-check", "sliders-horizontal", "smile", "sticky-note", "sun", "sun-moon",
    "tag", "trash-2", "triangle-alert", "user-plus", "user-round", "users-round", "wifi-off", "x", "zap",
)

NAMES = (
    "alarm-clock", "arrow-down", "arrow-left", "arrow-right", "arrow-up", "at-sign", "ban", "bell", "book-open",
    "calendar", "check", "check-check", "chevron-down", "circle-alert", "circle-stop", "clipboard-check", "clock",
    "copy", "database", "download", "ellipsis", "external-link", "eye-off", "file-text", "film", "fingerprint",
    "globe", "history", "hourglass", "house", "id-card", "image", "inbox", "info", "key-round", "keyboard", "laptop",
    "layout-template", "life-buoy", "link", "list", "list-checks", "list-filter", "list-plus", "lock", "log-out",
    "mail", "mail-open", "map-pin", "maximize-2", "megaphone", "merge", "message-circle", "mic", "monitor", "moon",
    "mouse-pointer-click", "music", "network", "panel-right", "paperclip", "pause", "pencil", "pin", "pin-off",
    "play", "plus", "receipt", "reply", "rotate-ccw", "rotate-cw", "scroll-text", "search", "send", "settings",
    "shield", "shield-check", "shopping-cart", "sliders-horizontal", "smartphone", "smile", "sticker", "sticky-note",
    "sun", "sun-moon", "tag", "trash-2", "triangle-alert", "user-minus", "user-plus", "user-round", "users-round",
    "wifi-off", "x", "zap", "zoom-in", "zoom-out",
)


def symbol(name: str, svg: str) -> str:
    """One icon as a `<symbol>`: its shapes without the wrapper, whose look comes from CSS."""
    inner = re.sub(r"<!--.*?-->|</?svg[^>]*>", "", svg, flags=re.DOTALL)
    shapes = re.sub(r"\s*\n\s*", "", inner).replace(" />", "/>").strip()
    return f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>'


def main() -> None:
    """Write the sprites."""
    parser = argparse.ArgumentParser(description="build the sprites of icons")
    parser.add_argument("--tarballs", type=Path, help="a directory that holds the tarballs")
    options = parser.parse_args()
    package = next(package for package in packages() if package["name"] == "lucide-static")
    with tempfile.TemporaryDirectory() as temporary:
        data = tarball(package, options.tarballs or Path(temporary))
    for sprite, names in (("icons.svg", set(FIRST)), ("more-icons.svg", set(NAMES) - set(FIRST))):
        symbols = "\n".join(symbol(name, member(data, f"icons/{name}.svg").decode()) for name in sorted(names))
        (STATIC / sprite).write_text(f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n', "utf-8")


if __name__ == "__main__":
    main()
