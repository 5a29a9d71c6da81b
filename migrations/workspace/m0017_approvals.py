"""What needs a second person before it runs: who asked for what, who agreed, how far it is; and the files that come of
it.

What was asked for never changes, and nobody agrees to their own request: the file refuses both, whatever a program
says.
"""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `job` runs it. `digest` is the SHA-256 of kind, parameters and requester; `approved_digest` the one that the
    -- approver saw.
    -- `person_id` is whom a request belongs to (nobody for a key that was made at the shell); `subject` what to call
    -- the person it is about, and only while it is open.
    CREATE TABLE approval (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        job TEXT NOT NULL,
        permission TEXT NOT NULL,
        decided_by TEXT NOT NULL,
        parameters_json TEXT NOT NULL,
        digest BLOB NOT NULL,
        subject TEXT NOT NULL DEFAULT '',
        person_id TEXT,
        key_id TEXT,
        requester_name TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        needs TEXT NOT NULL CHECK (needs IN ('person', 'delay', 'nobody')),
        state TEXT NOT NULL CHECK (state IN ('requested', 'approved', 'running', 'ready', 'downloaded', 'done',
            'rejected', 'cancelled', 'expired', 'failed')),
        requested_at INTEGER NOT NULL,
        earliest_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        approver_id TEXT,
        approver_name TEXT NOT NULL DEFAULT '',
        approved_digest BLOB,
        approved_at INTEGER,
        lease_until INTEGER NOT NULL DEFAULT 0,
        done INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        ended_at INTEGER,
        ending TEXT NOT NULL DEFAULT '',
        CHECK (person_id IS NOT NULL OR key_id IS NOT NULL),
        CHECK (approver_id IS NULL OR approver_id IS NOT person_id),
        CHECK (needs <> 'person' OR state NOT IN ('approved', 'running', 'ready', 'downloaded', 'done')
            OR (approver_id IS NOT NULL AND approved_digest = digest))
    ) STRICT;
    CREATE INDEX approval_open ON approval(state, expires_at) WHERE ended_at IS NULL;
    CREATE INDEX approval_person ON approval(person_id, id DESC);

    CREATE TRIGGER approval_is_what_was_asked_for BEFORE UPDATE OF kind, job, permission, decided_by, parameters_json,
        digest, person_id, key_id, needs, requested_at ON approval
    BEGIN SELECT RAISE(ABORT, 'what was asked for does not change'); END;
    CREATE TRIGGER approval_stays_ended BEFORE UPDATE OF state ON approval
        WHEN OLD.ended_at IS NOT NULL AND NEW.state <> OLD.state
    BEGIN SELECT RAISE(ABORT, 'what has ended does not begin again'); END;

    -- The file that an approval made: sealed with a key of its own, which is gone with the approval's end, whoever ends
    -- it. `marker` tells the rows of this file from those of any other, also when the key is gone.
    CREATE TABLE export_file (
        id TEXT PRIMARY KEY REFERENCES approval(id),
        key_sealed BLOB NOT NULL,
        marker BLOB NOT NULL,
        filename TEXT NOT NULL DEFAULT '',
        media_type TEXT NOT NULL DEFAULT '',
        size INTEGER NOT NULL DEFAULT 0,
        rows INTEGER NOT NULL DEFAULT 0,
        masked INTEGER NOT NULL DEFAULT 0,
        removed_at INTEGER
    ) STRICT;
    CREATE INDEX export_file_there ON export_file(id) WHERE removed_at IS NULL;
    CREATE TRIGGER approval_ends AFTER UPDATE OF ended_at ON approval
        WHEN NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL
    BEGIN
        UPDATE export_file SET key_sealed = x'' WHERE id = NEW.id;
        UPDATE approval SET subject = '', reason = CASE WHEN subject <> '' THEN '' ELSE reason END
            WHERE id = NEW.id;
    END;
    """)
