"""Support access: what an operator asked for, who granted it, when it begins and ends; what the self-checks found."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `modules` with commas. While `requested` the bounds are what was asked for; whoever grants it may only tighten
    -- them. An emergency is decided by a second operator, and then reads only, sees no numbers and lasts an hour.
    CREATE TABLE support_grant (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        operator_id TEXT NOT NULL REFERENCES user(id),
        reason TEXT NOT NULL,
        ticket TEXT NOT NULL DEFAULT '',
        modules TEXT NOT NULL,
        writes INTEGER NOT NULL DEFAULT 0,
        masked INTEGER NOT NULL DEFAULT 1,
        minutes INTEGER NOT NULL CHECK (minutes BETWEEN 1 AND 240),
        is_emergency INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL DEFAULT 'requested'
            CHECK (state IN ('requested', 'refused', 'withdrawn', 'lapsed', 'active', 'ended')),
        requested_at INTEGER NOT NULL,
        decided_by TEXT REFERENCES user(id),
        decided_at INTEGER,
        ends_at INTEGER,
        ended_at INTEGER,
        ended_by TEXT REFERENCES user(id),
        end_reason TEXT NOT NULL DEFAULT '',
        -- Whether the workspace's own trail has the row of its end.
        is_end_told INTEGER NOT NULL DEFAULT 0,
        CHECK (decided_by IS NULL OR decided_by <> operator_id OR state = 'withdrawn'),
        CHECK (state <> 'active' OR (decided_by IS NOT NULL AND ends_at - decided_at BETWEEN 1 AND minutes * 60000)),
        CHECK (is_emergency = 0 OR (writes = 0 AND masked = 1 AND minutes <= 60))
    ) STRICT;
    CREATE INDEX support_grant_workspace ON support_grant(workspace_id, requested_at);
    CREATE INDEX support_grant_operator ON support_grant(operator_id, workspace_id, requested_at);
    CREATE INDEX support_grant_active ON support_grant(workspace_id) WHERE state = 'active';
    CREATE INDEX support_grant_untold ON support_grant(workspace_id) WHERE state = 'ended' AND is_end_told = 0;

    -- What lets somebody in, but for the time, which the reader compares with `ends_at`. Everything it stands on is
    -- asked for anew each time: the operator, who granted it, the workspace, its policy.
    CREATE VIEW support_open AS
        SELECT support_grant.*, operator.name AS operator_name, workspace.slug AS slug
        FROM support_grant
        JOIN workspace ON workspace.id = support_grant.workspace_id AND workspace.state = 'active'
        JOIN user AS operator ON operator.id = support_grant.operator_id AND operator.is_operator
            AND operator.disabled_at IS NULL
        JOIN user AS decider ON decider.id = support_grant.decided_by AND decider.disabled_at IS NULL
        LEFT JOIN workspace_policy ON workspace_policy.workspace_id = support_grant.workspace_id
        WHERE support_grant.state = 'active'
        AND coalesce(json_extract(workspace_policy.policy_json, '$.support_allowed'), 1)
        AND CASE WHEN support_grant.is_emergency THEN decider.is_operator ELSE EXISTS (
            SELECT 1 FROM membership WHERE membership.workspace_id = support_grant.workspace_id
            AND membership.user_id = decider.id AND membership.role = 'owner' AND membership.state = 'active') END;

    -- Switched off is over at once, and does not come back when it is allowed again.
    CREATE TRIGGER support_ends_with_the_policy AFTER UPDATE OF policy_json ON workspace_policy
        WHEN json_extract(NEW.policy_json, '$.support_allowed') = 0
    BEGIN
        UPDATE support_grant SET state = iif(state = 'active', 'ended', 'lapsed'), end_reason = 'policy'
        WHERE workspace_id = NEW.workspace_id AND state IN ('requested', 'active');
    END;
    CREATE TRIGGER support_ends_with_a_first_policy AFTER INSERT ON workspace_policy
        WHEN json_extract(NEW.policy_json, '$.support_allowed') = 0
    BEGIN
        UPDATE support_grant SET state = iif(state = 'active', 'ended', 'lapsed'), end_reason = 'policy'
        WHERE workspace_id = NEW.workspace_id AND state IN ('requested', 'active');
    END;

    -- The newest run of each self-check. `state`: holds, broken, or skipped where there is nothing to look at.
    CREATE TABLE trust_finding (
        name TEXT PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('holds', 'broken', 'skipped')),
        detail TEXT NOT NULL,
        at INTEGER NOT NULL,
        since INTEGER NOT NULL,
        milliseconds INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """)
