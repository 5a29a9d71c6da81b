"""Why a conversation was resolved, and what becomes of one whose customer writes again."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- The reasons from which people choose. A removed one stays with the conversations that were resolved by it.
    CREATE TABLE resolve_reason (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL COLLATE NOCASE,
        is_on INTEGER NOT NULL DEFAULT 1,
        position INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        removed_at INTEGER
    ) STRICT;
    CREATE UNIQUE INDEX resolve_reason_name ON resolve_reason(name) WHERE removed_at IS NULL;
    CREATE INDEX resolve_reason_position ON resolve_reason(position, id) WHERE removed_at IS NULL;
    CREATE TABLE resolve_policy (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        asks TEXT NOT NULL CHECK (asks IN ('off', 'optional', 'required'))
    ) STRICT;
    ALTER TABLE conversation ADD COLUMN reason_id TEXT REFERENCES resolve_reason(id);
    CREATE INDEX conversation_reason ON conversation(reason_id, state, last_message_at DESC, id DESC)
        WHERE reason_id IS NOT NULL;

    -- Of a number, when a customer writes after their conversation was resolved. Without a row: kept by who had it.
    CREATE TABLE reopen_policy (
        channel_id TEXT PRIMARY KEY REFERENCES channel(id),
        assignee TEXT NOT NULL CHECK (assignee IN ('keep', 'free_when_away', 'free')),
        new_after_days INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- A conversation that became part of another: where its old address leads.
    CREATE TABLE conversation_alias (
        id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX conversation_alias_conversation ON conversation_alias(conversation_id);

    -- Two contacts that somebody made one, and what it takes to part them again: what only moved, by its id, and what
    -- was changed, as it was and as it was left.
    CREATE TABLE contact_merge (
        id TEXT PRIMARY KEY,
        kept_id TEXT NOT NULL,
        gone_id TEXT NOT NULL,
        gone_title TEXT NOT NULL,
        by_name TEXT NOT NULL,
        at INTEGER NOT NULL,
        undone_at INTEGER
    ) STRICT;
    CREATE INDEX contact_merge_kept ON contact_merge(kept_id, at, id);
    CREATE INDEX contact_merge_gone ON contact_merge(gone_id);
    CREATE INDEX contact_merge_at ON contact_merge(at);
    CREATE TABLE contact_merge_item (
        merge_id TEXT NOT NULL REFERENCES contact_merge(id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        row_id TEXT NOT NULL,
        from_id TEXT NOT NULL,
        PRIMARY KEY (merge_id, kind, row_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE contact_merge_part (
        merge_id TEXT NOT NULL REFERENCES contact_merge(id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        kept_id TEXT NOT NULL,
        gone_id TEXT NOT NULL,
        before_json TEXT NOT NULL,
        after_json TEXT NOT NULL,
        PRIMARY KEY (merge_id, kind, gone_id)
    ) STRICT, WITHOUT ROWID;

    -- A tag of contacts or conversations that was deleted or merged into another, and on what it was.
    CREATE TABLE tag_change (
        id TEXT PRIMARY KEY,
        subject TEXT NOT NULL CHECK (subject IN ('contact', 'conversation')),
        tag_id TEXT NOT NULL,
        name TEXT NOT NULL,
        into_id TEXT,
        by_name TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX tag_change_at ON tag_change(at, id);
    CREATE TABLE tag_change_item (
        change_id TEXT NOT NULL REFERENCES tag_change(id) ON DELETE CASCADE,
        carrier_id TEXT NOT NULL,
        carried_at INTEGER NOT NULL,
        had_both INTEGER NOT NULL,
        PRIMARY KEY (change_id, carrier_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tag_change_item_carrier ON tag_change_item(carrier_id);
    """)
