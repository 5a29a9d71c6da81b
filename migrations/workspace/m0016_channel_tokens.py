"""A number's token before the newest, kept until the newest one worked."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    ALTER TABLE channel ADD COLUMN previous_access_token_sealed BLOB;
    ALTER TABLE channel ADD COLUMN access_token_changed_at INTEGER;
    """)
