"""What the doctor found, and whom it told."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- The newest finding of each check: of the installation (no workspace), of a workspace's number. What it says is a
    -- fixed text with values; none is a customer's word, a phone number or a secret.
    -- `streak` counts the looks in a row that found it out of order; below 0, those that found it in order.
    -- `told` is the state that people heard of last.
    CREATE TABLE doctor_check (
        workspace_id TEXT NOT NULL,
        channel_id TEXT NOT NULL,
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        state TEXT NOT NULL,
        said TEXT NOT NULL,
        advice TEXT NOT NULL,
        place TEXT NOT NULL,
        values_json TEXT NOT NULL,
        at INTEGER NOT NULL,
        since INTEGER NOT NULL,
        streak INTEGER NOT NULL,
        told TEXT NOT NULL,
        silenced_until INTEGER,
        silenced_by TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (workspace_id, channel_id, name)
    ) STRICT, WITHOUT ROWID;

    -- How often a check was found in each state on a day, for the history on the page.
    CREATE TABLE doctor_day (
        workspace_id TEXT NOT NULL,
        channel_id TEXT NOT NULL,
        name TEXT NOT NULL,
        day INTEGER NOT NULL,
        good INTEGER NOT NULL,
        doubtful INTEGER NOT NULL,
        bad INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, channel_id, name, day)
    ) STRICT, WITHOUT ROWID;
    """)
