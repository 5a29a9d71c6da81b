CREATE TABLE consent_event (
    id INTEGER PRIMARY KEY,
    contact_id TEXT NOT NULL,
    marketing TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX consent_event_contact ON consent_event(contact_id, id);

CREATE TABLE erased_event (
    journal_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    partial INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (journal_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE erased_subject (
    erasure_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    mark BLOB NOT NULL,
    opted_out INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (erasure_id, contact_id, mark)
) STRICT, WITHOUT ROWID;

CREATE TABLE free_pages (content BLOB NOT NULL) STRICT;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE send_event (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    phase TEXT NOT NULL,
    outcome TEXT,
    at INTEGER NOT NULL
, wamid TEXT) STRICT;

CREATE INDEX send_event_message ON send_event(message_id, attempt);

CREATE TABLE webhook_body (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
