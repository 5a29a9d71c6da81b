"""What control.db knows of a workspace that goes with it, and how far a move is. Secrets stay sealed in here."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chime.db import Db
from chime.handover.model import CustomRole, Forgotten, KeyUse, Person, Team


class SealedApp(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    app_id: str
    app_key: str
    app_secret_sealed: bytes
    previous_app_secret_sealed: bytes | None
    verify_token_sealed: bytes


class WrappedRoot(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    wrapped: bytes
    created_at: int
    retired_at: int | None


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace on its way: `out` of here, handed to the server with that code, or `in`."""

    direction: str
    at: int
    is_final: bool
    handed_to: str


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A number that is to be answered from here."""

    channel_id: str
    phone_number_id: str
    waba_id: str
    meta_app_id: str
    display_phone: str


async def move(control: Db, workspace_id: str) -> Move | None:
    return await control.one(Move, "SELECT direction, at, is_final, handed_to FROM workspace_move "
                             "WHERE workspace_id = ?", workspace_id)


async def people(control: Db, workspace_id: str) -> list[Person]:
    """Whoever is shut out of the whole installation arrives shut out of the workspace."""
    return await control.all(
        Person, "SELECT user.id, user.email, user.name, user.locale, user.time_zone, membership.role, "
        "CASE WHEN user.disabled_at IS NULL THEN membership.state ELSE 'suspended' END AS state, "
        "membership.created_at, membership.modules_off, "
        "membership.channels_json AS channels_text, membership.masked FROM membership "
        "JOIN user ON user.id = membership.user_id WHERE membership.workspace_id = ? ORDER BY user.id", workspace_id)


async def teams(control: Db, workspace_id: str) -> list[Team]:
    found = []
    for team_id, name, created_at in await control.rows(
            "SELECT id, name, created_at FROM team WHERE workspace_id = ? ORDER BY id", workspace_id):
        members = await control.rows("SELECT user_id FROM team_member WHERE team_id = ? ORDER BY user_id", team_id)
        found.append(Team(id=team_id, name=name, created_at=created_at, members=tuple(row[0] for row in members)))
    return found


async def roles(control: Db, workspace_id: str) -> list[CustomRole]:
    return await control.all(CustomRole, "SELECT id, name, grants_json AS grants_text, created_at FROM custom_role "
                             "WHERE workspace_id = ? ORDER BY id", workspace_id)


async def apps(control: Db, of: Iterable[Waiting]) -> list[SealedApp]:
    """Those that these numbers belong to."""
    return await control.all(
        SealedApp, "SELECT id, app_id, app_key, app_secret_sealed, previous_app_secret_sealed, verify_token_sealed "
        "FROM meta_app WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        msgspec.json.encode([number.meta_app_id for number in of]).decode())


async def roots(control: Db, workspace_id: str) -> list[WrappedRoot]:
    return await control.all(WrappedRoot, "SELECT version, wrapped, created_at, retired_at FROM workspace_key "
                             "WHERE workspace_id = ? ORDER BY version", workspace_id)


async def uses(control: Db, workspace_id: str) -> list[KeyUse]:
    return await control.all(KeyUse, "SELECT purpose, version FROM key_purpose WHERE workspace_id = ? "
                             "ORDER BY purpose", workspace_id)


async def is_changing_keys(control: Db, workspace_id: str) -> bool:
    return bool(await control.value("SELECT 1 FROM key_purpose WHERE workspace_id = ? AND target IS NOT NULL",
                                    workspace_id))


async def forgotten(control: Db, workspace_id: str) -> list[Forgotten]:
    return await control.all(Forgotten, "SELECT erasure_id, contact_id, mark, opted_out, at FROM erased_subject "
                             "WHERE workspace_id = ? ORDER BY erasure_id, contact_id, mark", workspace_id)


async def policies(control: Db, workspace_id: str) -> tuple[str | None, str | None]:
    rows = await control.rows("SELECT policy_json, owner_policy_json FROM workspace_policy WHERE workspace_id = ?",
                              workspace_id)
    return (rows[0][0], rows[0][1]) if rows else (None, None)


async def numbers(db: Db) -> list[Waiting]:
    """The numbers of a workspace that are connected, by its own file."""
    return await db.all(Waiting, "SELECT id AS channel_id, phone_number_id, waba_id, meta_app_id, display_phone "
                        "FROM channel WHERE removed_at IS NULL ORDER BY created_at, id")


async def others_of_apps(control: Db, workspace_id: str) -> list[str]:
    """The other workspaces here whose numbers belong to the same Meta apps: their webhooks go to the same address."""
    rows = await control.rows(
        "SELECT DISTINCT workspace.name FROM channel_route AS own JOIN channel_route AS other "
        "ON other.meta_app_id = own.meta_app_id AND other.workspace_id <> own.workspace_id "
        "JOIN workspace ON workspace.id = other.workspace_id WHERE own.workspace_id = ? AND workspace.state = 'active' "
        "ORDER BY workspace.name", workspace_id)
    return [row[0] for row in rows]
