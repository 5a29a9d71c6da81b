"""A browser's long name in words a person recognises: "Firefox on Windows". Wrong at worst, never empty."""

from __future__ import annotations

import re

# The first that fits: browsers also name those they descend from.
_BROWSERS = (("Edge", r"\bEdg(e|A|iOS)?/"), ("Opera", r"\bOPR/"), ("Samsung Internet", r"SamsungBrowser/"),
             ("Firefox", r"\b(Firefox|FxiOS)/"), ("Chrome", r"\b(Chrome|CriOS|HeadlessChrome)/"),
             ("Safari", r"\bVersion/.*Safari/"), ("curl", r"^curl/"))
_SYSTEMS = (("iPhone", r"iPhone"), ("iPad", r"iPad"), ("Android", r"Android"), ("ChromeOS", r"CrOS"),
            ("Windows", r"Windows"), ("macOS", r"Macintosh|Mac OS X"), ("Linux", r"Linux|X11"))
UNKNOWN = "an unknown device"


def device_words(agent: str) -> str:
    browser = _first(_BROWSERS, agent)
    system = _first(_SYSTEMS, agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or UNKNOWN


def is_handheld(agent: str) -> bool:
    return bool(re.search(r"iPhone|iPad|Android|Mobile", agent))


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, agent)), "")
