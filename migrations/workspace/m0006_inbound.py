"""Webhook events that change no row of a feature, and those that could not be applied."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE applied_event (
        key TEXT PRIMARY KEY,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE webhook_event (
        id TEXT PRIMARY KEY,
        field TEXT NOT NULL,
        phone_number_id TEXT,
        waba_id TEXT,
        at INTEGER NOT NULL,
        value_json TEXT NOT NULL,
        received_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX webhook_event_field ON webhook_event(field, id DESC);

    CREATE TABLE rejected_event (
        id TEXT PRIMARY KEY,
        journal_id INTEGER NOT NULL,
        -- The SHA-256 of its body: what Meta repeats is not set aside a second time.
        body_key BLOB NOT NULL,
        path TEXT NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL,
        settled_at INTEGER,
        UNIQUE (body_key, path)
    ) STRICT;
    """)
