"""Messages that wait for a person's word after a restore."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- A queued message that does not leave by itself: nobody knows whether it did after the moment that was restored.
    -- `why`: it was waiting or being sent at that moment, or Chime wrote it again while it caught up.
    CREATE TABLE held_message (
        message_id TEXT PRIMARY KEY REFERENCES message(id) ON DELETE CASCADE,
        restore_id TEXT NOT NULL,
        why TEXT NOT NULL CHECK (why IN ('waited', 'written_again')),
        held_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX held_message_moment ON held_message(held_at, message_id);
    """)
