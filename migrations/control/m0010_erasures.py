"""Who was forgotten, by workspace and as keyed hashes: a workspace's whole folder put back from a backup forgets them
again."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE erased_subject (
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        erasure_id TEXT NOT NULL,
        contact_id TEXT NOT NULL,
        mark BLOB NOT NULL,
        opted_out INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, erasure_id, contact_id, mark)
    ) STRICT, WITHOUT ROWID;
    """)
