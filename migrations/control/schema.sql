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
) STRICT;

CREATE INDEX api_key_workspace ON api_key(workspace_id, created_at);

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
) STRICT;

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

CREATE TABLE membership (
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    user_id TEXT NOT NULL REFERENCES user(id),
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
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
) STRICT;

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

CREATE INDEX parked_delivery_number ON parked_delivery(phone_number_id, released_at);

CREATE INDEX parked_delivery_waba ON parked_delivery(waba_id, released_at);

CREATE TABLE session (
    secret_hash BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES user(id),
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;

CREATE INDEX session_user ON session(user_id);

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
) STRICT;

CREATE TABLE workspace (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    state TEXT NOT NULL DEFAULT 'active',
    time_zone TEXT NOT NULL DEFAULT 'UTC',
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE workspace_key (
    workspace_id TEXT NOT NULL REFERENCES workspace(id),
    version INTEGER NOT NULL,
    master_key_id TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, version)
) STRICT, WITHOUT ROWID;
