"""What became of each stored body's events: the proof that everything received was applied, known or set aside."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- Written in the transaction of the effects themselves; `journal_id` is `webhook_body.id` in journal.db.
    CREATE TABLE applied_body (
        journal_id INTEGER PRIMARY KEY,
        applied INTEGER NOT NULL,
        duplicate INTEGER NOT NULL,
        rejected INTEGER NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    """)
