"""Builds the icons of the installed app, `chime/web/static/app/*.png`, from our own `favicon.svg`.

For developers only; the files are committed. A maskable icon has its picture in the middle four fifths, since a phone
cuts the rest to its own shape; the others keep the rounded square.

    python tools/app_icons.py
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

STATIC = Path(__file__).resolve().parents[1] / "chime" / "web" / "static"
# name, size in pixels, whether it fills the square
ICONS = (("icon-192", 192, False), ("icon-512", 512, False), ("icon-180", 180, True), ("maskable-512", 512, True))


def draw(browser: Browser, svg: str, size: int, *, fills: bool) -> bytes:
    """One icon as a PNG."""
    if fills:
        # The square without its round corners, the sign at three quarters of its size.
        head, sign = svg.split("/>", 1)
        svg = (head.replace(' rx="8"', "") + '/><g transform="translate(4 4) scale(.75)">'
               + sign.replace("</svg>", "</g></svg>"))
    page = browser.new_page(viewport={"width": size, "height": size})
    page.set_content(f'<body style="margin:0">{svg.replace("<svg ", f"<svg width={size} height={size} ", 1)}</body>')
    drawn = page.screenshot(omit_background=True)
    page.close()
    return drawn


def main() -> None:
    """Write them."""
    svg = (STATIC / "favicon.svg").read_text("utf-8")
    (STATIC / "app").mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        installed = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=installed)
        for name, size, fills in ICONS:
            (STATIC / "app" / f"{name}.png").write_bytes(draw(browser, svg, size, fills=fills))
        browser.close()


if __name__ == "__main__":
    main()
