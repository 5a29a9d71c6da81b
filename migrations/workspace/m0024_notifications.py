"""What each person is told of."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- Ids and a kind; what it says is made when it is read, by what its reader may see then. `title` is the name of a
    -- thing of ours that is no conversation, never a customer's words. Of one kind about one thing there is one unread
    -- row for a person, and `count` says how often it happened. `told_at`: the devices were seen to; `mailed_at`: a
    -- mail told of it, or need not.
    CREATE TABLE notification (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        conversation_id TEXT REFERENCES conversation(id) ON DELETE CASCADE,
        title TEXT NOT NULL DEFAULT '',
        path TEXT NOT NULL DEFAULT '',
        by_name TEXT NOT NULL DEFAULT '',
        count INTEGER NOT NULL DEFAULT 1,
        at INTEGER NOT NULL,
        read_at INTEGER,
        told_at INTEGER,
        mailed_at INTEGER
    ) STRICT;
    CREATE UNIQUE INDEX notification_once ON notification(user_id, kind, coalesce(conversation_id, ''), title)
        WHERE read_at IS NULL;
    CREATE INDEX notification_user ON notification(user_id, at DESC, id DESC);
    CREATE INDEX notification_unread ON notification(user_id, at DESC, id DESC) WHERE read_at IS NULL;
    CREATE INDEX notification_conversation ON notification(conversation_id, user_id);
    CREATE INDEX notification_untold ON notification(at) WHERE told_at IS NULL;
    CREATE INDEX notification_unmailed ON notification(at) WHERE read_at IS NULL AND mailed_at IS NULL;
    CREATE INDEX notification_at ON notification(at);

    -- A customer wrote: who is to hear of it is worked out after the message is safe.
    CREATE TABLE notification_event (
        conversation_id TEXT PRIMARY KEY REFERENCES conversation(id) ON DELETE CASCADE,
        count INTEGER NOT NULL,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX notification_event_at ON notification_event(at);

    -- One notification on its way to one device.
    CREATE TABLE notification_push (
        id TEXT PRIMARY KEY,
        notification_id TEXT NOT NULL REFERENCES notification(id) ON DELETE CASCADE,
        subscription_id TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt_at INTEGER NOT NULL,
        UNIQUE (notification_id, subscription_id)
    ) STRICT;
    CREATE INDEX notification_push_due ON notification_push(next_attempt_at);

    -- When somebody was last sent a mail of what they have not read.
    CREATE TABLE notification_digest (
        user_id TEXT PRIMARY KEY,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """)
