"""People who are forgotten: what is under way, what was done, and who said no before; how long things are kept."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- One erasure. `counts_json` is what was removed so far; nothing here tells who it was.
    CREATE TABLE erasure (
        id TEXT PRIMARY KEY,
        contact_id TEXT NOT NULL,
        again INTEGER NOT NULL DEFAULT 0,
        begun_at INTEGER NOT NULL,
        rows_gone_at INTEGER,
        journal_upto INTEGER NOT NULL DEFAULT 0,
        finished_at INTEGER,
        counts_json TEXT NOT NULL DEFAULT '{}',
        requester_name TEXT NOT NULL DEFAULT '',
        approver_name TEXT NOT NULL DEFAULT ''
    ) STRICT;

    -- While an erasure is under way: by what the person is still found in the journal and elsewhere. Empty afterwards.
    CREATE TABLE erasure_needle (
        erasure_id TEXT NOT NULL REFERENCES erasure(id),
        kind TEXT NOT NULL CHECK (kind IN ('contact', 'phone', 'user_id', 'wamid', 'message', 'conversation')),
        value TEXT NOT NULL,
        PRIMARY KEY (erasure_id, kind, value)
    ) STRICT, WITHOUT ROWID;

    -- Takes up what the file has free, so that nothing of what was there before is left in it. Empty afterwards.
    CREATE TABLE free_pages (content BLOB NOT NULL) STRICT;

    -- Who had opted out of marketing before they were forgotten, as a keyed hash of each number or id.
    CREATE TABLE forgotten_refusal (
        mark BLOB PRIMARY KEY,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- How long each kind of thing is kept, in days. A kind without a row has its default.
    CREATE TABLE retention_rule (
        kind TEXT PRIMARY KEY,
        days INTEGER CHECK (days > 0),
        changed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- What a rule removed last, and up to which moment: the delivery proof knows by it what may be missing.
    CREATE TABLE retention_run (
        kind TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        removed INTEGER NOT NULL,
        removed_before INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    ALTER TABLE proof_segment ADD COLUMN removed_at INTEGER;
    """)
