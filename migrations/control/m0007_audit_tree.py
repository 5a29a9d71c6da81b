"""The audit trail as a Merkle tree; the key that signs its checkpoints; the newest checkpoint of every trail."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- 2 is the form the hash of new rows is made in; rows from before the tree keep theirs (chime.security.audit_hash).
    ALTER TABLE audit_event ADD COLUMN form INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE audit_event ADD COLUMN on_behalf TEXT NOT NULL DEFAULT '';
    ALTER TABLE audit_event ADD COLUMN session_id TEXT NOT NULL DEFAULT '';
    ALTER TABLE audit_event ADD COLUMN address TEXT NOT NULL DEFAULT '';
    ALTER TABLE audit_event ADD COLUMN agent_hash TEXT NOT NULL DEFAULT '';
    ALTER TABLE audit_event ADD COLUMN result TEXT NOT NULL DEFAULT 'done' CHECK (result IN ('done', 'denied'));
    CREATE INDEX audit_event_actor ON audit_event(actor_id, sequence);
    CREATE INDEX audit_event_action ON audit_event(action, sequence);
    CREATE INDEX audit_event_denied ON audit_event(sequence) WHERE result = 'denied';

    -- Nothing of the product changes a row. It may take away a whole beginning, after it said so in `meta`.
    CREATE TRIGGER audit_event_is_never_changed BEFORE UPDATE ON audit_event
    BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
    CREATE TRIGGER audit_event_is_never_cut BEFORE DELETE ON audit_event
        WHEN OLD.sequence > coalesce((SELECT cast(value AS INTEGER) FROM meta WHERE key = 'audit_cut_to'), 0)
    BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;

    -- The root over each 1,024 rows; it stays when the rows are taken away in time.
    CREATE TABLE audit_tile (
        number INTEGER PRIMARY KEY,
        root BLOB NOT NULL
    ) STRICT;

    -- What was signed: so many rows had this root. `note` is the signed text (C2SP signed note).
    CREATE TABLE audit_checkpoint (
        size INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        note TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_event_object ON audit_event(object_kind, object_id, sequence);

    -- Made at random and sealed: it outlives every change of the master key, so old signatures stay good.
    CREATE TABLE audit_key (
        id TEXT PRIMARY KEY,
        public_key BLOB NOT NULL,
        seed_sealed BLOB NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;

    -- A second place for the newest checkpoint of each workspace's trail: a workspace's file that is put back to an
    -- older state shows.
    CREATE TABLE audit_anchor (
        workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
        size INTEGER NOT NULL,
        at INTEGER NOT NULL,
        note TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """)
