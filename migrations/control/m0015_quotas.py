"""What a workspace may use of this server, what it uses, day by day, and why one is suspended."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    ALTER TABLE workspace ADD COLUMN suspended_at INTEGER;
    ALTER TABLE workspace ADD COLUMN suspension_reason TEXT NOT NULL DEFAULT '';

    -- NULL: as much as the server has.
    CREATE TABLE workspace_quota (
        workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
        bytes INTEGER CHECK (bytes > 0),
        messages INTEGER CHECK (messages > 0),
        members INTEGER CHECK (members > 0),
        numbers INTEGER CHECK (numbers > 0),
        changed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- As of the last look. `waiting` webhook bodies are stored and not applied yet, the first since `waiting_since`.
    CREATE TABLE workspace_usage (
        workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
        at INTEGER NOT NULL,
        database_bytes INTEGER NOT NULL,
        journal_bytes INTEGER NOT NULL,
        media_bytes INTEGER NOT NULL,
        webhook_at INTEGER,
        waiting INTEGER NOT NULL,
        waiting_since INTEGER,
        trouble TEXT NOT NULL DEFAULT ''
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE workspace_usage_day (
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        day TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        received INTEGER NOT NULL,
        sent INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, day)
    ) STRICT, WITHOUT ROWID;
    """)
