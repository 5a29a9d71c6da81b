"""Messages in doubt: which they are, the oldest first and by conversation, and how a person settled one.

Reactions are left out: sent twice they are the same, so nobody is asked about them. Both indexes hold only what is in
doubt now, and cost a send that goes well nothing but the look at its status.
"""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    ALTER TABLE message ADD COLUMN settled_as TEXT;
    ALTER TABLE message ADD COLUMN settled_by TEXT;
    ALTER TABLE message ADD COLUMN settled_at INTEGER;
    CREATE INDEX message_in_doubt ON message(claimed_at, id) WHERE status = 'unconfirmed' AND type <> 'reaction';
    CREATE INDEX message_in_doubt_of ON message(conversation_id, claimed_at, id)
        WHERE status = 'unconfirmed' AND type <> 'reaction';
    """)
