"""Conversations, messages, their statuses, reactions and files."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE conversation (
        id TEXT PRIMARY KEY,
        channel_id TEXT NOT NULL REFERENCES channel(id),
        contact_id TEXT NOT NULL REFERENCES contact(id),
        state TEXT NOT NULL DEFAULT 'open',
        assignee_id TEXT,
        unread_count INTEGER NOT NULL DEFAULT 0,
        last_message_id TEXT,
        last_message_at INTEGER NOT NULL,
        window_expires_at INTEGER,
        created_at INTEGER NOT NULL,
        closed_at INTEGER,
        UNIQUE (channel_id, contact_id)
    ) STRICT;
    CREATE INDEX conversation_state ON conversation(state, last_message_at DESC, id DESC);
    CREATE INDEX conversation_assignee ON conversation(assignee_id, state, last_message_at DESC, id DESC);
    CREATE INDEX conversation_contact ON conversation(contact_id);

    CREATE TABLE media (
        id TEXT PRIMARY KEY,
        channel_id TEXT NOT NULL REFERENCES channel(id),
        direction TEXT NOT NULL,
        kind TEXT NOT NULL,
        meta_media_id TEXT,
        mime_type TEXT NOT NULL,
        filename TEXT NOT NULL DEFAULT '',
        sha256 TEXT,
        size INTEGER,
        is_voice INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL,
        trouble TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt_at INTEGER,
        lease_until INTEGER,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX media_due ON media(next_attempt_at) WHERE state = 'pending';

    CREATE TABLE message (
        id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        channel_id TEXT NOT NULL,
        direction TEXT NOT NULL,
        origin TEXT NOT NULL,
        type TEXT NOT NULL,
        status TEXT NOT NULL,
        wamid TEXT,
        client_id TEXT UNIQUE,
        text TEXT NOT NULL DEFAULT '',
        content_json TEXT NOT NULL DEFAULT '{}',
        media_id TEXT REFERENCES media(id),
        quoted_wamid TEXT,
        referral_json TEXT,
        pricing_json TEXT,
        author_id TEXT,
        author_name TEXT NOT NULL DEFAULT '',
        at INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        sent_at INTEGER,
        delivered_at INTEGER,
        read_at INTEGER,
        edited_at INTEGER,
        revoked_at INTEGER,
        error_code INTEGER,
        error_title TEXT,
        error_what_to_do TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt_at INTEGER,
        claimed_at INTEGER
    ) STRICT;
    CREATE INDEX message_conversation ON message(conversation_id, at DESC, id DESC);
    CREATE UNIQUE INDEX message_wamid ON message(channel_id, wamid) WHERE wamid IS NOT NULL;
    CREATE INDEX message_queued ON message(next_attempt_at) WHERE status = 'queued';
    CREATE INDEX message_unsettled ON message(claimed_at) WHERE status IN ('sending', 'unconfirmed');

    -- Every status as it came, also for messages we don't know (yet): it may be here before the answer to our send.
    CREATE TABLE message_status (
        key TEXT PRIMARY KEY,
        channel_id TEXT NOT NULL,
        message_id TEXT,
        wamid TEXT NOT NULL,
        status TEXT NOT NULL,
        at INTEGER NOT NULL,
        details_json TEXT NOT NULL,
        received_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX message_status_wamid ON message_status(wamid);
    CREATE INDEX message_status_message ON message_status(message_id, at);

    CREATE TABLE reaction (
        message_id TEXT NOT NULL REFERENCES message(id),
        side TEXT NOT NULL,
        emoji TEXT NOT NULL,
        author_name TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (message_id, side)
    ) STRICT, WITHOUT ROWID;

    -- An edit, revoke or reaction that came before its message; applied when the message comes.
    CREATE TABLE early_change (
        channel_id TEXT NOT NULL,
        target_wamid TEXT NOT NULL,
        kind TEXT NOT NULL,
        at INTEGER NOT NULL,
        content_json TEXT NOT NULL,
        PRIMARY KEY (channel_id, target_wamid, kind)
    ) STRICT, WITHOUT ROWID;

    -- What happened to a conversation, told as a line between the messages.
    CREATE TABLE conversation_event (
        id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        kind TEXT NOT NULL,
        actor_name TEXT NOT NULL,
        details_json TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX conversation_event_conversation ON conversation_event(conversation_id, at DESC);
    """)
