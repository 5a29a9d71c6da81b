"""From a request to who it is: the session cookie of a person, the bearer key of a script."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from litestar.connection import ASGIConnection

from chime.accounts import queries
from chime.accounts.api_keys import is_within
from chime.accounts.model import User
from chime.accounts.rights import actor_of, only_reading, policy_of
from chime.accounts.sessions import living
from chime.accounts.support_actor import KIND, support_actor, support_shown, support_waiting, support_workspace
from chime.clock import MINUTE
from chime.db import Db
from chime.errors import Forbidden, Unavailable
from chime.security.crypto import digest
from chime.security.limits import Limit
from chime.security.permissions import Actor, Grant, Origin, Permission, kept_scopes
from chime.web.identity import Identity
from chime.web.proxies import client_address
from chime.web.services import Services
from chime.workspaces import WorkspaceRecord

Connection = ASGIConnection[Any, Any, Any, Any]


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    workspace_id: str
    name: str
    scopes: str
    expires_at: int | None
    revoked_at: int | None
    used_at: int | None
    made_by: str | None
    addresses: tuple[str, ...] | None
    limits: tuple[tuple[int, float], ...] | None


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
    session = await living(db, secret, now, operators_need_second_factor=services.config.operators_need_second_factor)
    user = await queries.user(db, session.user_id) if session else None
    if session is None or user is None:
        return None
    origin = Origin(session.id, client_address(connection), connection.headers.get("user-agent", "")[:200])
    slug = connection.path_params.get("slug")
    workspace, actor, seen_at = await _inside(db, user, slug, origin, now)
    # Once a minute is often enough to write down.
    if now - session.seen_at > MINUTE and not _is_unasked(connection):
        await _write_down(services, "UPDATE session SET seen_at = ? WHERE id = ?", now, session.id)
    if workspace is not None and now - seen_at > MINUTE and not _is_unasked(connection):
        await _write_down(services, "INSERT INTO last_seen (at, workspace_id, user_id) SELECT ?, workspace_id, user_id "
                          "FROM membership WHERE workspace_id = ? AND user_id = ? "
                          "ON CONFLICT DO UPDATE SET at = excluded.at", now, workspace.people_of, user.id)
    decides = workspace is not None and actor.may(Permission.SUPPORT_APPROVE)
    return Identity(actor=actor, email=user.email,
                    support=await support_shown(db, workspace.id, now) if workspace else (),
                    support_waiting=await support_waiting(db, workspace.id, user.id, now)
                    if workspace and decides else 0,
                    addresses=await queries.allowed_addresses(db, workspace.people_of) if workspace else (),
                    suspended=await queries.suspension(db, user.id, slug) if slug and workspace is None else None,
                    session_id=session.id, locale=user.locale, time_zone=user.time_zone, workspace=workspace,
                    workspaces=tuple(await queries.workspaces_of(db, user.id)), proved_at=session.proved_at,
                    second_factors=session.second_factors,
                    must_enrol=session.second_factor_needed and not session.has_second_factor)


async def _inside(db: Db, user: User, slug: str | None, origin: Origin, now: int
                  ) -> tuple[WorkspaceRecord | None, Actor, int]:
    """The workspace an address names, who the person is in it (a member, or support that was let in), and when they
    were last here."""
    workspace = await queries.workspace_of(db, user.id, slug) if slug else None
    if workspace is None and slug and (copy := await queries.copy_of(db, user.id, slug)) is not None:
        membership = await queries.membership(db, copy.people_of, user.id)
        return copy, only_reading(actor_of(user, membership, origin=origin)), membership.seen_at or 0 if membership \
            else now
    if workspace is None and slug and (guest := await support_workspace(db, user, slug, now)) is not None:
        support = await support_actor(db, user, guest.id, now, origin)
        if support is not None:
            return guest, support, now
    membership = await queries.membership(db, workspace.id, user.id) if workspace else None
    teams = await queries.teams_of(db, workspace.id, user.id) if workspace else frozenset()
    seen_at = membership.seen_at or 0 if membership else now
    return workspace, actor_of(user, membership, teams=teams, origin=origin), seen_at


def _is_unasked(connection: Connection) -> bool:
    """An open stream, and what a page asks because of it, is nobody's activity."""
    return (connection.scope["path"].endswith(("/events", "/read", "/support/banner"))
            or "x-unasked" in connection.headers)


