"""Who gets which conversation: availability, rules, capacity."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- Who gave the conversation back last: it is not given to them again by itself.
    ALTER TABLE conversation ADD COLUMN released_by TEXT;
    -- What waits for somebody, by the place whose rule it follows: its team, else its number.
    CREATE INDEX conversation_queue ON conversation(coalesce(team_id, channel_id),
        coalesce(waiting_since, last_message_at), id) WHERE state = 'open' AND assignee_id IS NULL;

    -- What a workspace decided about its inbox; what is not here is as it is by default.
    CREATE TABLE inbox_setting (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Chosen by the person; `capacity` is how many open conversations they have at most, none for the workspace's.
    CREATE TABLE availability (
        user_id TEXT PRIMARY KEY,
        status TEXT NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'busy', 'away')),
        status_at INTEGER NOT NULL,
        capacity INTEGER
    ) STRICT, WITHOUT ROWID;

    -- When a page of theirs was last open, to half a minute.
    CREATE TABLE presence (
        user_id TEXT PRIMARY KEY,
        seen_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- `place_id` is a number or a team; no members means everybody who has access to it.
    CREATE TABLE routing_rule (
        place_id TEXT PRIMARY KEY,
        method TEXT NOT NULL CHECK (method IN ('off', 'round_robin', 'least_busy')),
        previous_days INTEGER NOT NULL,
        members_json TEXT NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- In which order people were last given something by a rule.
    CREATE TABLE routing_turn (
        place_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        turn INTEGER NOT NULL,
        PRIMARY KEY (place_id, user_id)
    ) STRICT, WITHOUT ROWID;

    -- One row. A capacity or a number of minutes of 0 means none.
    CREATE TABLE routing_settings (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        capacity INTEGER NOT NULL,
        away_minutes INTEGER NOT NULL
    ) STRICT;
    """)
