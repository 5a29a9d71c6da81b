"""From a request to who it is: the session cookie of a person, the bearer key of a script."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from litestar.connection import ASGIConnection

from chime.accounts import queries
from chime.accounts.actions import actor_of_user
from chime.accounts.model import IDLE_LIMIT
from chime.clock import MINUTE
from chime.errors import Unavailable
from chime.security.crypto import digest
from chime.security.permissions import Actor, scopes
from chime.web.identity import Identity
from chime.web.services import Services
from chime.workspaces import WorkspaceRecord

Connection = ASGIConnection[Any, Any, Any, Any]


class _Session(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    user_id: str
    seen_at: int
    expires_at: int


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    workspace_id: str
    name: str
    scopes: str
    expires_at: int | None
    revoked_at: int | None
    used_at: int | None


def cookie_name(connection: Connection) -> str:
    """`__Host-` binds the cookie to this host and TLS; a plain LAN installation can't have it."""
    return "__Host-chime" if connection.scope["scheme"] == "https" else "chime"


async def by_session(services: Services, connection: Connection) -> Identity | None:
    """The person of the session cookie, in the workspace the address names (if they are a member)."""
    secret = connection.cookies.get(cookie_name(connection))
    if not secret:
        return None
    db = services.control.db
    now = services.clock.real_now()
    session = await db.one(_Session, "SELECT id, user_id, seen_at, expires_at FROM session WHERE secret_hash = ?",
                           digest(secret.encode()))
    if session is None or session.expires_at < now or session.seen_at + IDLE_LIMIT < now:
        return None
    user = await queries.user(db, session.user_id)
    if user is None or user.disabled_at is not None:
        return None
    # An open stream is not activity; and once a minute is often enough to write down.
    if now - session.seen_at > MINUTE and not connection.scope["path"].endswith("/events"):
        await _write_down(services, "UPDATE session SET seen_at = ? WHERE id = ?", now, session.id)
    workspaces = await queries.workspaces_of(db, user.id)
    workspace = next((row for row in workspaces if row.slug == connection.path_params.get("slug")), None)
    role = await queries.role(db, workspace.id, user.id) if workspace else None
    return Identity(actor=actor_of_user(user, role), email=user.email, session_id=session.id,
                    locale=user.locale, time_zone=user.time_zone, workspace=workspace, workspaces=tuple(workspaces))


async def by_api_key(services: Services, connection: Connection) -> Identity | None:
    """The script of the bearer key. Cookies count for nothing here, so no other site can borrow them."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith("chime_"):
        return None
    db = services.control.db
    now = services.clock.real_now()
    row = await db.one(_Key, "SELECT id, workspace_id, name, scopes, expires_at, revoked_at, used_at FROM api_key "
                       "WHERE secret_hash = ?", digest(key.strip().encode()))
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at < now):
        return None
    workspace = await db.one(WorkspaceRecord, "SELECT id, slug, name, state, time_zone, created_at FROM workspace "
                             "WHERE id = ? AND state = 'active'", row.workspace_id)
    if workspace is None:
        return None
    if now - (row.used_at or 0) > MINUTE:
        await _write_down(services, "UPDATE api_key SET used_at = ? WHERE id = ?", now, row.id)
    actor = Actor(kind="api_key", id=row.id, name=row.name, permissions=scopes(row.scopes))
    return Identity(actor=actor, workspace=workspace)


async def _write_down(services: Services, sql: str, now: int, row_id: str) -> None:
    """When it was last used. On a disk that takes nothing, reading goes on without."""
    with suppress(Unavailable):
        async with services.control.ingest("session") as tx:
            await tx.execute(sql, now, row_id)
