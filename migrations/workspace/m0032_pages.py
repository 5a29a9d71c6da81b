"""How many pages a document has, the end of files that were never sent, and views that go along when tags merge."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- Of PDFs only. 0: they were looked for, and cannot be told.
    ALTER TABLE media ADD COLUMN pages INTEGER;
    CREATE INDEX media_uncounted ON media(id) WHERE pages IS NULL AND state = 'ready' AND mime_type = 'application/pdf';

    -- Files of messages that were taken back or discarded, until they are removed.
    CREATE INDEX media_unsent ON media(next_attempt_at) WHERE trouble = 'unsent';
    -- Saved views that asked for a tag which was merged into another, as they were and as they became.
    CREATE TABLE tag_change_view (
        change_id TEXT NOT NULL REFERENCES tag_change(id) ON DELETE CASCADE,
        view_id TEXT NOT NULL,
        was TEXT NOT NULL,
        became TEXT NOT NULL,
        PRIMARY KEY (change_id, view_id)
    ) STRICT, WITHOUT ROWID;
    """)
