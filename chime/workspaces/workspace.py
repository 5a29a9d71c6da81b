"""One open workspace: its state, its journal, its files, its keys. It can reach nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chime.clock import Clock
from chime.db import DatabaseFile, Db, GroupCommit, Insert
from chime.db.questions import Questions
from chime.ids import Ids
from chime.workspaces.files import StoredFiles
from chime.workspaces.keys import WorkspaceKeys
from chime.workspaces.records import Records
from chime.workspaces.space import Space
from chime.workspaces.transaction import AfterCommit, Together, Writes

WEBHOOK_BODY = Insert("webhook_body", ("key", "received_at", "body"))
SEND_EVENT = Insert("send_event", ("message_id", "attempt", "phase", "outcome", "wamid", "at"))
CONSENT_EVENT = Insert("consent_event", ("contact_id", "marketing", "source", "evidence", "at"))


async def applied_upto(db: Db) -> int:
    """The newest body of the journal that has had its effects in this workspace.db."""
    return await db.value("SELECT cast(value AS INTEGER) FROM meta WHERE key = 'applied_upto'") or 0


class Workspace:
    """`db` to read, `write`/`ingest` to change, `journal` to append, `files` for media, `vault` for credentials,
    `records` for audit rows of what was only read."""

    def __init__(self, *, workspace_id: str, folder: Path, keys: WorkspaceKeys, db: DatabaseFile,
                 journal: GroupCommit, journal_db: DatabaseFile, clock: Clock, ids: Ids, space: Space,
                 after_commit: AfterCommit) -> None:
        self.id = workspace_id
        self.folder = folder
        self.db = db
        self.journal = journal
        self.journal_db = journal_db
        self.keys = keys
        self.vault = keys.vault
        self.callback_key = keys.callbacks
        self.files = StoredFiles(folder / "media", keys.media, keys.identity, space)
        writes = Writes(db, clock, ids, after_commit, journal)
        self.write = writes.write
        self.ingest = writes.ingest
        self.deliveries = Together(writes, "delivery")
        self.records = Records(writes)
        self.questions = Questions()
        self.users = 0
        self.visits = 0
        """How often somebody was there, or a webhook, since it was opened"""

    async def record_begun(self, message_id: str, attempt: int, at: int) -> None:
        """The first line of a send in the journal, durable on return; its end is journalled with its outcome. Both
        survive a restore of the workspace's state."""
        await self.journal.append(SEND_EVENT, message_id, attempt, "begun", None, None, at)

    async def unapplied_since(self) -> int | None:
        """When the oldest body of the journal came that has had no effect yet; None when there is none."""
        found: int | None = await self.journal_db.value(
            "SELECT received_at FROM webhook_body WHERE id > ? ORDER BY id LIMIT 1", await applied_upto(self.db))
        return found

    async def forget_pages(self) -> None:
        """Let go of what is kept of its files in memory. Raises StorageUnavailable."""
        for file in (self.db, self.journal_db, self.journal):
            await file.forget_pages()

    async def close(self) -> None:
        await self.deliveries.close()
        await self.records.close()
        await self.journal.close()
        await self.journal_db.close()
        await self.db.close()

    def __repr__(self) -> str:
        return f"Workspace({self.id})"

    def __reduce__(self) -> Any:
        raise TypeError("an open workspace stays in its process")
