"""How often each body came: a repeat is known by its hash and counted, so that what came in can be accounted for."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    ALTER TABLE webhook_body ADD COLUMN copies INTEGER NOT NULL DEFAULT 1;
    """)
