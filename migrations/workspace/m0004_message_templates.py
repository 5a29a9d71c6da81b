"""Message templates as Meta holds them, copied here to be chosen and checked before a send."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE message_template (
        id TEXT PRIMARY KEY,
        meta_template_id TEXT NOT NULL,
        waba_id TEXT NOT NULL,
        name TEXT NOT NULL,
        language TEXT NOT NULL,
        category TEXT NOT NULL,
        status TEXT NOT NULL,
        quality TEXT NOT NULL DEFAULT 'UNKNOWN',
        parameter_format TEXT NOT NULL DEFAULT 'POSITIONAL',
        components_json TEXT NOT NULL,
        synced_at INTEGER NOT NULL,
        UNIQUE (waba_id, name, language)
    ) STRICT;
    CREATE INDEX message_template_meta ON message_template(meta_template_id);
    """)
