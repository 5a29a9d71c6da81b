"""What our numbers are called where people choose between them."""

from __future__ import annotations

from chime import channels
from chime.web.here import Here


async def number_names(here: Here) -> dict[str, str]:
    """What each connected number in the reader's sight is called, by id."""
    mine = here.actor.channels
    found = [one for one in await channels.channels(here.db) if mine is None or one.id in mine]
    names = [one.verified_name for one in found]
    return {one.id: one.verified_name if one.verified_name and names.count(one.verified_name) == 1
            else f"{one.verified_name} {one.display_phone}".strip() for one in found}
