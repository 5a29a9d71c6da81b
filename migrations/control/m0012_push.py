"""Where people are told of things outside the page: push subscriptions and their keys."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- With this the installation proves to a push service that it is the one a browser subscribed to (VAPID).
    CREATE TABLE push_key (
        id TEXT PRIMARY KEY,
        private_sealed BLOB NOT NULL,
        public TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;

    -- A browser of somebody that is to be told. Its address and keys lie sealed: whoever knows them can ring there.
    CREATE TABLE push_subscription (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES user(id),
        session_id TEXT NOT NULL,
        address_hash BLOB NOT NULL UNIQUE,
        address_sealed BLOB NOT NULL,
        service TEXT NOT NULL,
        agent TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        told_at INTEGER
    ) STRICT;
    CREATE INDEX push_subscription_user ON push_subscription(user_id);
    CREATE INDEX push_subscription_session ON push_subscription(session_id);

    -- Whoever belongs nowhere any more has no devices; whoever signs out of one, or is signed out there, leaves it. A
    -- session that time ended leaves it as it is: a phone in a pocket shall ring the next morning.
    CREATE TRIGGER push_ends_with_membership AFTER DELETE ON membership
    WHEN NOT EXISTS (SELECT 1 FROM membership WHERE user_id = OLD.user_id)
    BEGIN
        DELETE FROM push_subscription WHERE user_id = OLD.user_id;
    END;
    CREATE TRIGGER push_ends_with_session AFTER DELETE ON session
    WHEN OLD.expires_at > CAST(unixepoch('subsec') * 1000 AS INTEGER)
    BEGIN
        DELETE FROM push_subscription WHERE session_id = OLD.id;
    END;

    -- What somebody wants to hear of, and how.
    CREATE TABLE notification_choice (
        user_id TEXT PRIMARY KEY REFERENCES user(id),
        choices_json TEXT NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """)
