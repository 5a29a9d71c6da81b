"""First answers kept for `Idempotency-Key`."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE idempotent_answer (
        caller_id TEXT NOT NULL,
        key TEXT NOT NULL,
        request_hash BLOB NOT NULL,
        status INTEGER,
        body BLOB,
        at INTEGER NOT NULL,
        PRIMARY KEY (caller_id, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX idempotent_answer_at ON idempotent_answer(at);
    """)