async def actor_again(services: Services, identity: Identity) -> Actor | None:
    """The person of an open stream as they are now; None once they are no member any more. A stream outlives the
    request that opened it, so its rights are asked for again."""
    user = await queries.user(services.control.db, identity.actor.id or "")
    if user is None or user.disabled_at is not None or identity.workspace is None:
        return None
    if identity.actor.kind == KIND:
        return await support_actor(services.control.db, user, identity.workspace.id, services.clock.real_now(),
                                   identity.actor.origin)
    membership = await queries.membership(services.control.db, identity.workspace.id, user.id)
    teams = await queries.teams_of(services.control.db, identity.workspace.id, user.id)
    return actor_of(user, membership, teams=teams, origin=identity.actor.origin) if membership else None


async def by_api_key(services: Services, connection: Connection) -> Identity | None:
    """The script of the bearer key. Cookies count for nothing here, so no other site can borrow them."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith("chime_"):
        return None
    address = client_address(connection)
    db = services.control.db
    now = services.clock.real_now()
    row = await db.one(_Key, "SELECT id, workspace_id, name, scopes, expires_at, revoked_at, used_at, made_by, "
                       "addresses_json, limits_json FROM api_key WHERE secret_hash = ?", digest(key.strip().encode()))
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at < now):
        return None
    workspace = await db.one(WorkspaceRecord, "SELECT id, slug, name, state, time_zone, created_at FROM workspace "
                             "WHERE id = ? AND state = 'active'", row.workspace_id)
    if workspace is None:
        return None
    actor = await _script(db, row, Origin("", address, ""))
    if actor is None:
        return None
    identity = Identity(actor=actor, workspace=workspace, addresses=await queries.allowed_addresses(db, workspace.id),
                        limits=tuple(Limit(count, seconds) for count, seconds in row.limits or ()))
    if row.addresses is not None and not is_within(address, row.addresses):
        await services.denials.note(identity, "address", "api_key")
        raise Forbidden("This key may not be used from this address.")
    if now - (row.used_at or 0) > MINUTE:
        await _write_down(services, "UPDATE api_key SET used_at = ? WHERE id = ?", now, row.id)
    return identity


async def key_actor(db: Db, workspace_id: str, key_id: str, now: int) -> Actor | None:
    """A key with the rights it has now, for what it asked to be done later; None once it is over."""
    row = await db.one(_Key, "SELECT id, workspace_id, name, scopes, expires_at, revoked_at, used_at, made_by, "
                       "addresses_json, limits_json FROM api_key WHERE id = ? AND workspace_id = ?", key_id,
                       workspace_id)
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at < now):
        return None
    return await _script(db, row, Origin())


async def _script(db: Db, key: _Key, origin: Origin) -> Actor | None:
    """A key reaches what it was scoped to and no more than its maker does today; with their membership it dies."""
    granted = kept_scopes(key.scopes)
    if key.made_by is None:
        policy = await queries.policy(db, key.workspace_id)
        return Actor(kind="api_key", id=key.id, name=key.name, grants=granted, origin=origin,
                     masks_texts=policy.mask_in_text and Permission.NUMBERS_READ not in granted)
    user = await queries.user(db, key.made_by)
    membership = await queries.membership(db, key.workspace_id, key.made_by)
    if user is None or user.disabled_at is not None or membership is None:
        return None
    maker = actor_of(user, membership, teams=await queries.teams_of(db, key.workspace_id, key.made_by))
    held: dict[Permission, Grant] = {scope: maker.grants[scope] for scope in granted if scope in maker.grants}
    return msgspec.structs.replace(maker, kind="api_key", id=key.id, name=key.name, grants=held, origin=origin,
                                   on_behalf=key.made_by,
                                   masks_texts=policy_of(membership).mask_in_text
                                   and Permission.NUMBERS_READ not in held)


async def _write_down(services: Services, sql: str, now: int, *ids: str) -> None:
    """When it was last used. On a disk that takes nothing, reading goes on without."""
    with suppress(Unavailable):
        async with services.control.ingest("session") as tx:
            await tx.execute(sql, now, *ids)
