"""Saved views, tags of conversations, bulk changes."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `filter` is a query string as the inbox's address has it: it names ids, never a customer.
    CREATE TABLE saved_view (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        filter TEXT NOT NULL,
        scope TEXT NOT NULL CHECK (scope IN ('personal', 'team', 'everyone')),
        owner_id TEXT,
        team_id TEXT,
        position INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        CHECK ((scope = 'personal') = (owner_id IS NOT NULL)),
        CHECK ((scope = 'team') = (team_id IS NOT NULL))
    ) STRICT;

    -- Tags of conversations are others than those of contacts: what a talk is about, not who somebody is.
    CREATE TABLE thread_tag (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE conversation_tag (
        tag_id TEXT NOT NULL REFERENCES thread_tag(id),
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        created_at INTEGER NOT NULL,
        PRIMARY KEY (tag_id, conversation_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX conversation_tag_conversation ON conversation_tag(conversation_id);

    -- One change of many conversations. An item is there from the asking on; with `done_at` it is tried, with
    -- `after_json` it was changed. Both are needed to undo it, and go soon after.
    CREATE TABLE bulk_change (
        id TEXT PRIMARY KEY,
        act TEXT NOT NULL,
        value_json TEXT NOT NULL,
        person_id TEXT,
        key_id TEXT,
        person_name TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'done', 'undone')),
        total INTEGER NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        changed INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL,
        ended_at INTEGER
    ) STRICT;
    CREATE INDEX bulk_change_running ON bulk_change(created_at) WHERE state = 'running';
    CREATE INDEX bulk_change_ended ON bulk_change(ended_at) WHERE ended_at IS NOT NULL;
    CREATE TABLE bulk_item (
        bulk_id TEXT NOT NULL REFERENCES bulk_change(id) ON DELETE CASCADE,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        before_json TEXT,
        after_json TEXT,
        done_at INTEGER,
        PRIMARY KEY (bulk_id, conversation_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX bulk_item_conversation ON bulk_item(conversation_id);
    CREATE INDEX bulk_item_waiting ON bulk_item(bulk_id) WHERE done_at IS NULL;

    -- Which conversations have a picture, a voice note, a document in them.
    CREATE INDEX message_file ON message(conversation_id, type) WHERE media_id IS NOT NULL;
    """)
