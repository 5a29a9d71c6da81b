CREATE TABLE consent_event (
    id INTEGER PRIMARY KEY,
    contact_id TEXT NOT NULL,
    marketing TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX consent_event_contact ON consent_event(contact_id, id);

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
