"""The wish to erase a workspace, and who has a say in it."""

from __future__ import annotations

import msgspec

from chime.db import Db


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    asked_by: str
    asker: str
    asked_at: int
    confirmed_by: str | None
    due_at: int


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    email: str


async def wish(db: Db, workspace_id: str) -> Wish | None:
    return await db.one(Wish, "SELECT asked_by, user.name AS asker, asked_at, confirmed_by, due_at "
                        "FROM workspace_erasure JOIN user ON user.id = asked_by WHERE workspace_id = ?", workspace_id)


async def owners(db: Db, workspace_id: str) -> list[Owner]:
    """Those who may ask, agree and cancel."""
    return await db.all(Owner, "SELECT user.id, user.name, user.email FROM membership JOIN user "
                        "ON user.id = membership.user_id WHERE workspace_id = ? AND role = 'owner' "
                        "AND state = 'active' AND disabled_at IS NULL ORDER BY user.name", workspace_id)
