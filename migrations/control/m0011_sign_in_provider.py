"""Signing in by a provider (OpenID Connect): whose identities are whose, and which groups give which roles."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- Who somebody is at a provider: issuer and subject, which never change. The e-mail address there names nobody.
    CREATE TABLE user_identity (
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        user_id TEXT NOT NULL REFERENCES user(id),
        email TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        used_at INTEGER NOT NULL,
        PRIMARY KEY (issuer, subject),
        UNIQUE (user_id, issuer)
    ) STRICT, WITHOUT ROWID;

    -- Somebody the provider knows has the address of an account here: theirs when they also prove that account. `key`
    -- is the hash of a cookie's secret.
    CREATE TABLE identity_offer (
        key BLOB PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES user(id),
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        email TEXT NOT NULL,
        groups_json TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What members of a group are in a workspace. It holds once an owner or admin of that workspace agreed.
    CREATE TABLE group_role (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        group_name TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'member', 'agent', 'analyst', 'viewer')),
        made_by TEXT REFERENCES user(id),
        created_at INTEGER NOT NULL,
        agreed_by TEXT REFERENCES user(id),
        agreed_at INTEGER,
        UNIQUE (workspace_id, group_name)
    ) STRICT;

    -- Whether a membership follows the provider's groups: then they change it, and end it.
    ALTER TABLE membership ADD COLUMN by_group INTEGER NOT NULL DEFAULT 0;
    -- May sign in with a password although everybody else has to use the provider.
    ALTER TABLE user ADD COLUMN break_glass INTEGER NOT NULL DEFAULT 0;
    -- The account was made by the provider's word: nobody knows its password until they set one.
    ALTER TABLE user ADD COLUMN by_provider INTEGER NOT NULL DEFAULT 0;
    """)
