CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    secret_hash BLOB NOT NULL UNIQUE,
    last_four TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    used_at INTEGER
, made_by TEXT REFERENCES user(id), public_id TEXT, addresses_json TEXT, limits_json TEXT) STRICT;

CREATE UNIQUE INDEX api_key_public_id ON api_key(public_id);

CREATE INDEX api_key_workspace ON api_key(workspace_id, created_at);

CREATE TABLE audit_anchor (
    workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_checkpoint (
    size INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_event_is_never_changed BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;

CREATE TRIGGER audit_event_is_never_cut BEFORE DELETE ON audit_event
    WHEN OLD.sequence > coalesce((SELECT cast(value AS INTEGER) FROM meta WHERE key = 'audit_cut_to'), 0)
BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;

CREATE TABLE audit_event (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    details_json TEXT NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL
, form INTEGER NOT NULL DEFAULT 1, on_behalf TEXT NOT NULL DEFAULT '', session_id TEXT NOT NULL DEFAULT '', address TEXT NOT NULL DEFAULT '', agent_hash TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT 'done' CHECK (result IN ('done', 'denied'))) STRICT;

CREATE INDEX audit_event_action ON audit_event(action, sequence);

CREATE INDEX audit_event_actor ON audit_event(actor_id, sequence);

CREATE INDEX audit_event_denied ON audit_event(sequence) WHERE result = 'denied';

CREATE INDEX audit_event_object ON audit_event(object_kind, object_id, sequence);

CREATE INDEX audit_event_workspace ON audit_event(json_extract(details_json, '$.workspace_id'), sequence)
    WHERE json_extract(details_json, '$.workspace_id') IS NOT NULL;

CREATE TABLE audit_key (
    id TEXT PRIMARY KEY,
    public_key BLOB NOT NULL,
    seed_sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_tile (
    number INTEGER PRIMARY KEY,
    root BLOB NOT NULL
) STRICT;

CREATE TABLE challenge (
    key BLOB PRIMARY KEY,
    purpose TEXT NOT NULL,
    user_id TEXT REFERENCES user(id),
    question BLOB,
    next TEXT NOT NULL DEFAULT '/',
    tries INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX challenge_age ON challenge(expires_at);

CREATE TABLE channel_route (
    phone_number_id TEXT PRIMARY KEY,
    waba_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    channel_id TEXT NOT NULL,
    meta_app_id TEXT NOT NULL REFERENCES meta_app(id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX channel_route_waba ON channel_route(waba_id);

CREATE INDEX channel_route_workspace ON channel_route(workspace_id);

CREATE TABLE custom_role (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    name TEXT NOT NULL COLLATE NOCASE,
    grants_json TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;

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

CREATE TABLE erased_subject (
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    erasure_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    mark BLOB NOT NULL,
    opted_out INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, erasure_id, contact_id, mark)
) STRICT, WITHOUT ROWID;

CREATE TABLE factor_reset (
    user_id TEXT PRIMARY KEY REFERENCES user(id),
    started_by TEXT NOT NULL REFERENCES user(id),
    started_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE group_role (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    group_name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'member', 'agent', 'analyst', 'viewer')),
    made_by TEXT REFERENCES user(id),
    created_at INTEGER NOT NULL,
    agreed_by TEXT REFERENCES user(id),
    agreed_at INTEGER,
    UNIQUE (workspace_id, group_name)
) STRICT;

CREATE TABLE identity_offer (
    key BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user(id),
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT NOT NULL,
    groups_json TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invitation (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    email TEXT NOT NULL COLLATE NOCASE,
    role TEXT NOT NULL,
    teams_json TEXT NOT NULL DEFAULT '[]',
    channels_json TEXT,
    token_hash BLOB NOT NULL UNIQUE,
    made_by TEXT REFERENCES user(id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    accepted_at INTEGER,
    accepted_by TEXT REFERENCES user(id),
    revoked_at INTEGER
) STRICT;

CREATE UNIQUE INDEX invitation_live ON invitation(workspace_id, email)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;

CREATE INDEX invitation_workspace ON invitation(workspace_id, created_at);

CREATE TABLE key_purpose (
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    purpose TEXT NOT NULL CHECK (purpose IN ('field', 'file', 'media')),
    version INTEGER NOT NULL,
    target INTEGER,
    cursor TEXT NOT NULL DEFAULT '',
    moved INTEGER NOT NULL DEFAULT 0,
    trouble TEXT NOT NULL DEFAULT '',
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE last_seen (
    workspace_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, user_id),
    FOREIGN KEY (workspace_id, user_id) REFERENCES membership(workspace_id, user_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TRIGGER membership_keeps_an_owner_delete BEFORE DELETE ON membership
    WHEN OLD.role = 'owner' AND OLD.state = 'active'
    AND NOT EXISTS (SELECT 1 FROM membership WHERE workspace_id = OLD.workspace_id AND user_id <> OLD.user_id
                    AND role = 'owner' AND state = 'active')
BEGIN SELECT RAISE(ABORT, 'the last owner'); END;

CREATE TRIGGER membership_keeps_an_owner_update BEFORE UPDATE OF role, state ON membership
    WHEN OLD.role = 'owner' AND OLD.state = 'active' AND (NEW.role <> 'owner' OR NEW.state <> 'active')
    AND NOT EXISTS (SELECT 1 FROM membership WHERE workspace_id = OLD.workspace_id AND user_id <> OLD.user_id
                    AND role = 'owner' AND state = 'active')
BEGIN SELECT RAISE(ABORT, 'the last owner'); END;

CREATE TRIGGER push_ends_with_membership AFTER DELETE ON membership
WHEN NOT EXISTS (SELECT 1 FROM membership WHERE user_id = OLD.user_id)
BEGIN
    DELETE FROM push_subscription WHERE user_id = OLD.user_id;
END;

CREATE TABLE membership (
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    user_id TEXT NOT NULL REFERENCES user(id),
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'active'
    CHECK (state IN ('active', 'suspended', 'unconfirmed')), modules_off TEXT NOT NULL DEFAULT '', channels_json TEXT, masked INTEGER NOT NULL DEFAULT 0, by_group INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX membership_user ON membership(user_id, workspace_id);

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE meta_app (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL UNIQUE,
    app_key TEXT NOT NULL UNIQUE,
    app_secret_sealed BLOB NOT NULL,
    verify_token_sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL
, previous_app_secret_sealed BLOB, app_secret_last_four TEXT NOT NULL DEFAULT '', app_secret_changed_at INTEGER, verify_token_last_four TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE notice (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user(id),
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    details_json TEXT NOT NULL DEFAULT '{}',
    seen_at INTEGER
) STRICT;

CREATE INDEX notice_user ON notice(user_id, at);

CREATE TABLE notification_choice (
    user_id TEXT PRIMARY KEY REFERENCES user(id),
    choices_json TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outgoing_mail (
    id TEXT PRIMARY KEY,
    message_sealed BLOB,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'given_up')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    settled_at INTEGER,
    trouble TEXT NOT NULL DEFAULT '',
    CHECK ((state = 'queued') = (message_sealed IS NOT NULL))
) STRICT;

CREATE INDEX outgoing_mail_due ON outgoing_mail(next_attempt_at) WHERE state = 'queued';

CREATE INDEX outgoing_mail_settled ON outgoing_mail(settled_at) WHERE state <> 'queued';

CREATE TABLE ownership_offer (
    workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
    from_user_id TEXT NOT NULL REFERENCES user(id),
    to_user_id TEXT NOT NULL REFERENCES user(id),
    keeps_ownership INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE parked_delivery (
    id TEXT PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    meta_app_id TEXT NOT NULL REFERENCES meta_app(id),
    phone_number_id TEXT,
    waba_id TEXT,
    field TEXT NOT NULL,
    reason TEXT NOT NULL,
    body_sealed BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    released_at INTEGER
) STRICT;

CREATE INDEX parked_delivery_account ON parked_delivery(waba_id, released_at) WHERE phone_number_id IS NULL;

CREATE INDEX parked_delivery_number ON parked_delivery(phone_number_id, released_at);

CREATE INDEX parked_delivery_waba ON parked_delivery(waba_id, released_at);

CREATE TABLE passkey (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user(id),
    name TEXT NOT NULL,
    credential_id BLOB NOT NULL UNIQUE,
    credential BLOB NOT NULL,
    sign_count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;

CREATE INDEX passkey_user ON passkey(user_id);

CREATE TABLE password_reset (
    token_hash BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user(id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX password_reset_user ON password_reset(user_id);

CREATE TABLE push_key (
    id TEXT PRIMARY KEY,
    private_sealed BLOB NOT NULL,
    public TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE push_subscription (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user(id),
    session_id TEXT NOT NULL,
    address_hash BLOB NOT NULL UNIQUE,
    address_sealed BLOB NOT NULL,
    service TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    told_at INTEGER
) STRICT;

CREATE INDEX push_subscription_session ON push_subscription(session_id);

CREATE INDEX push_subscription_user ON push_subscription(user_id);

CREATE TABLE recovery_code (
    user_id TEXT NOT NULL REFERENCES user(id),
    hash BLOB NOT NULL,
    salt BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (user_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE restore (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('copy', 'take_over')),
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    copy_id TEXT NOT NULL,
    name TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    step TEXT NOT NULL DEFAULT 'asked',
    asked_by TEXT NOT NULL,
    asked_name TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    finished_at INTEGER,
    trouble TEXT NOT NULL DEFAULT '',
    found_json TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE UNIQUE INDEX restore_under_way ON restore(workspace_id) WHERE finished_at IS NULL;

CREATE INDEX restore_workspace ON restore(workspace_id, asked_at);

CREATE TRIGGER push_ends_with_session AFTER DELETE ON session
WHEN OLD.expires_at > CAST(unixepoch('subsec') * 1000 AS INTEGER)
BEGIN
    DELETE FROM push_subscription WHERE session_id = OLD.id;
END;

CREATE TABLE session (
    secret_hash BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES user(id),
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
, epoch INTEGER NOT NULL DEFAULT 0, proved_at INTEGER NOT NULL DEFAULT 0, factors TEXT NOT NULL DEFAULT 'password') STRICT;

CREATE INDEX session_user ON session(user_id);

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

CREATE INDEX support_grant_active ON support_grant(workspace_id) WHERE state = 'active';

CREATE INDEX support_grant_operator ON support_grant(operator_id, workspace_id, requested_at);

CREATE INDEX support_grant_untold ON support_grant(workspace_id) WHERE state = 'ended' AND is_end_told = 0;

CREATE INDEX support_grant_workspace ON support_grant(workspace_id, requested_at);

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

CREATE TABLE team (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    name TEXT NOT NULL COLLATE NOCASE,
    created_at INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;

CREATE TABLE team_member (
    team_id TEXT NOT NULL REFERENCES team(id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES user(id),
    PRIMARY KEY (team_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX team_member_user ON team_member(user_id);

CREATE TABLE throttle (
    bucket BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    failures INTEGER NOT NULL,
    since INTEGER NOT NULL,
    failed_at INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX throttle_age ON throttle(failed_at);

CREATE TABLE totp (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user(id),
    secret_sealed BLOB NOT NULL,
    last_step INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    confirmed_at INTEGER
) STRICT;

CREATE INDEX totp_user ON totp(user_id);

CREATE TABLE trust_finding (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('holds', 'broken', 'skipped')),
    detail TEXT NOT NULL,
    at INTEGER NOT NULL,
    since INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL COLLATE NOCASE UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    is_operator INTEGER NOT NULL DEFAULT 0,
    locale TEXT NOT NULL DEFAULT 'en',
    time_zone TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    disabled_at INTEGER
, session_epoch INTEGER NOT NULL DEFAULT 0, password_changed_at INTEGER NOT NULL DEFAULT 0, signed_in_at INTEGER, password_stands_alone INTEGER NOT NULL DEFAULT 1, break_glass INTEGER NOT NULL DEFAULT 0, by_provider INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE user_identity (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES user(id),
    email TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_id, issuer)
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    state TEXT NOT NULL DEFAULT 'active',
    time_zone TEXT NOT NULL DEFAULT 'UTC',
    created_at INTEGER NOT NULL
, identity TEXT, copied_from TEXT REFERENCES workspace(id), copied_at INTEGER, as_of INTEGER, kept_until INTEGER, suspended_at INTEGER, suspension_reason TEXT NOT NULL DEFAULT '') STRICT;

CREATE INDEX workspace_copied_from ON workspace(copied_from) WHERE copied_from IS NOT NULL;

CREATE TABLE workspace_erasure (
    workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
    asked_by TEXT NOT NULL REFERENCES user(id),
    asked_at INTEGER NOT NULL,
    confirmed_by TEXT REFERENCES user(id),
    due_at INTEGER NOT NULL,
    CHECK (confirmed_by <> asked_by)
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace_key (
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    version INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL, retired_at INTEGER,
    PRIMARY KEY (workspace_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace_move (
    workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
    direction TEXT NOT NULL CHECK (direction IN ('out', 'in')),
    at INTEGER NOT NULL,
    is_final INTEGER NOT NULL DEFAULT 0
, handed_to TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;

CREATE TRIGGER support_ends_with_a_first_policy AFTER INSERT ON workspace_policy
    WHEN json_extract(NEW.policy_json, '$.support_allowed') = 0
BEGIN
    UPDATE support_grant SET state = iif(state = 'active', 'ended', 'lapsed'), end_reason = 'policy'
    WHERE workspace_id = NEW.workspace_id AND state IN ('requested', 'active');
END;

CREATE TRIGGER support_ends_with_the_policy AFTER UPDATE OF policy_json ON workspace_policy
    WHEN json_extract(NEW.policy_json, '$.support_allowed') = 0
BEGIN
    UPDATE support_grant SET state = iif(state = 'active', 'ended', 'lapsed'), end_reason = 'policy'
    WHERE workspace_id = NEW.workspace_id AND state IN ('requested', 'active');
END;

CREATE TABLE workspace_policy (
    workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
    policy_json TEXT NOT NULL
, owner_policy_json TEXT) STRICT, WITHOUT ROWID;

CREATE TABLE workspace_quota (
    workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
    bytes INTEGER CHECK (bytes > 0),
    messages INTEGER CHECK (messages > 0),
    members INTEGER CHECK (members > 0),
    numbers INTEGER CHECK (numbers > 0),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace_usage (
    workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
    at INTEGER NOT NULL,
    database_bytes INTEGER NOT NULL,
    journal_bytes INTEGER NOT NULL,
    media_bytes INTEGER NOT NULL,
    webhook_at INTEGER,
    waiting INTEGER NOT NULL,
    waiting_since INTEGER,
    trouble TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace_usage_day (
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    day TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    received INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, day)
) STRICT, WITHOUT ROWID;
