"""Signing in: what a session proved, second factors, throttles, password resets, notices to a person."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- A session lives while its epoch is its person's: whatever ends all others raises this number.
    ALTER TABLE user ADD COLUMN session_epoch INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE user ADD COLUMN password_changed_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE user ADD COLUMN signed_in_at INTEGER;
    -- Whether the password is long enough to be the only factor; with a second one it may be shorter.
    ALTER TABLE user ADD COLUMN password_stands_alone INTEGER NOT NULL DEFAULT 1;

    ALTER TABLE session ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
    -- When the person last showed that it is they, and by what: password, totp, passkey, recovery; with commas.
    ALTER TABLE session ADD COLUMN proved_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE session ADD COLUMN factors TEXT NOT NULL DEFAULT 'password';

    -- Failures by account, device, address, network, code. The name is hashed with a key: who reads the table can't
    -- tell which addresses were tried.
    CREATE TABLE throttle (
        bucket BLOB PRIMARY KEY,
        kind TEXT NOT NULL,
        failures INTEGER NOT NULL,
        since INTEGER NOT NULL,
        failed_at INTEGER NOT NULL,
        blocked_until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX throttle_age ON throttle(failed_at);

    -- A ceremony under way: a sign-in between its two steps, a passkey's question. `key` is the hash of a cookie's
    -- secret, or of a session's id with the purpose.
    CREATE TABLE challenge (
        key BLOB PRIMARY KEY,
        purpose TEXT NOT NULL,
        user_id TEXT REFERENCES user(id),
        question BLOB,
        next TEXT NOT NULL DEFAULT '/',
        tries INTEGER NOT NULL DEFAULT 0,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX challenge_age ON challenge(expires_at);

    -- An authenticator app. Unconfirmed until its first code; `last_step` is the newest one accepted, so that a code is
    -- good once.
    CREATE TABLE totp (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES user(id),
        secret_sealed BLOB NOT NULL,
        last_step INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL,
        confirmed_at INTEGER
    ) STRICT;
    CREATE INDEX totp_user ON totp(user_id);

    CREATE TABLE passkey (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES user(id),
        name TEXT NOT NULL,
        credential_id BLOB NOT NULL UNIQUE,
        credential BLOB NOT NULL,
        sign_count INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        used_at INTEGER
    ) STRICT;
    CREATE INDEX passkey_user ON passkey(user_id);

    -- One salt for the codes of a set, so that looking one up costs one hash and not ten.
    CREATE TABLE recovery_code (
        user_id TEXT NOT NULL REFERENCES user(id),
        hash BLOB NOT NULL,
        salt BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        used_at INTEGER,
        PRIMARY KEY (user_id, hash)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE password_reset (
        token_hash BLOB PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES user(id),
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX password_reset_user ON password_reset(user_id);

    -- Somebody lost every factor: a colleague began this, and when it is due the factors go.
    CREATE TABLE factor_reset (
        user_id TEXT PRIMARY KEY REFERENCES user(id),
        started_by TEXT NOT NULL REFERENCES user(id),
        started_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What a person should know of their own account.
    CREATE TABLE notice (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES user(id),
        kind TEXT NOT NULL,
        at INTEGER NOT NULL,
        details_json TEXT NOT NULL DEFAULT '{}',
        seen_at INTEGER
    ) STRICT;
    CREATE INDEX notice_user ON notice(user_id, at);
    """)
