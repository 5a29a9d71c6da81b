"""Indexes for the sender: what is due on a number, and what in a conversation must leave before it."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    DROP INDEX message_queued;
    CREATE INDEX message_queued ON message(channel_id, next_attempt_at, id) WHERE status = 'queued';
    CREATE INDEX message_unsent ON message(conversation_id, at) WHERE status IN ('queued', 'sending');
    """)
