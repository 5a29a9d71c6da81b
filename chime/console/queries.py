"""The workspaces of an installation with what was measured of them, from control.db alone."""

from __future__ import annotations

from chime.console.model import LATE, Day, Shown, Sort, Totals, Which
from chime.db import Db

DAYS_SHOWN = 30
_SHOWN = (
    "SELECT workspace.id, workspace.slug, workspace.name, workspace.state, workspace.created_at, "
    "workspace.copied_from, workspace.suspended_at, workspace.suspension_reason, usage.at AS measured_at, "
    "coalesce(usage.database_bytes, 0) AS database_bytes, coalesce(usage.journal_bytes, 0) AS journal_bytes, "
    "coalesce(usage.media_bytes, 0) AS media_bytes, "
    "coalesce(usage.database_bytes + usage.journal_bytes + usage.media_bytes, 0) AS bytes, "
    "coalesce((SELECT received + sent FROM workspace_usage_day AS today WHERE today.workspace_id = workspace.id "
    "AND today.day = ?1), 0) AS messages, usage.webhook_at, coalesce(usage.waiting, 0) AS waiting, "
    "usage.waiting_since, coalesce(usage.trouble, '') AS trouble, "
    "(SELECT count(*) FROM membership WHERE membership.workspace_id = workspace.id "
    "AND membership.state = 'active') AS members, "
    "(SELECT count(*) FROM channel_route WHERE channel_route.workspace_id = workspace.id) AS numbers, "
    "(SELECT count(*) FROM doctor_check WHERE doctor_check.workspace_id = workspace.id "
    "AND doctor_check.state = 'fail') AS faults, "
    "quota.bytes AS most_bytes, quota.messages AS most_messages, quota.members AS most_members, "
    "quota.numbers AS most_numbers FROM workspace "
    "LEFT JOIN workspace_usage AS usage ON usage.workspace_id = workspace.id "
    "LEFT JOIN workspace_quota AS quota ON quota.workspace_id = workspace.id WHERE workspace.state <> 'erased'")
_WHICH = {
    Which.ALL: "",
    Which.ACTIVE: " AND state = 'active'",
    Which.SUSPENDED: " AND state = 'suspended'",
    Which.ATTENTION: " AND (state = 'suspended' OR trouble <> '' OR faults > 0 OR bytes >= most_bytes "
                     "OR (state = 'active' AND waiting_since < ?3))",
}
_PLACES = {
    Sort.NAME: "0", Sort.SIZE: "bytes", Sort.MESSAGES: "messages", Sort.WEBHOOK: "coalesce(webhook_at, 0)",
    Sort.LAG: "CASE WHEN waiting_since IS NULL THEN 0 ELSE 9007199254740991 - waiting_since END",
    Sort.MEMBERS: "members", Sort.NUMBERS: "numbers",
}
_BY_NAME = " AND (?4 IS NULL OR (0, name) > (?4, ?5)) ORDER BY name LIMIT ?6"
_BY_FIGURE = " AND (?4 IS NULL OR (place, id) < (?4, ?5)) ORDER BY place DESC, id DESC LIMIT ?6"


async def workspaces(db: Db, *, today: str, now: int, sort: Sort, which: Which, words: str,
                     after: tuple[int, str] | None, limit: int) -> list[Shown]:
    """A page of them, one more than `limit` when it goes on. `words` stand somewhere in the name."""
    place, key = after or (None, None)
    return await db.all(
        Shown, f"SELECT * FROM (SELECT *, {_PLACES[sort]} AS place FROM ({_SHOWN})) "
        f"WHERE (?2 = '' OR instr(lower(name), lower(?2)) > 0) AND ?3 IS NOT NULL{_WHICH[which]}"
        f"{_BY_NAME if sort is Sort.NAME else _BY_FIGURE}", today, words, now - LATE, place, key, limit + 1)


async def workspace(db: Db, workspace_id: str, *, today: str) -> Shown | None:
    return await db.one(Shown, f"SELECT *, 0 AS place FROM ({_SHOWN}) WHERE id = ?2", today, workspace_id)


async def days(db: Db, workspace_id: str) -> list[Day]:
    """The last days that were measured, the newest last."""
    found = await db.all(Day, "SELECT day, bytes, received, sent FROM workspace_usage_day WHERE workspace_id = ? "
                         "ORDER BY day DESC LIMIT ?", workspace_id, DAYS_SHOWN)
    return found[::-1]


async def totals(db: Db, *, today: str) -> Totals:
    found = await db.one(
        Totals, f"SELECT count(*) AS workspaces, coalesce(sum(state = 'suspended'), 0) AS suspended, "
        f"coalesce(sum(bytes), 0) AS bytes, coalesce(sum(messages), 0) AS messages FROM ({_SHOWN})", today)
    assert found is not None
    return found


async def open_invitation(db: Db, workspace_id: str, now: int) -> int | None:
    """Until when somebody may still become the first owner; None when nobody is invited or there is an owner."""
    found: int | None = await db.value(
        "SELECT max(expires_at) FROM invitation WHERE workspace_id = ?1 AND role = 'owner' AND accepted_at IS NULL "
        "AND revoked_at IS NULL AND expires_at > ?2 AND NOT EXISTS (SELECT 1 FROM membership "
        "WHERE workspace_id = ?1 AND role = 'owner')", workspace_id, now)
    return found
