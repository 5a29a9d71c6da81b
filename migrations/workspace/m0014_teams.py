"""Which team a conversation belongs to, none being everybody's; and who had a masked number shown."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    ALTER TABLE conversation ADD COLUMN team_id TEXT;
    CREATE INDEX conversation_team ON conversation(team_id, state, last_message_at DESC, id DESC)
        WHERE team_id IS NOT NULL;

    CREATE TABLE number_shown (
        id TEXT PRIMARY KEY,
        contact_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX number_shown_user ON number_shown(user_id, at);
    """)
