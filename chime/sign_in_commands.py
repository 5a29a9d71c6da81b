"""`chime user break-glass`: who may sign in with a password when everybody else has to use the sign-in provider."""

from __future__ import annotations

from chime.accounts import identities, queries
from chime.config import Config
from chime.errors import NotFound
from chime.security.permissions import OPERATOR
from chime.setup import opened


async def break_glass(config: Config, email: str, *, on: bool) -> str:
    """The id of the person. Raises NotFound."""
    async with opened(config) as (control, _):
        user = await queries.user_by_email(control.db, email)
        if user is None:
            raise NotFound("nobody has this address")
        async with control.write(OPERATOR) as tx:
            await identities.set_break_glass(tx, user.id, on=on)
    return user.id
