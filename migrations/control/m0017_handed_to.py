"""Which server a workspace was handed over to."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- The code of the one server that may go live with it; empty when it came from a file.
    ALTER TABLE workspace_move ADD COLUMN handed_to TEXT NOT NULL DEFAULT '';
    """)
