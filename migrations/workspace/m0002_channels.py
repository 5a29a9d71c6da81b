"""Channels: the business phone numbers this workspace answers on."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE channel (
        id TEXT PRIMARY KEY,
        phone_number_id TEXT NOT NULL UNIQUE,
        waba_id TEXT NOT NULL,
        meta_app_id TEXT NOT NULL,
        display_phone TEXT NOT NULL,
        verified_name TEXT NOT NULL DEFAULT '',
        quality TEXT NOT NULL DEFAULT 'UNKNOWN',
        access_token_sealed BLOB NOT NULL,
        access_token_last_four TEXT NOT NULL,
        messages_per_second INTEGER NOT NULL DEFAULT 60,
        state TEXT NOT NULL DEFAULT 'connected',
        trouble TEXT NOT NULL DEFAULT '',
        paused_until INTEGER,
        created_at INTEGER NOT NULL,
        removed_at INTEGER
    ) STRICT;
    """)
