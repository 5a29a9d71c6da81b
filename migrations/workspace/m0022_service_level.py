"""Working hours, service-level targets, and how content customers were."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `week_json`: for each day from Monday a list of [start, end] in minutes of its own midnight, the end beyond 1440
    -- when it is after the next. `holidays_json`: what dates have instead of their weekday.
    CREATE TABLE calendar (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        week_json TEXT NOT NULL,
        holidays_json TEXT NOT NULL DEFAULT '[]',
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT;

    -- Which hours and targets hold where; what is null is as in the workspace's own row, 0 minutes is no target.
    CREATE TABLE service_rule (
        scope TEXT NOT NULL CHECK (scope IN ('workspace', 'channel', 'team')),
        scope_id TEXT NOT NULL,
        calendar_id TEXT REFERENCES calendar(id),
        first_minutes INTEGER,
        next_minutes INTEGER,
        resolution_minutes INTEGER,
        on_miss TEXT CHECK (on_miss IN ('keep', 'unassign', 'team')),
        miss_team_id TEXT,
        PRIMARY KEY (scope, scope_id)
    ) STRICT, WITHOUT ROWID;

    -- A clock that runs (`running_since`, with the moments at which it is soon and due) or is paused; `used` are the
    -- working milliseconds before this stretch. `is_stale`: its moments go by hours or targets that were changed.
    CREATE TABLE service_clock (
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        kind TEXT NOT NULL CHECK (kind IN ('first', 'next', 'resolution')),
        minutes INTEGER NOT NULL,
        began_at INTEGER NOT NULL,
        running_since INTEGER,
        used INTEGER NOT NULL DEFAULT 0,
        soon_at INTEGER,
        due_at INTEGER,
        missed_at INTEGER,
        is_stale INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (conversation_id, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX service_clock_due ON service_clock(due_at) WHERE due_at IS NOT NULL AND missed_at IS NULL;
    CREATE INDEX service_clock_stale ON service_clock(conversation_id) WHERE is_stale;

    -- One row for each clock that came to its end. `took` are working milliseconds.
    CREATE TABLE response_time (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        conversation_id TEXT,
        channel_id TEXT NOT NULL,
        team_id TEXT,
        agent_id TEXT,
        began_at INTEGER NOT NULL,
        ended_at INTEGER NOT NULL,
        took INTEGER NOT NULL,
        minutes INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX response_time_ended ON response_time(ended_at);
    CREATE INDEX response_time_conversation ON response_time(conversation_id) WHERE conversation_id IS NOT NULL;

    -- `due_at`: the earliest of the clocks that run, `due_kind` which, `due_soon_at` from when on it is urgent.
    -- `answered_at`: when somebody of ours first answered since the conversation was opened or reopened.
    ALTER TABLE conversation ADD COLUMN answered_at INTEGER;
    ALTER TABLE conversation ADD COLUMN due_at INTEGER;
    ALTER TABLE conversation ADD COLUMN due_soon_at INTEGER;
    ALTER TABLE conversation ADD COLUMN due_kind TEXT;
    CREATE INDEX conversation_due ON conversation(due_at, id) WHERE state = 'open' AND due_at IS NOT NULL;
    CREATE INDEX conversation_closed ON conversation(closed_at) WHERE state = 'closed';

    CREATE TABLE satisfaction_setting (
        channel_id TEXT PRIMARY KEY REFERENCES channel(id),
        is_on INTEGER NOT NULL DEFAULT 0,
        question TEXT NOT NULL,
        thanks TEXT NOT NULL DEFAULT '',
        every_days INTEGER NOT NULL,
        template_name TEXT NOT NULL DEFAULT '',
        template_language TEXT NOT NULL DEFAULT ''
    ) STRICT, WITHOUT ROWID;

    -- One row for each time a conversation was resolved on a number that asks: asked, or why not. `comment_id` is the
    -- message that came after the rating; its words stand there alone.
    CREATE TABLE satisfaction (
        id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL REFERENCES conversation(id),
        channel_id TEXT NOT NULL,
        team_id TEXT,
        agent_id TEXT,
        closed_at INTEGER NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        asked_at INTEGER,
        score INTEGER CHECK (score BETWEEN 1 AND 5),
        answered_at INTEGER,
        comment_id TEXT,
        UNIQUE (conversation_id, closed_at)
    ) STRICT;
    CREATE INDEX satisfaction_answered ON satisfaction(answered_at) WHERE answered_at IS NOT NULL;
    CREATE INDEX satisfaction_asked ON satisfaction(asked_at) WHERE asked_at IS NOT NULL;

    -- Who was in a conversation until now has answered it, as far as anybody can tell.
    UPDATE conversation SET answered_at = last_message_at WHERE state <> 'closed' AND EXISTS (
        SELECT 1 FROM message WHERE message.conversation_id = conversation.id AND message.direction = 'out');
    """)
