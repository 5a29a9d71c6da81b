"""Who looks after a contact; when people work, and when they are away and who stands in for them."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- The member who looks after this person; nobody when it is null.
    ALTER TABLE contact ADD COLUMN owner_id TEXT;
    CREATE INDEX contact_owner ON contact(owner_id) WHERE owner_id IS NOT NULL;
    -- Merges that can still be taken back tell of the owner too.
    UPDATE contact_merge_part SET before_json = json_insert(before_json, '$.kept[#]', NULL, '$.gone[#]', NULL),
        after_json = json_insert(after_json, '$.kept[#]', NULL, '$.gone[#]', NULL) WHERE kind = 'contact';
    -- Whether the contact's owner comes before everybody else.
    ALTER TABLE routing_rule ADD COLUMN owner_first INTEGER NOT NULL DEFAULT 0;

    -- A member's own working week, as calendars have it; without a row somebody has no shifts and is never off.
    CREATE TABLE shift (
        user_id TEXT PRIMARY KEY,
        time_zone TEXT NOT NULL,
        week_json TEXT NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Whole days of the member's own calendar, both included; `starts_at` and `ends_at` are the moments they stand for.
    -- `hands_over`: conversations they have go to who stands in, too, once the customer writes.
    CREATE TABLE absence (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        first_day TEXT NOT NULL,
        last_day TEXT NOT NULL,
        starts_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        stand_in_id TEXT,
        hands_over INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX absence_user ON absence(user_id, starts_at);
    CREATE INDEX absence_end ON absence(ends_at);

    -- Of which conversation who stands in was told, so that nobody is told twice of one absence.
    CREATE TABLE absence_offer (
        absence_id TEXT NOT NULL REFERENCES absence(id) ON DELETE CASCADE,
        conversation_id TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        PRIMARY KEY (absence_id, conversation_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX absence_offer_conversation ON absence_offer(conversation_id);
    """)
