"""Reading requests and grants from control.db. `now` is the machine's time."""

from __future__ import annotations

import msgspec

from chime.db import Db
from chime.security.support import REQUEST_LASTS
from chime.support.model import Grant

_GRANT = (
    "SELECT support_grant.id, support_grant.workspace_id, workspace.name AS workspace_name, "
    "workspace.slug AS workspace_slug, support_grant.operator_id, operator.name AS operator_name, "
    "support_grant.reason, support_grant.ticket, support_grant.modules, support_grant.writes, support_grant.masked, "
    "support_grant.minutes, support_grant.is_emergency, support_grant.state, support_grant.requested_at, "
    "support_grant.decided_by, decider.name AS decider_name, support_grant.decided_at, support_grant.ends_at, "
    "support_grant.ended_at, support_grant.ended_by, ender.name AS ender_name, support_grant.end_reason, "
    "EXISTS (SELECT 1 FROM support_open WHERE support_open.id = support_grant.id AND support_open.ends_at > ?1) "
    "AS is_open FROM support_grant JOIN workspace ON workspace.id = support_grant.workspace_id "
    "JOIN user AS operator ON operator.id = support_grant.operator_id "
    "LEFT JOIN user AS decider ON decider.id = support_grant.decided_by "
    "LEFT JOIN user AS ender ON ender.id = support_grant.ended_by")


class Choice(msgspec.Struct, frozen=True):
    """A workspace to choose from. `is_allowed`: its owners did not switch support off."""

    id: str
    name: str
    is_allowed: bool


class Owner(msgspec.Struct, frozen=True):
    """Who is told."""

    id: str
    name: str
    email: str


async def grant(db: Db, grant_id: str, now: int) -> Grant | None:
    return await db.one(Grant, f"{_GRANT} WHERE support_grant.id = ?2", now, grant_id)


async def waiting(db: Db, workspace_id: str, now: int) -> list[Grant]:
    """What an owner has not answered yet."""
    return await db.all(Grant, f"{_GRANT} WHERE support_grant.workspace_id = ?2 AND support_grant.state = 'requested' "
                        "AND support_grant.requested_at > ?3 ORDER BY support_grant.requested_at LIMIT 50",
                        now, workspace_id, now - REQUEST_LASTS)


async def granted_now(db: Db, workspace_id: str, now: int) -> list[Grant]:
    """Who is let in at this moment."""
    return await db.all(Grant, f"{_GRANT} WHERE support_grant.id IN (SELECT id FROM support_open "
                        "WHERE workspace_id = ?2 AND ends_at > ?1) ORDER BY support_grant.ends_at LIMIT 50",
                        now, workspace_id)


async def of_workspace(db: Db, workspace_id: str, now: int) -> list[Grant]:
    """What was asked and granted before, the newest first."""
    return await db.all(Grant, f"{_GRANT} WHERE support_grant.workspace_id = ?2 ORDER BY support_grant.requested_at "
                        "DESC LIMIT 50", now, workspace_id)


async def of_installation(db: Db, now: int) -> list[Grant]:
    """The same of all workspaces, for operators."""
    return await db.all(Grant, f"{_GRANT} ORDER BY support_grant.requested_at DESC LIMIT 50", now)


async def choices(db: Db, operator_id: str) -> list[Choice]:
    """The workspaces an operator could ask for: those they are no member of."""
    return await db.all(
        Choice, "SELECT workspace.id, workspace.name, "
        "coalesce(json_extract(workspace_policy.policy_json, '$.support_allowed'), 1) AS is_allowed "
        "FROM workspace LEFT JOIN workspace_policy ON workspace_policy.workspace_id = workspace.id "
        "WHERE workspace.state = 'active' AND NOT EXISTS (SELECT 1 FROM membership WHERE "
        "membership.workspace_id = workspace.id AND membership.user_id = ? AND membership.state = 'active') "
        "ORDER BY workspace.name LIMIT 1000", operator_id)


async def owners(db: Db, workspace_id: str) -> list[Owner]:
    return await db.all(
        Owner, "SELECT user.id, user.name, user.email FROM membership JOIN user ON user.id = membership.user_id "
        "WHERE membership.workspace_id = ? AND membership.role = 'owner' AND membership.state = 'active' "
        "AND user.disabled_at IS NULL ORDER BY user.name LIMIT 100", workspace_id)


async def is_operator(db: Db, user_id: str | None) -> bool:
    """Whether this person operates the installation now."""
    return bool(await db.value("SELECT 1 FROM user WHERE id = ? AND is_operator AND disabled_at IS NULL", user_id))


async def operators(db: Db) -> int:
    return int(await db.value("SELECT count(*) FROM user WHERE is_operator AND disabled_at IS NULL"))


class Over(msgspec.Struct, frozen=True, kw_only=True):
    """An access that is over, or lost what it stood on; `reason` is empty until somebody says why."""

    id: str
    workspace_id: str
    operator_id: str
    operator_name: str
    ended_by: str | None
    reason: str


async def run_out(db: Db, now: int) -> list[Over]:
    """Active grants that let nobody in any more."""
    return await db.all(
        Over, "SELECT support_grant.id, workspace_id, operator_id, user.name AS operator_name, ended_by, "
        "iif(ends_at <= ?1, 'time', 'standing') AS reason FROM support_grant JOIN user ON user.id = operator_id "
        "WHERE state = 'active' AND (ends_at <= ?1 OR NOT EXISTS (SELECT 1 FROM support_open "
        "WHERE support_open.id = support_grant.id)) LIMIT 100", now)


async def untold(db: Db) -> list[Over]:
    """Ended grants whose end is not in the workspace's own trail yet."""
    return await db.all(
        Over, "SELECT support_grant.id, workspace_id, operator_id, user.name AS operator_name, ended_by, "
        "end_reason AS reason FROM support_grant JOIN user ON user.id = operator_id "
        "WHERE state = 'ended' AND is_end_told = 0 LIMIT 100")
