"""What is decided about a workspace in control.db stands in the workspace's own trail too: who invited, promoted or
removed whom, made a role or a key, changed the policy. Its people read, export and anchor that trail.

The two files cannot change together, so control's row comes first, with the change, and is copied: at once after a
click, with the next sweep after a command at the shell or a crash. The cursor moves in the transaction of the copies,
so each row is copied once. A copy names control's row, and when that was written.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime.db import Db
from chime.jobs import JobKind, Work
from chime.security.permissions import Actor, Origin

COPY = "accounts.copy_trail"
EVERYTHING = "everything"
AT_A_TIME = 200
# Connecting a number, and letting support in, write to both files themselves.
COPIED = ("member.", "invitation.", "team.", "role.", "role_preset.", "ownership.", "security_policy.", "api_key.",
          "group_role.", "workspace.edited", "workspace.suspended", "workspace.resumed", "password.reset_asked")
_CURSOR = "SELECT value FROM meta WHERE key = 'control_trail'"


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    sequence: int
    at: int
    actor_kind: str
    actor_id: str | None
    actor_name: str
    on_behalf: str
    session_id: str
    address: str
    action: str
    object_kind: str
    object_id: str
    details: dict[str, Any]


async def copy(work: Work, which: str) -> None:
    """Bring the workspace's trail up to date, some rows to a transaction."""
    while True:
        upto = int(await work.workspace.db.value(_CURSOR) or 0)
        rows = await work.control.db.all(
            _Row, "SELECT sequence, at, actor_kind, actor_id, actor_name, on_behalf, session_id, address, action, "
            "object_kind, object_id, details_json FROM audit_event "
            "WHERE json_extract(details_json, '$.workspace_id') = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            work.workspace.id, upto, AT_A_TIME)
        if not rows:
            return
        async with work.workspace.ingest("trail") as tx:
            if int(await tx.value(_CURSOR) or 0) != upto:
                continue  # another run was faster
            for row in rows:
                if row.action.startswith(COPIED):
                    actor = Actor(kind=row.actor_kind, id=row.actor_id, name=row.actor_name, on_behalf=row.on_behalf,
                                  origin=Origin(row.session_id, row.address))
                    told = {name: value for name, value in row.details.items() if name != "workspace_id"}
                    await tx.audit_for(actor, row.action, row.object_kind, row.object_id,
                                       told | {"control_sequence": row.sequence, "done_at": row.at})
            await tx.execute("INSERT INTO meta (key, value) VALUES ('control_trail', ?) "
                             "ON CONFLICT (key) DO UPDATE SET value = excluded.value", str(rows[-1].sequence))


async def due(db: Db, now: int) -> list[str]:
    """Control's trail is another file; the job itself asks whether there is something."""
    return [EVERYTHING]


JOBS = [JobKind(COPY, copy, due, at_once=1)]
