"""The delivery proof: kept sums of finished days, how far a count or replay came, and what people did with events set
aside."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- Bodies of one finished day that follow each other in the journal. `checksum` is over what the sums were made of.
    CREATE TABLE proof_segment (
        first_id INTEGER PRIMARY KEY,
        last_id INTEGER NOT NULL,
        day INTEGER NOT NULL,
        received INTEGER NOT NULL,
        applied INTEGER NOT NULL,
        duplicate INTEGER NOT NULL,
        rejected INTEGER NOT NULL,
        checksum BLOB NOT NULL,
        computed_at INTEGER NOT NULL
    ) STRICT;

    -- `result_json` is what the newest finished one found; it stays while the next is under way.
    CREATE TABLE proof_run (
        kind TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        asked_at INTEGER NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        finished_at INTEGER,
        result_json TEXT
    ) STRICT, WITHOUT ROWID;

    ALTER TABLE rejected_event ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rejected_event ADD COLUMN tried_at INTEGER;
    ALTER TABLE rejected_event ADD COLUMN dismissed_at INTEGER;
    ALTER TABLE rejected_event ADD COLUMN dismissed_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE rejected_event ADD COLUMN dismissal TEXT NOT NULL DEFAULT '';
    CREATE INDEX rejected_event_journal ON rejected_event(journal_id);
    CREATE INDEX rejected_event_unsettled ON rejected_event(id) WHERE settled_at IS NULL;
    """)
