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

CREATE TRIGGER contact_added AFTER INSERT ON contact BEGIN
    INSERT OR IGNORE INTO unindexed_contact VALUES (new.id);
END;

CREATE TRIGGER contact_changed AFTER UPDATE OF name, profile_name, username, phone, deleted_at ON contact
WHEN (old.name, old.profile_name, old.username) <> (new.name, new.profile_name, new.username)
    OR old.phone IS NOT new.phone OR old.deleted_at IS NOT new.deleted_at
BEGIN
    INSERT OR IGNORE INTO unindexed_contact VALUES (new.id);
END;

CREATE TRIGGER contact_deleted AFTER DELETE ON contact BEGIN
    INSERT OR IGNORE INTO unindexed_contact VALUES (old.id);
END;

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

CREATE VIRTUAL TABLE contact_words USING fts5(words, content='indexed_contact', content_rowid='number',
    columnsize=0, tokenize="trigram remove_diacritics 1");

CREATE TABLE 'contact_words_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE 'contact_words_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'contact_words_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

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

CREATE INDEX conversation_unread ON conversation(id) WHERE state = 'open' AND unread_count > 0;

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

CREATE TABLE indexed_contact (
    number INTEGER PRIMARY KEY,
    contact_id TEXT NOT NULL UNIQUE,
    words TEXT NOT NULL
) STRICT;

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

CREATE TRIGGER message_changed AFTER UPDATE OF text, media_id, revoked_at ON message
WHEN old.sequence <= (SELECT indexed_upto FROM search_progress) AND (old.text <> new.text
    OR old.media_id IS NOT new.media_id OR (old.revoked_at IS NULL) <> (new.revoked_at IS NULL))
BEGIN
    INSERT INTO message_words (message_words, rowid, text, filename) VALUES ('delete', old.sequence, old.text,
        CASE WHEN old.revoked_at IS NULL
            THEN coalesce((SELECT filename FROM media WHERE id = old.media_id), '') ELSE '' END);
    INSERT INTO message_words (rowid, text, filename)
        SELECT sequence, text, filename FROM message_text WHERE sequence = new.sequence;
END;

CREATE TRIGGER message_deleted AFTER DELETE ON message
WHEN old.sequence <= (SELECT indexed_upto FROM search_progress)
BEGIN
    INSERT INTO message_words (message_words, rowid, text, filename) VALUES ('delete', old.sequence, old.text,
        CASE WHEN old.revoked_at IS NULL
            THEN coalesce((SELECT filename FROM media WHERE id = old.media_id), '') ELSE '' END);
    UPDATE search_progress SET indexed_upto = old.sequence - 1
        WHERE old.sequence > (SELECT coalesce(max(sequence), 0) FROM message);
END;

CREATE TABLE message (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
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
, settled_as TEXT, settled_by TEXT, settled_at INTEGER) STRICT;

CREATE INDEX message_conversation ON message(conversation_id, at DESC, id DESC);

CREATE INDEX message_in_doubt ON message(claimed_at, id) WHERE status = 'unconfirmed' AND type <> 'reaction';

CREATE INDEX message_in_doubt_of ON message(conversation_id, claimed_at, id)
    WHERE status = 'unconfirmed' AND type <> 'reaction';

CREATE INDEX message_media ON message(media_id) WHERE media_id IS NOT NULL;

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

CREATE VIEW message_text AS
    SELECT message.sequence, message.text,
        CASE WHEN message.revoked_at IS NULL THEN coalesce(media.filename, '') ELSE '' END AS filename
    FROM message LEFT JOIN media ON media.id = message.media_id;

CREATE VIRTUAL TABLE message_words USING fts5(text, filename, content='message_text', content_rowid='sequence',
    columnsize=0, prefix='2 3',
    tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc' separators '︎️'");

CREATE TABLE 'message_words_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE 'message_words_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'message_words_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE proof_run (
    kind TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    result_json TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE proof_segment (
    first_id INTEGER PRIMARY KEY,
    last_id INTEGER NOT NULL,
    day INTEGER NOT NULL,
    received INTEGER NOT NULL,
    applied INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    computed_at INTEGER NOT NULL
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
    -- The SHA-256 of its body: what Meta repeats is not set aside a second time.
    body_key BLOB NOT NULL,
    path TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    settled_at INTEGER, tries INTEGER NOT NULL DEFAULT 0, tried_at INTEGER, dismissed_at INTEGER, dismissed_by TEXT NOT NULL DEFAULT '', dismissal TEXT NOT NULL DEFAULT '',
    UNIQUE (body_key, path)
) STRICT;

CREATE INDEX rejected_event_journal ON rejected_event(journal_id);

CREATE INDEX rejected_event_unsettled ON rejected_event(id) WHERE settled_at IS NULL;

CREATE TABLE search_progress (
    indexed_upto INTEGER NOT NULL
) STRICT;

CREATE TABLE tag (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE unindexed_contact (
    contact_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

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
