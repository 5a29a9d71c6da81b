"""Quick replies: texts and files that a person, a team or everybody has at hand."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `code` is what follows the slash. `words` is what a search looks in, in small letters. One that is deleted can be
    -- had back for a while.
    CREATE TABLE quick_reply (
        id TEXT PRIMARY KEY,
        code TEXT NOT NULL,
        title TEXT NOT NULL,
        category TEXT NOT NULL DEFAULT '',
        text TEXT NOT NULL DEFAULT '',
        words TEXT NOT NULL,
        scope TEXT NOT NULL CHECK (scope IN ('personal', 'team', 'everyone')),
        owner_id TEXT,
        team_id TEXT,
        used_count INTEGER NOT NULL DEFAULT 0,
        used_at INTEGER,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        deleted_at INTEGER,
        CHECK ((scope = 'personal') = (owner_id IS NOT NULL)),
        CHECK ((scope = 'team') = (team_id IS NOT NULL))
    ) STRICT;
    CREATE UNIQUE INDEX quick_reply_code ON quick_reply(code, scope, coalesce(owner_id, ''), coalesce(team_id, ''))
        WHERE deleted_at IS NULL;
    CREATE INDEX quick_reply_deleted ON quick_reply(deleted_at) WHERE deleted_at IS NOT NULL;

    -- The bytes are a stored file of the same id. One that was dropped waits for its bytes to be removed.
    CREATE TABLE quick_reply_file (
        id TEXT PRIMARY KEY,
        reply_id TEXT NOT NULL REFERENCES quick_reply(id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        kind TEXT NOT NULL,
        mime_type TEXT NOT NULL,
        filename TEXT NOT NULL,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        dropped_at INTEGER
    ) STRICT;
    CREATE INDEX quick_reply_file_reply ON quick_reply_file(reply_id, position);
    CREATE INDEX quick_reply_file_dropped ON quick_reply_file(reply_id) WHERE dropped_at IS NOT NULL;
    """)
