"""Who of the team looks after a contact.

That the owner is a member is asked by whoever calls: members are in another file than contacts. A contact whose owner
left the workspace has none.
"""

from __future__ import annotations

from chime.db import Db
from chime.errors import NotFound
from chime.workspaces import Transaction

AT_A_TIME = 5_000


async def set_owner(tx: Transaction, contact_id: str, owner_id: str | None) -> bool:
    """Give a contact to a member, or to nobody; whether that is a change. Raises NotFound."""
    rows = await tx.rows("SELECT owner_id FROM contact WHERE id = ? AND deleted_at IS NULL", contact_id)
    if not rows:
        raise NotFound("There is no such contact.")
    if rows[0][0] == owner_id:
        return False
    await tx.execute("UPDATE contact SET owner_id = ?, updated_at = ? WHERE id = ?", owner_id, tx.now, contact_id)
    await tx.audit("contact.owner_changed", "contact", contact_id, owner_id=owner_id, before=rows[0][0])
    tx.publish("contact", contact_id)
    return True


async def release(tx: Transaction, owner_id: str) -> int:
    """Whoever looked after these contacts is gone: some of them have no owner now. How many those were."""
    count = await tx.execute("UPDATE contact SET owner_id = NULL WHERE id IN (SELECT id FROM contact "
                             "WHERE owner_id = ? LIMIT ?)", owner_id, AT_A_TIME)
    if count:
        await tx.audit("contacts.owner_left", "user", owner_id, contacts=count)
    return count


async def owner_ids(db: Db) -> set[str]:
    """Everybody who looks after a contact: found by steps through the index, not by reading every contact."""
    rows = await db.rows(
        "WITH RECURSIVE named(id) AS (SELECT min(owner_id) FROM contact WHERE owner_id > '' UNION ALL "
        "SELECT (SELECT min(owner_id) FROM contact WHERE owner_id > named.id) FROM named "
        "WHERE named.id IS NOT NULL) SELECT id FROM named WHERE id IS NOT NULL")
    return {row[0] for row in rows}
