"""The send journal keeps Meta's id of what was accepted: a crash before our own commit leaves no doubt then."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    ALTER TABLE send_event ADD COLUMN wamid TEXT;
    """)
