"""Closing a connection without a word, which ASGI has no message for.

uvicorn hands the application a bound `receive` of the object that holds the socket's transport. Middleware may have
wrapped it, so the few objects behind it are looked through.
"""

from __future__ import annotations

from typing import Any

from chime.errors import ChimeError


async def drop(receive: Any) -> None:
    """Cut the connection this request came by, at once and with nothing sent. The answer made later goes nowhere."""
    transport = _transport(receive)
    if transport is None:
        raise ChimeError("accept_then_drop cannot reach the connection: it needs uvicorn as the server")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(receive: Any, depth: int = 8) -> Any:
    behind = [receive]
    for _ in range(depth):
        following: list[Any] = []
        for thing in behind:
            transport = getattr(thing, "transport", None)
            if hasattr(transport, "abort"):
                return transport
            owner = getattr(thing, "__self__", None)
            if owner is not None:
                following.append(owner)
            following += [cell.cell_contents for cell in getattr(thing, "__closure__", None) or () if _filled(cell)]
        behind = following
    return None


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
