"""What else goes on in an office while webhooks arrive, as a process of its own:

    python -m tests.bench.neighbours DATA WORKSPACE_ID SECONDS

Every five seconds, until the time is up, every page of the workspace's file is read as a backup reads them, and a bulk
update tags every contact in audited transactions of 500. Prints how often each was done.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from chime.ids import Ids
from chime.security.permissions import SYSTEM
from chime.setup import opened
from chime.workspaces import Workspace
from tests.bench.installation import config_for

CONTACTS = 20_000
AT_ONCE = 500
EVERY = 5.0


async def fill(data_dir: Path, workspace_id: str, contacts: int = CONTACTS, messages_each: int = 5) -> None:
    """Contacts and old messages, so that there is something to read and to update."""
    async with opened(config_for(data_dir)) as (_, registry), registry.use(workspace_id) as workspace:
        channel_id = await workspace.db.value("SELECT id FROM channel")
        async with workspace.ingest("bench") as tx:
            ids, now = Ids(), tx.now
            await tx.execute("INSERT INTO tag (id, name, created_at) VALUES (?, 'bulk', ?)", ids.new(now), now)
            for number in range(contacts):
                contact, conversation = ids.new(now), ids.new(now)
                await tx.execute("INSERT INTO contact (id, name, phone, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
                                 contact, f"Neighbour {number}", f"1666{number:07d}", now, now)
                await tx.execute(
                    "INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                    "VALUES (?, ?, ?, ?, ?)", conversation, channel_id, contact, now - number, now)
                for index in range(messages_each):
                    await tx.execute(
                        "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, wamid, "
                        "text, at, created_at) VALUES (?, ?, ?, 'in', 'customer', 'text', 'received', ?, ?, ?, ?)",
                        ids.new(now), conversation, channel_id, f"wamid.old.{number}.{index}",
                        f"An older message, number {index} of {number}, of which there are many", now - 1000 + index,
                        now)


async def _go_on(data_dir: Path, workspace_id: str, seconds: float) -> dict[str, int]:
    done = {"backup_sized_reads": 0, "bulk_updates_of_500": 0}
    until = time.monotonic() + seconds
    async with opened(config_for(data_dir)) as (_, registry), registry.use(workspace_id) as workspace:
        contacts = await workspace.db.value("SELECT count(*) FROM contact")
        while time.monotonic() < until:
            begun = time.monotonic()
            await asyncio.to_thread(_read_all, workspace.folder / "workspace.db")
            done["backup_sized_reads"] += 1
            for start in range(0, contacts, AT_ONCE):
                await _tag(workspace, start)
                done["bulk_updates_of_500"] += 1
            await asyncio.sleep(max(0.0, min(begun + EVERY, until) - time.monotonic()))
    return done


def _read_all(path: Path) -> None:
    """In a process that holds no lock on the file, so that reading it raw is harmless (architecture.md D15)."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


async def _tag(workspace: Workspace, start: int) -> None:
    async with workspace.write(SYSTEM) as tx:
        tag_id = await tx.value("SELECT id FROM tag LIMIT 1")
        await tx.execute("DELETE FROM contact_tag WHERE contact_id IN (SELECT id FROM contact ORDER BY id LIMIT ? "
                         "OFFSET ?)", AT_ONCE, start)
        await tx.execute("INSERT INTO contact_tag (contact_id, tag_id, created_at) SELECT id, ?, ? FROM contact "
                         "ORDER BY id LIMIT ? OFFSET ?", tag_id, tx.now, AT_ONCE, start)
        await tx.audit("contact.tagged", "tag", tag_id, contacts=AT_ONCE)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_go_on(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))))
