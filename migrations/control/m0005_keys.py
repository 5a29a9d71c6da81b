"""Versions of the workspaces' keys and where their replacement stands; from where an API key is used."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- What wraps a root key stands in the wrapped bytes; a column could tell something else.
    ALTER TABLE workspace_key DROP COLUMN master_key_id;
    -- Nothing is written with a retired version; it reads what is older (backups) until it is destroyed.
    ALTER TABLE workspace_key ADD COLUMN retired_at INTEGER;

    -- Which version a workspace's files, fields or media have, and which they are getting: `target` is set while one
    -- is replaced, `cursor` says how far that came. No row: version 1.
    CREATE TABLE key_purpose (
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        purpose TEXT NOT NULL CHECK (purpose IN ('field', 'file', 'media')),
        version INTEGER NOT NULL,
        target INTEGER,
        cursor TEXT NOT NULL DEFAULT '',
        moved INTEGER NOT NULL DEFAULT 0,
        trouble TEXT NOT NULL DEFAULT '',
        changed_at INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, purpose)
    ) STRICT, WITHOUT ROWID;

    -- The part of a key that may be shown and logged; NULL for keys made before there was one.
    ALTER TABLE api_key ADD COLUMN public_id TEXT;
    CREATE UNIQUE INDEX api_key_public_id ON api_key(public_id);
    -- Networks it may be used from, NULL for any; its own rate limits, NULL for the usual ones.
    ALTER TABLE api_key ADD COLUMN addresses_json TEXT;
    ALTER TABLE api_key ADD COLUMN limits_json TEXT;

    -- The app secret before the newest: Meta signs with it until it has taken the new one.
    ALTER TABLE meta_app ADD COLUMN previous_app_secret_sealed BLOB;
    ALTER TABLE meta_app ADD COLUMN app_secret_last_four TEXT NOT NULL DEFAULT '';
    ALTER TABLE meta_app ADD COLUMN app_secret_changed_at INTEGER;
    ALTER TABLE meta_app ADD COLUMN verify_token_last_four TEXT NOT NULL DEFAULT '';

    -- A workspace that shall be erased: who asked, which other owner agreed, and from when on it happens. Until there
    -- is an answer, or when there is no other owner to give one, `confirmed_by` is NULL. Cancelled by deleting the row.
    CREATE TABLE workspace_erasure (
        workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
        asked_by TEXT NOT NULL REFERENCES user(id),
        asked_at INTEGER NOT NULL,
        confirmed_by TEXT REFERENCES user(id),
        due_at INTEGER NOT NULL,
        CHECK (confirmed_by <> asked_by)
    ) STRICT, WITHOUT ROWID;
    """)
