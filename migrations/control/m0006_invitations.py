"""Invitations, offers of ownership, the policy as an owner last saved it, and when a member was last here."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `role`, teams and channels as a membership has them. `made_by` is NULL for one made at the shell.
    CREATE TABLE invitation (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        email TEXT NOT NULL COLLATE NOCASE,
        role TEXT NOT NULL,
        teams_json TEXT NOT NULL DEFAULT '[]',
        channels_json TEXT,
        token_hash BLOB NOT NULL UNIQUE,
        made_by TEXT REFERENCES user(id),
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        accepted_at INTEGER,
        accepted_by TEXT REFERENCES user(id),
        revoked_at INTEGER
    ) STRICT;
    CREATE UNIQUE INDEX invitation_live ON invitation(workspace_id, email)
        WHERE accepted_at IS NULL AND revoked_at IS NULL;
    CREATE INDEX invitation_workspace ON invitation(workspace_id, created_at);

    -- An owner asks another member to own the workspace; it takes effect when the other confirms.
    CREATE TABLE ownership_offer (
        workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
        from_user_id TEXT NOT NULL REFERENCES user(id),
        to_user_id TEXT NOT NULL REFERENCES user(id),
        keeps_ownership INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What was done about a workspace is copied into its own trail.
    CREATE INDEX audit_event_workspace ON audit_event(json_extract(details_json, '$.workspace_id'), sequence)
        WHERE json_extract(details_json, '$.workspace_id') IS NOT NULL;

    -- What an admin may only tighten: the policy as an owner last saved it.
    ALTER TABLE workspace_policy ADD COLUMN owner_policy_json TEXT;
    -- When a member was last here, to the minute: what they do in other workspaces is not told. A table of its own,
    -- since it changes when nothing of the membership does.
    CREATE TABLE last_seen (
        workspace_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, user_id),
        FOREIGN KEY (workspace_id, user_id) REFERENCES membership(workspace_id, user_id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    """)
