CREATE TABLE applied_body (
    journal_id INTEGER PRIMARY KEY,
    applied INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE applied_event (
    key TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

CREATE INDEX audit_event_object ON audit_event(object_kind, object_id, sequence);

CREATE TABLE channel (
    id TEXT PRIMARY KEY,
    phone_number_id TEXT NOT NULL UNIQUE,
    waba_id TEXT NOT NULL,
    meta_app_id TEXT NOT NULL,
    display_phone TEXT NOT NULL,
    verified_name TEXT NOT NULL DEFAULT '',
    quality TEXT NOT NULL DEFAULT 'UNKNOWN',
    access_token_sealed BLOB NOT NULL,
    access_token_last_four TEXT NOT NULL,
    messages_per_second INTEGER NOT NULL DEFAULT 60,
    state TEXT NOT NULL DEFAULT 'connected',
    trouble TEXT NOT NULL DEFAULT '',
    paused_until INTEGER,
    created_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;

CREATE TABLE consent_event (
    id TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL REFERENCES contact(id),
    marketing TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX consent_event_contact ON consent_event(contact_id, at);

CREATE TABLE contact (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL DEFAULT '',
    profile_name TEXT NOT NULL DEFAULT '',
    username TEXT NOT NULL DEFAULT '',
    phone TEXT UNIQUE,
    user_id TEXT UNIQUE,
    parent_user_id TEXT,
    fields_json TEXT NOT NULL DEFAULT '{}',
    marketing_consent TEXT NOT NULL DEFAULT 'unknown',
    consent_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE INDEX contact_created ON contact(created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE TABLE contact_identity (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    contact_id TEXT NOT NULL REFERENCES contact(id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_identity_contact ON contact_identity(contact_id);

CREATE TABLE contact_tag (
    contact_id TEXT NOT NULL REFERENCES contact(id),
    tag_id TEXT NOT NULL REFERENCES tag(id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (contact_id, tag_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_tag_tag ON contact_tag(tag_id, contact_id);

CREATE TABLE conversation (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel(id),
    contact_id TEXT NOT NULL REFERENCES contact(id),
    state TEXT NOT NULL DEFAULT 'open',
    assignee_id TEXT,
    unread_count INTEGER NOT NULL DEFAULT 0,
    last_message_id TEXT,
    last_message_at INTEGER NOT NULL,
    window_expires_at INTEGER,
    created_at INTEGER NOT NULL,
    closed_at INTEGER,
    UNIQUE (channel_id, contact_id)
) STRICT;

CREATE INDEX conversation_assignee ON conversation(assignee_id, state, last_message_at DESC, id DESC);

CREATE INDEX conversation_contact ON conversation(contact_id);

CREATE INDEX conversation_state ON conversation(state, last_message_at DESC, id DESC);

CREATE TABLE conversation_event (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    kind TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    details_json TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX conversation_event_conversation ON conversation_event(conversation_id, at DESC);

CREATE TABLE early_change (
    channel_id TEXT NOT NULL,
    target_wamid TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    content_json TEXT NOT NULL,
    PRIMARY KEY (channel_id, target_wamid, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotent_answer (
    caller_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status INTEGER,
    body BLOB,
    at INTEGER NOT NULL,
    PRIMARY KEY (caller_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotent_answer_at ON idempotent_answer(at);

CREATE TABLE media (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel(id),
    direction TEXT NOT NULL,
    kind TEXT NOT NULL,
    meta_media_id TEXT,
    mime_type TEXT NOT NULL,
    filename TEXT NOT NULL DEFAULT '',
    sha256 TEXT,
    size INTEGER,
    is_voice INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    trouble TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    lease_until INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX media_due ON media(next_attempt_at) WHERE state = 'pending';

CREATE TABLE message (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    channel_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    origin TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    wamid TEXT,
    client_id TEXT UNIQUE,
    text TEXT NOT NULL DEFAULT '',
    content_json TEXT NOT NULL DEFAULT '{}',
    media_id TEXT REFERENCES media(id),
    quoted_wamid TEXT,
    referral_json TEXT,
    pricing_json TEXT,
    author_id TEXT,
    author_name TEXT NOT NULL DEFAULT '',
    at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    sent_at INTEGER,
    delivered_at INTEGER,
    read_at INTEGER,
    edited_at INTEGER,
    revoked_at INTEGER,
    error_code INTEGER,
    error_title TEXT,
    error_what_to_do TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    claimed_at INTEGER
) STRICT;

CREATE INDEX message_conversation ON message(conversation_id, at DESC, id DESC);

CREATE INDEX message_queued ON message(channel_id, next_attempt_at, id) WHERE status = 'queued';

CREATE INDEX message_unsent ON message(conversation_id, at) WHERE status IN ('queued', 'sending');

CREATE INDEX message_unsettled ON message(claimed_at) WHERE status IN ('sending', 'unconfirmed');

CREATE UNIQUE INDEX message_wamid ON message(channel_id, wamid) WHERE wamid IS NOT NULL;

CREATE TABLE message_status (
    key TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL,
    message_id TEXT,
    wamid TEXT NOT NULL,
    status TEXT NOT NULL,
    at INTEGER NOT NULL,
    details_json TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX message_status_message ON message_status(message_id, at);

CREATE INDEX message_status_wamid ON message_status(wamid);

CREATE TABLE message_template (
    id TEXT PRIMARY KEY,
    meta_template_id TEXT NOT NULL,
    waba_id TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    category TEXT NOT NULL,
    status TEXT NOT NULL,
    quality TEXT NOT NULL DEFAULT 'UNKNOWN',
    parameter_format TEXT NOT NULL DEFAULT 'POSITIONAL',
    components_json TEXT NOT NULL,
    synced_at INTEGER NOT NULL,
    UNIQUE (waba_id, name, language)
) STRICT;

CREATE INDEX message_template_meta ON message_template(meta_template_id);

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE reaction (
    message_id TEXT NOT NULL REFERENCES message(id),
    side TEXT NOT NULL,
    emoji TEXT NOT NULL,
    author_name TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (message_id, side)
) STRICT, WITHOUT ROWID;

CREATE TABLE rejected_event (
    id TEXT PRIMARY KEY,
    journal_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    settled_at INTEGER,
    UNIQUE (journal_id, path)
) STRICT;

CREATE TABLE tag (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE webhook_event (
    id TEXT PRIMARY KEY,
    field TEXT NOT NULL,
    phone_number_id TEXT,
    waba_id TEXT,
    at INTEGER NOT NULL,
    value_json TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_event_field ON webhook_event(field, id DESC);
