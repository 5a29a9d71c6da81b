"""People, their memberships and sessions, workspaces with their wrapped keys, API keys, the control audit trail."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT;

    CREATE TABLE user (
        id TEXT PRIMARY KEY,
        email TEXT NOT NULL COLLATE NOCASE UNIQUE,
        name TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        is_operator INTEGER NOT NULL DEFAULT 0,
        locale TEXT NOT NULL DEFAULT 'en',
        time_zone TEXT NOT NULL DEFAULT '',
        created_at INTEGER NOT NULL,
        disabled_at INTEGER
    ) STRICT;

    CREATE TABLE workspace (
        id TEXT PRIMARY KEY,
        slug TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL COLLATE NOCASE UNIQUE,
        state TEXT NOT NULL DEFAULT 'active',
        time_zone TEXT NOT NULL DEFAULT 'UTC',
        created_at INTEGER NOT NULL
    ) STRICT;

    -- The random root key of a workspace, wrapped by the master key. Deleting the row makes the files unreadable.
    CREATE TABLE workspace_key (
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        version INTEGER NOT NULL,
        master_key_id TEXT NOT NULL,
        wrapped BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, version)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE membership (
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        user_id TEXT NOT NULL REFERENCES user(id),
        role TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, user_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX membership_user ON membership(user_id, workspace_id);

    -- Only the hash of a session's secret is kept: who reads this table can't sign in with it.
    CREATE TABLE session (
        secret_hash BLOB PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        user_id TEXT NOT NULL REFERENCES user(id),
        created_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        address TEXT NOT NULL,
        agent TEXT NOT NULL
    ) STRICT;
    CREATE INDEX session_user ON session(user_id);

    CREATE TABLE api_key (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        secret_hash BLOB NOT NULL UNIQUE,
        last_four TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        revoked_at INTEGER,
        used_at INTEGER
    ) STRICT;
    CREATE INDEX api_key_workspace ON api_key(workspace_id, created_at);

    CREATE TABLE audit_event (
        sequence INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        actor_kind TEXT NOT NULL,
        actor_id TEXT,
        actor_name TEXT NOT NULL,
        action TEXT NOT NULL,
        object_kind TEXT NOT NULL,
        object_id TEXT NOT NULL,
        details_json TEXT NOT NULL,
        previous_hash BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    """)
