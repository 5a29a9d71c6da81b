"""Searching with filters, and finding contacts by what is written down about them.

`message_day` tells for each day (UTC) between which numbers its messages lie, so that a search within days need not
read the years around them; the job that indexes messages keeps it. The indexes hold what is rare: most messages are
texts of customers. Values of fields follow their contact in the very transaction, by triggers.
"""

from sqlite_utils import Database

_VALUES = """INSERT INTO contact_field_value (contact_id, key, value)
        SELECT {of}.id, field.key, substr(one.value, 1, 1000)
        FROM {of_table}json_each({of}.fields_json) AS field,
            json_each(CASE field.type WHEN 'array' THEN field.value ELSE json_array(field.value) END) AS one
        WHERE field.type IN ('text', 'integer', 'real', 'array') AND one.type IN ('text', 'integer', 'real');"""


def apply(db: Database) -> None:
    of_new = _VALUES.format(of="new", of_table="")
    db.executescript(f"""
    CREATE TABLE message_day (
        day INTEGER PRIMARY KEY,
        first_sequence INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL
    ) STRICT;
    INSERT INTO message_day SELECT at / 86400000, min(sequence), max(sequence) FROM message
        WHERE sequence <= (SELECT indexed_upto FROM search_progress) GROUP BY at / 86400000;

    CREATE INDEX message_kind ON message(type) WHERE type <> 'text' AND type <> 'reaction';
    CREATE INDEX message_author ON message(author_id) WHERE author_id IS NOT NULL;
    CREATE INDEX message_by_machine ON message(origin) WHERE origin <> 'customer' AND origin <> 'agent';

    -- What is written down about contacts, a row for each value; of a list, for each of its choices.
    CREATE TABLE contact_field_value (
        number INTEGER PRIMARY KEY,
        contact_id TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL
    ) STRICT;
    CREATE INDEX contact_field_value_contact ON contact_field_value(contact_id);

    -- Words are cut as those of messages are, see m0011_search.
    CREATE VIRTUAL TABLE field_words USING fts5(value, content='contact_field_value', content_rowid='number',
        columnsize=0, prefix='2 3',
        tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc' separators '\ufe0e\ufe0f'");
    INSERT INTO field_words (field_words, rank) VALUES ('secure-delete', 1);

    CREATE TRIGGER contact_field_value_added AFTER INSERT ON contact_field_value BEGIN
        INSERT INTO field_words (rowid, value) VALUES (new.number, new.value);
    END;
    CREATE TRIGGER contact_field_value_removed AFTER DELETE ON contact_field_value BEGIN
        INSERT INTO field_words (field_words, rowid, value) VALUES ('delete', old.number, old.value);
    END;
    CREATE TRIGGER contact_fields_added AFTER INSERT ON contact WHEN new.fields_json <> '{{}}' BEGIN
        {of_new}
    END;
    CREATE TRIGGER contact_fields_changed AFTER UPDATE OF fields_json ON contact
    WHEN old.fields_json <> new.fields_json BEGIN
        DELETE FROM contact_field_value WHERE contact_id = new.id;
        {of_new}
    END;
    CREATE TRIGGER contact_fields_removed AFTER DELETE ON contact WHEN old.fields_json <> '{{}}' BEGIN
        DELETE FROM contact_field_value WHERE contact_id = old.id;
    END;
    {_VALUES.format(of="contact", of_table="contact, ")}
    """)
