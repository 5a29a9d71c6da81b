"""Targets that are new or changed hold for those who wait already."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- Hours or targets were changed at `changed_at`, and those who wait are gone through, who waits longest first; so
    -- far the place. A row only while that is under way. What was over before `changed_at` gets a `missed_at` of 0: it
    -- is overdue, and nobody is told.
    CREATE TABLE service_recount (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        changed_at INTEGER NOT NULL,
        waiting_since INTEGER NOT NULL DEFAULT 0,
        conversation_id TEXT NOT NULL DEFAULT ''
    ) STRICT;

    -- Whose they are stands in the index too: the floor counts who waits without a look at each conversation.
    DROP INDEX conversation_waiting;
    CREATE INDEX conversation_waiting ON conversation(waiting_since, id, assignee_id, team_id, channel_id)
        WHERE state = 'open' AND waiting_since IS NOT NULL;
    DROP INDEX conversation_due;
    CREATE INDEX conversation_due ON conversation(due_at, id, assignee_id, team_id, channel_id)
        WHERE state = 'open' AND due_at IS NOT NULL;
    """)
