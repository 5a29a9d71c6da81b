"""What is to happen at a moment: messages for later and reminders; and how long each person can undo a send."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- A message that leaves at `send_at`. `held`: the customer wrote first, so a person is asked; `failed`: the rules
    -- forbade it then. One that is cancelled can be had back for a while; one that was sent is a message, and no row
    -- here. `asked_at` is when a person last said that it shall go: what the customer wrote later makes it ask again.
    CREATE TABLE scheduled_message (
        id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'held', 'failed', 'cancelled')),
        send_at INTEGER NOT NULL,
        sends_anyway INTEGER NOT NULL DEFAULT 0,
        type TEXT NOT NULL,
        text TEXT NOT NULL,
        content_json TEXT NOT NULL,
        media_id TEXT REFERENCES media(id),
        reply_to TEXT,
        origin TEXT NOT NULL,
        author_kind TEXT NOT NULL,
        author_id TEXT,
        author_name TEXT NOT NULL,
        client_id TEXT UNIQUE,
        trouble TEXT NOT NULL DEFAULT '',
        created_at INTEGER NOT NULL,
        asked_at INTEGER NOT NULL,
        cancelled_at INTEGER
    ) STRICT;
    CREATE INDEX scheduled_message_conversation ON scheduled_message(conversation_id, send_at, id);
    CREATE INDEX scheduled_message_due ON scheduled_message(send_at) WHERE state = 'waiting';
    CREATE INDEX scheduled_message_cancelled ON scheduled_message(cancelled_at) WHERE state = 'cancelled';
    CREATE INDEX scheduled_message_media ON scheduled_message(media_id) WHERE media_id IS NOT NULL;

    CREATE TABLE reminder (
        id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        user_id TEXT NOT NULL,
        user_name TEXT NOT NULL,
        text TEXT NOT NULL,
        due_at INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX reminder_due ON reminder(due_at);
    CREATE INDEX reminder_conversation ON reminder(conversation_id, user_id, due_at);
    CREATE INDEX reminder_user ON reminder(user_id, id);

    -- What a note that nobody typed is about: a reminder whose time came, a scheduled message that asks or failed.
    ALTER TABLE note ADD COLUMN about TEXT NOT NULL DEFAULT '';

    CREATE TABLE undo_choice (
        user_id TEXT PRIMARY KEY,
        seconds INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """)
