"""Queues of the inbox: snoozed conversations, since when a customer waits, what each person pinned; private notes and
who is mentioned in them."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `snoozed_until` with state 'snoozed': none means until the customer writes. `waiting_since` is when the customer
    -- wrote the first message that nobody has answered.
    ALTER TABLE conversation ADD COLUMN snoozed_until INTEGER;
    ALTER TABLE conversation ADD COLUMN waiting_since INTEGER;
    CREATE INDEX conversation_waiting ON conversation(waiting_since, id)
        WHERE state = 'open' AND waiting_since IS NOT NULL;
    CREATE INDEX conversation_snoozed ON conversation(snoozed_until)
        WHERE state = 'snoozed' AND snoozed_until IS NOT NULL;
    DROP INDEX conversation_unread;
    CREATE INDEX conversation_unread ON conversation(last_message_at DESC, id DESC)
        WHERE state = 'open' AND unread_count > 0;

    CREATE TABLE conversation_pin (
        user_id TEXT NOT NULL,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        at INTEGER NOT NULL,
        PRIMARY KEY (user_id, conversation_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX conversation_pin_conversation ON conversation_pin(conversation_id);

    CREATE TABLE note (
        id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        author_id TEXT,
        author_name TEXT NOT NULL,
        text TEXT NOT NULL,
        client_id TEXT UNIQUE,
        at INTEGER NOT NULL,
        edited_at INTEGER,
        deleted_at INTEGER
    ) STRICT;
    CREATE INDEX note_conversation ON note(conversation_id, at);

    -- Of a team everybody who was in it when the note was written.
    CREATE TABLE mention (
        user_id TEXT NOT NULL,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        note_id TEXT NOT NULL REFERENCES note(id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        seen_at INTEGER,
        PRIMARY KEY (user_id, note_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX mention_note ON mention(note_id);
    CREATE INDEX mention_conversation ON mention(conversation_id, user_id);
    CREATE INDEX mention_unseen ON mention(user_id) WHERE seen_at IS NULL;

    -- Whoever wrote last in an open conversation and is the customer, waits; of older ones the first unanswered is
    -- found from the last thing we said.
    UPDATE conversation SET waiting_since = (
        SELECT min(message.at) FROM message WHERE message.conversation_id = conversation.id
            AND message.direction = 'in' AND message.type <> 'reaction' AND message.at > coalesce((
                SELECT max(ours.at) FROM message AS ours WHERE ours.conversation_id = conversation.id
                    AND ours.direction = 'out' AND ours.type <> 'reaction'), 0))
        WHERE state = 'open';
    """)
