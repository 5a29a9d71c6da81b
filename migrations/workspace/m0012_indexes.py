"""What was read from end to end without an index: the message of a file, and those of the open conversations that have
something unread (see tests/http/test_query_plans.py)."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE INDEX message_media ON message(media_id) WHERE media_id IS NOT NULL;
    CREATE INDEX conversation_unread ON conversation(id) WHERE state = 'open' AND unread_count > 0;
    """)
