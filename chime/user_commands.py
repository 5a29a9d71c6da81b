"""`chime user list`, `reset-password` and `reset-2fa`: accounts from the shell, beside the running appliance.

Who sits at the shell owns the machine, so a reset of the second factor happens at once; it is audited as the operator's
and the person is told. A password is never set here: the link is, and only its person needs to open it.
"""

from __future__ import annotations

import msgspec

from chime.accounts import notices, queries, second_factor
from chime.accounts.model import User
from chime.accounts.passwords import RESET_LASTS, begin_reset
from chime.clock import Clock, rfc3339
from chime.config import Config
from chime.db import Db
from chime.errors import NotFound, Refused
from chime.ids import Ids
from chime.security.permissions import OPERATOR
from chime.setup import opened
from chime.workspaces import Control


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An account, with the workspaces it is a member of."""

    id: str
    email: str
    name: str
    is_operator: bool
    second_factor: bool
    disabled: bool
    signed_in_at: str | None
    workspaces: tuple[str, ...]


class ResetLink(msgspec.Struct, frozen=True, kw_only=True):
    user_id: str
    link: str
    expires_at: str


async def list_users(config: Config) -> list[Listed]:
    """Every account of the installation, by address."""
    async with opened(config) as (control, _):
        rows = await control.db.rows(
            "SELECT id, email, name, is_operator, EXISTS (SELECT 1 FROM totp WHERE user_id = user.id AND confirmed_at "
            "IS NOT NULL) OR EXISTS (SELECT 1 FROM passkey WHERE user_id = user.id), disabled_at IS NOT NULL, "
            "signed_in_at FROM user ORDER BY email")
        return [Listed(id=row[0], email=row[1], name=row[2], is_operator=bool(row[3]), second_factor=bool(row[4]),
                       disabled=bool(row[5]), signed_in_at=rfc3339(row[6]) if row[6] else None,
                       workspaces=await _workspaces(control, row[0])) for row in rows]


async def _workspaces(control: Control, user_id: str) -> tuple[str, ...]:
    return tuple(workspace.name for workspace in await queries.workspaces_of(control.db, user_id))


async def reset_password(config: Config, email: str) -> ResetLink:
    """A link with which its person sets a new password, once, within half an hour. Raises NotFound, Refused."""
    async with opened(config) as (control, _):
        user = await _named(control.db, email)
        if user.disabled_at is not None:
            raise Refused(f"{user.email} is disabled", code="disabled")
        now = Clock().real_now()
        async with control.write(OPERATOR) as tx:
            token = await begin_reset(tx, Ids(), user.id, now)
    base = config.public_url or f"http://{config.bind_host}:{config.bind_port}"
    return ResetLink(user_id=user.id, link=f"{base}/reset-password/{token}", expires_at=rfc3339(now + RESET_LASTS))


async def reset_second_factor(config: Config, email: str) -> str:
    """Take every second factor away, at once; the person's id. Raises NotFound, Refused."""
    async with opened(config) as (control, _):
        user = await _named(control.db, email)
        if not (await second_factor.factors_of(control.db, user.id)).any:
            raise Refused(f"{user.email} has no second factor", code="no_second_factor")
        async with control.write(OPERATOR) as tx:
            await second_factor.take_all_away(tx, user.id)
            await notices.tell(tx, user.id, "second_factor_reset", now=Clock().real_now())
    return user.id


async def _named(db: Db, email: str) -> User:
    found = await queries.user_by_email(db, email)
    if found is None:
        raise NotFound(f"there is nobody with the address {email!r}; `chime user list` shows them")
    return found
