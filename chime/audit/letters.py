"""Checkpoints by mail: once a week, and with each export, the owners of a workspace get what was signed last.

A mail that lies in somebody's mailbox is a place that whoever runs the server does not reach: what the trail was then
can be told from it for ever. It holds a count, a root and a signature, nothing of the rows.
"""

from __future__ import annotations

from chime.audit import queries
from chime.audit.model import Checkpoint
from chime.clock import DAY
from chime.security.permissions import SYSTEM
from chime.web.mail import Mailer
from chime.workspaces import Control

EVERY = 7 * DAY


async def mail_weekly(control: Control, mailer: Mailer, now: int) -> int:
    """To the owners of each workspace whose last one is a week old; how many workspaces that were."""
    if not mailer.configured:
        return 0
    due = await control.db.rows(
        "SELECT workspace_id FROM audit_anchor LEFT JOIN meta ON meta.key = 'audit_mailed:' || workspace_id "
        "WHERE coalesce(CAST(meta.value AS INTEGER), 0) <= ? AND at > coalesce(CAST(meta.value AS INTEGER), 0) "
        "LIMIT 20", now - EVERY)
    for (workspace_id,) in due:
        made = await queries.anchored(control.db, workspace_id)
        if made is not None:
            await mail_checkpoint(control, mailer, workspace_id, made, now)
    return len(due)


async def mail_checkpoint(control: Control, mailer: Mailer, workspace_id: str, made: Checkpoint, now: int) -> None:
    """To the owners of one workspace, now."""
    if not mailer.configured:
        return
    async with control.write(SYSTEM) as tx:
        owners = await queries.owners(tx, workspace_id)
        slug, name = (await tx.rows("SELECT slug, name FROM workspace WHERE id = ?", workspace_id))[0]
        link = mailer.link(f"/w/{slug}/settings/audit")
        text = (f"The audit log of {name} has {made.size} rows. This is the signed proof of what they are; keep this "
                f"mail.\n\n{made.note}\nIf anything before it is ever changed, `chime audit verify EXPORT --anchor "
                f"FILE` says so, with the lines above in FILE.\n\n{link}\n")
        for email, person in owners:
            await mailer.tell(email, "Checkpoint of the audit log", text, name=person, tx=tx)
        await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", f"audit_mailed:{workspace_id}", str(now))
        await tx.audit("audit.checkpoint_mailed", "workspace", workspace_id, size=made.size, owners=len(owners))
