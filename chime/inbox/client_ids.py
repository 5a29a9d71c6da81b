"""Ids that browsers and scripts give to what they write, so that saying it twice makes it once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chime.errors import Conflict


def made_before(found: Iterable[tuple[Any, ...]], conversation_id: str) -> str | None:
    """The id of what already has this client id; `found` is that with its conversation. None when there is nothing.
    Raises Conflict when it stands in another conversation: the client mixed something up, and to answer with a message
    of somebody else would hide it."""
    for known_id, where in found:
        if where != conversation_id:
            raise Conflict("This message id was used in another conversation.")
        return str(known_id)
    return None
