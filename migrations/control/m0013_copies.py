"""Copies of workspaces: whose files they hold, and of which moment."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- A copy has an id and a folder of its own, and files that were made under another one: keys, sealed values and
    -- stored files are bound to `identity`. NULL: the workspace's own id.
    ALTER TABLE workspace ADD COLUMN identity TEXT;
    -- Set on copies: of which workspace, made when, as of which moment, and until when it is kept if it goes by itself.
    ALTER TABLE workspace ADD COLUMN copied_from TEXT REFERENCES workspace(id);
    ALTER TABLE workspace ADD COLUMN copied_at INTEGER;
    ALTER TABLE workspace ADD COLUMN as_of INTEGER;
    ALTER TABLE workspace ADD COLUMN kept_until INTEGER;
    CREATE INDEX workspace_copied_from ON workspace(copied_from) WHERE copied_from IS NOT NULL;

    -- A copy being made, or a copy taking its workspace's place. `step` is the last one that is done, so whatever was
    -- killed is gone on with.
    CREATE TABLE restore (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('copy', 'take_over')),
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        copy_id TEXT NOT NULL,
        name TEXT NOT NULL,
        as_of INTEGER NOT NULL,
        step TEXT NOT NULL DEFAULT 'asked',
        asked_by TEXT NOT NULL,
        asked_name TEXT NOT NULL,
        asked_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        finished_at INTEGER,
        trouble TEXT NOT NULL DEFAULT '',
        found_json TEXT NOT NULL DEFAULT '{}'
    ) STRICT;
    CREATE UNIQUE INDEX restore_under_way ON restore(workspace_id) WHERE finished_at IS NULL;
    CREATE INDEX restore_workspace ON restore(workspace_id, asked_at);
    """)
