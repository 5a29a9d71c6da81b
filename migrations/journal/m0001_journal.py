"""What must never be un-remembered: verified webhook bodies, sends begun and ended, consent given and withdrawn."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT;

    -- One row a POST, as it came (or the part of it that is this workspace's); a repeat is another row, and its events
    -- are known when they are applied. `key` is the SHA-256 of the body; it is not UNIQUE, because an index in random
    -- order would be three quarters of what is written before Meta gets its answer.
    CREATE TABLE webhook_body (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL,
        received_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;

    CREATE TABLE send_event (
        id INTEGER PRIMARY KEY,
        message_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        phase TEXT NOT NULL,
        outcome TEXT,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX send_event_message ON send_event(message_id, attempt);

    CREATE TABLE consent_event (
        id INTEGER PRIMARY KEY,
        contact_id TEXT NOT NULL,
        marketing TEXT NOT NULL,
        source TEXT NOT NULL,
        evidence TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX consent_event_contact ON consent_event(contact_id, id);
    """)
