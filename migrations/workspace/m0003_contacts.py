"""Contacts, the ways WhatsApp names them, their tags and what they agreed to."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE contact (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL DEFAULT '',
        profile_name TEXT NOT NULL DEFAULT '',
        username TEXT NOT NULL DEFAULT '',
        phone TEXT UNIQUE,
        user_id TEXT UNIQUE,
        parent_user_id TEXT,
        fields_json TEXT NOT NULL DEFAULT '{}',
        marketing_consent TEXT NOT NULL DEFAULT 'unknown',
        consent_at INTEGER,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        deleted_at INTEGER
    ) STRICT;
    CREATE INDEX contact_created ON contact(created_at DESC, id DESC) WHERE deleted_at IS NULL;

    -- Every number and business-scoped user id a contact was ever known by: people change numbers, and Meta's
    -- wa_id may differ from what was dialled (Brazil's ninth digit).
    CREATE TABLE contact_identity (
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        contact_id TEXT NOT NULL REFERENCES contact(id),
        created_at INTEGER NOT NULL,
        PRIMARY KEY (kind, value)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX contact_identity_contact ON contact_identity(contact_id);

    CREATE TABLE tag (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL COLLATE NOCASE UNIQUE,
        created_at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE contact_tag (
        contact_id TEXT NOT NULL REFERENCES contact(id),
        tag_id TEXT NOT NULL REFERENCES tag(id),
        created_at INTEGER NOT NULL,
        PRIMARY KEY (contact_id, tag_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX contact_tag_tag ON contact_tag(tag_id, contact_id);

    CREATE TABLE consent_event (
        id TEXT PRIMARY KEY,
        contact_id TEXT NOT NULL REFERENCES contact(id),
        marketing TEXT NOT NULL,
        source TEXT NOT NULL,
        evidence TEXT NOT NULL,
        actor_name TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX consent_event_contact ON consent_event(contact_id, at);
    """)
