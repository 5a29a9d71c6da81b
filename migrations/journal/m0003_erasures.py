"""Who was forgotten, as keyed hashes: a restore of the workspace's state forgets them again. And which events of the
stored bodies were taken out with them, so that the delivery proof can tell what is missing on purpose."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE erased_subject (
        erasure_id TEXT NOT NULL,
        contact_id TEXT NOT NULL,
        mark BLOB NOT NULL,
        opted_out INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (erasure_id, contact_id, mark)
    ) STRICT, WITHOUT ROWID;

    -- `partial`: some of the event is still there (a chunk of history with other people in it).
    CREATE TABLE erased_event (
        journal_id INTEGER NOT NULL,
        path TEXT NOT NULL,
        partial INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (journal_id, path)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE free_pages (content BLOB NOT NULL) STRICT;
    """)
