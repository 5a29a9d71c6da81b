"""Fields of contacts and conversations; pinned messages; blocked people; the files of a conversation by time."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- What a workspace writes down about its contacts and conversations. The values are in `fields_json` of those,
    -- under `key`, which never changes. `kind` says what a value may be; `options_json` are the choices of a list.
    CREATE TABLE custom_field (
        id TEXT PRIMARY KEY,
        subject TEXT NOT NULL CHECK (subject IN ('contact', 'conversation')),
        key TEXT NOT NULL,
        label TEXT NOT NULL,
        hint TEXT NOT NULL DEFAULT '',
        kind TEXT NOT NULL,
        options_json TEXT NOT NULL DEFAULT '[]',
        is_required INTEGER NOT NULL DEFAULT 0,
        is_on INTEGER NOT NULL DEFAULT 1,
        position INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        UNIQUE (subject, key)
    ) STRICT;
    ALTER TABLE conversation ADD COLUMN fields_json TEXT NOT NULL DEFAULT '{}';

    CREATE TABLE message_pin (
        message_id TEXT PRIMARY KEY REFERENCES message(id) ON DELETE CASCADE,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        by_name TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX message_pin_conversation ON message_pin(conversation_id, at);

    -- Somebody the team does not want to hear from. `contact_block` is what Meta was told, for each of our numbers.
    ALTER TABLE contact ADD COLUMN blocked_at INTEGER;
    ALTER TABLE contact ADD COLUMN blocked_by TEXT NOT NULL DEFAULT '';
    CREATE TABLE contact_block (
        id TEXT PRIMARY KEY,
        contact_id TEXT NOT NULL REFERENCES contact(id),
        channel_id TEXT NOT NULL REFERENCES channel(id),
        wanted INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
        trouble TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt_at INTEGER NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (contact_id, channel_id)
    ) STRICT;
    CREATE INDEX contact_block_due ON contact_block(next_attempt_at) WHERE state = 'pending';

    CREATE INDEX message_with_file ON message(conversation_id, at DESC, id DESC) WHERE media_id IS NOT NULL;
    """)
