"""Who is told that an audit trail was changed: the owners of its workspace, of the installation's the operators.

What was found stands in control.db (`chime.audit.trouble`). Promise: that somebody was told is kept in the transaction
that tells them, so one trouble is told once, and none is forgotten by a crash.
"""

from __future__ import annotations

from chime.accounts.notify import notify, notify_owners
from chime.security.permissions import SYSTEM
from chime.web.services import Services
from chime.workspaces import Transaction


async def tell(services: Services) -> None:
    """What nobody was told yet."""
    untold = await services.control.db.rows("SELECT key FROM meta WHERE key GLOB 'audit_trouble:*' "
                                            "AND value = 'untold'")
    for (key,) in untold:
        trail_name = key.rpartition(":")[2]
        async with services.control.write(SYSTEM) as tx:
            if not await tx.execute("UPDATE meta SET value = ? WHERE key = ? AND value = 'untold'",
                                    str(services.clock.real_now()), key):
                continue
            # Found by the signer and again by an examination, it is one trouble.
            known = await tx.value("SELECT 1 FROM meta WHERE key GLOB 'audit_trouble:*:' || ?1 AND key <> ?2 "
                                   "AND value <> 'untold'", trail_name, key)
            if not known:
                await _tell_of(services, tx, trail_name)
            await tx.audit("audit.alarm_announced", "audit_trail", trail_name)


async def _tell_of(services: Services, tx: Transaction, trail_name: str) -> None:
    workspace = await tx.rows("SELECT slug, name FROM workspace WHERE id = ?", trail_name)
    if workspace:
        slug, name = workspace[0]
        await notify_owners(services, tx, trail_name, "audit_alarm", path=f"/w/{slug}/settings/audit", workspace=name)
        return
    for (user_id,) in await tx.rows("SELECT id FROM user WHERE is_operator AND disabled_at IS NULL"):
        await notify(services, tx, user_id, "installation_audit_alarm", path="/installation/audit")
