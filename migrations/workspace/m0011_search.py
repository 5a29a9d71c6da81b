"""Full-text search over messages and contacts.

A message gets a number of its own that no VACUUM changes, which costs nothing (SQLite has one inside anyway); the index
names messages by it. What comes in is indexed later, in batches: everything above `indexed_upto` waits. What is
changed, taken back or deleted leaves the index in the very transaction, and `secure-delete` takes its words out of the
file.
"""

from sqlite_utils import Database


def apply(db: Database) -> None:
    _number_messages(db)
    db.executescript("""
    CREATE TABLE search_progress (
        indexed_upto INTEGER NOT NULL
    ) STRICT;
    INSERT INTO search_progress VALUES (0);

    -- What can be found of a message: its words and the name of its file.
    CREATE VIEW message_text AS
        SELECT message.sequence, message.text,
            CASE WHEN message.revoked_at IS NULL THEN coalesce(media.filename, '') ELSE '' END AS filename
        FROM message LEFT JOIN media ON media.id = message.media_id;

    -- Vowel signs belong to their words (or Hindi and Thai fall to pieces); the marks that colour an emoji don't.
    CREATE VIRTUAL TABLE message_words USING fts5(text, filename, content='message_text', content_rowid='sequence',
        columnsize=0, prefix='2 3',
        tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc' separators '\ufe0e\ufe0f'");
    INSERT INTO message_words (message_words, rank) VALUES ('secure-delete', 1);

    CREATE TRIGGER message_changed AFTER UPDATE OF text, media_id, revoked_at ON message
    WHEN old.sequence <= (SELECT indexed_upto FROM search_progress) AND (old.text <> new.text
        OR old.media_id IS NOT new.media_id OR (old.revoked_at IS NULL) <> (new.revoked_at IS NULL))
    BEGIN
        INSERT INTO message_words (message_words, rowid, text, filename) VALUES ('delete', old.sequence, old.text,
            CASE WHEN old.revoked_at IS NULL
                THEN coalesce((SELECT filename FROM media WHERE id = old.media_id), '') ELSE '' END);
        INSERT INTO message_words (rowid, text, filename)
            SELECT sequence, text, filename FROM message_text WHERE sequence = new.sequence;
    END;

    -- The number of the newest message is given again when that one is deleted.
    CREATE TRIGGER message_deleted AFTER DELETE ON message
    WHEN old.sequence <= (SELECT indexed_upto FROM search_progress)
    BEGIN
        INSERT INTO message_words (message_words, rowid, text, filename) VALUES ('delete', old.sequence, old.text,
            CASE WHEN old.revoked_at IS NULL
                THEN coalesce((SELECT filename FROM media WHERE id = old.media_id), '') ELSE '' END);
        UPDATE search_progress SET indexed_upto = old.sequence - 1
            WHERE old.sequence > (SELECT coalesce(max(sequence), 0) FROM message);
    END;

    -- Contacts as they stand in the index: names and number, a line each.
    CREATE TABLE indexed_contact (
        number INTEGER PRIMARY KEY,
        contact_id TEXT NOT NULL UNIQUE,
        words TEXT NOT NULL
    ) STRICT;
    CREATE TABLE unindexed_contact (
        contact_id TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID;
    INSERT INTO unindexed_contact SELECT id FROM contact;

    -- Three letters at a time: the middle of a number and a part of a name are found too.
    CREATE VIRTUAL TABLE contact_words USING fts5(words, content='indexed_contact', content_rowid='number',
        columnsize=0, tokenize="trigram remove_diacritics 1");
    INSERT INTO contact_words (contact_words, rank) VALUES ('secure-delete', 1);

    CREATE TRIGGER contact_added AFTER INSERT ON contact BEGIN
        INSERT OR IGNORE INTO unindexed_contact VALUES (new.id);
    END;
    CREATE TRIGGER contact_changed AFTER UPDATE OF name, profile_name, username, phone, deleted_at ON contact
    WHEN (old.name, old.profile_name, old.username) <> (new.name, new.profile_name, new.username)
        OR old.phone IS NOT new.phone OR old.deleted_at IS NOT new.deleted_at
    BEGIN
        INSERT OR IGNORE INTO unindexed_contact VALUES (new.id);
    END;
    CREATE TRIGGER contact_deleted AFTER DELETE ON contact BEGIN
        INSERT OR IGNORE INTO unindexed_contact VALUES (old.id);
    END;
    """)


def _number_messages(db: Database) -> None:
    """The table anew, with whatever columns and indexes it has; the oldest message is number 1."""
    table = db.execute("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'message'").fetchone()[0]
    reaction = db.execute("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'reaction'").fetchone()[0]
    indexes = [row[0] for row in db.execute("SELECT sql FROM sqlite_schema WHERE type = 'index' "
                                            "AND tbl_name = 'message' AND sql IS NOT NULL").fetchall()]
    columns = ", ".join(row[1] for row in db.execute("PRAGMA table_info(message)").fetchall())
    key = "id TEXT PRIMARY KEY"
    if table.count(key) != 1:
        raise ValueError("the table of messages is not the one this step knows")
    numbered = table.replace(key, "sequence INTEGER PRIMARY KEY,\n        id TEXT NOT NULL UNIQUE")
    db.executescript(f"""
    CREATE TEMP TABLE kept_reaction AS SELECT * FROM reaction;
    DROP TABLE reaction;
    ALTER TABLE message RENAME TO old_message;
    {numbered};
    INSERT INTO message ({columns}) SELECT {columns} FROM old_message ORDER BY created_at, id;
    DROP TABLE old_message;
    {";".join(indexes)};
    {reaction};
    INSERT INTO reaction SELECT * FROM kept_reaction;
    DROP TABLE kept_reaction;
    """)
