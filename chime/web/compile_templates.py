"""Compiles every template beside it, for whoever lays a release out: its service cannot write there."""

from __future__ import annotations

import asyncio

from chime.clock import Clock
from chime.ids import Ids
from chime.web.pages import Pages
from chime.web.static_files import StaticFiles


def main() -> None:
    """Compile what no earlier run has."""
    pages = Pages(StaticFiles(), Clock(), Ids(), b"", demo=False, live_position=str, has_space=bool)
    asyncio.run(pages.compile_all())
