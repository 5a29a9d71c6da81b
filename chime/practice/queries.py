"""Reading whether there is a practice workspace. `control` is control.db."""

from __future__ import annotations

from chime.db import Db
from chime.practice.model import PHONE_NUMBER_ID


async def workspace_id(control: Db) -> str | None:
    """Of the practice workspace; None when there is none."""
    found: str | None = await control.value("SELECT workspace_id FROM channel_route WHERE phone_number_id = ?",
                                            PHONE_NUMBER_ID)
    return found


async def real_number(control: Db) -> bool:
    """Whether a number of WhatsApp's is connected in any workspace."""
    return bool(await control.value("SELECT 1 FROM channel_route WHERE phone_number_id NOT GLOB '0*' LIMIT 1"))
