"""Workspaces on their way to or from another server."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `out`: handed over, so webhooks for it are refused until Meta knows the other server. `in`: came from a file and
    -- waits to go live; `is_final` when nothing happened to it on the other server since the file was made.
    CREATE TABLE workspace_move (
        workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
        direction TEXT NOT NULL CHECK (direction IN ('out', 'in')),
        at INTEGER NOT NULL,
        is_final INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    """)
