CREATE TABLE absence (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    first_day TEXT NOT NULL,
    last_day TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    stand_in_id TEXT,
    hands_over INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX absence_end ON absence(ends_at);

CREATE INDEX absence_user ON absence(user_id, starts_at);

CREATE TABLE absence_offer (
    absence_id TEXT NOT NULL REFERENCES absence(id) ON DELETE CASCADE,
    conversation_id TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    PRIMARY KEY (absence_id, conversation_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX absence_offer_conversation ON absence_offer(conversation_id);

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

CREATE TRIGGER approval_ends AFTER UPDATE OF ended_at ON approval
    WHEN NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL
BEGIN
    UPDATE export_file SET key_sealed = x'' WHERE id = NEW.id;
    UPDATE approval SET subject = '', reason = CASE WHEN subject <> '' THEN '' ELSE reason END
        WHERE id = NEW.id;
END;

CREATE TRIGGER approval_is_what_was_asked_for BEFORE UPDATE OF kind, job, permission, decided_by, parameters_json,
    digest, person_id, key_id, needs, requested_at ON approval
BEGIN SELECT RAISE(ABORT, 'what was asked for does not change'); END;

CREATE TRIGGER approval_stays_ended BEFORE UPDATE OF state ON approval
    WHEN OLD.ended_at IS NOT NULL AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'what has ended does not begin again'); END;

CREATE TABLE approval (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    job TEXT NOT NULL,
    permission TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    parameters_json TEXT NOT NULL,
    digest BLOB NOT NULL,
    subject TEXT NOT NULL DEFAULT '',
    person_id TEXT,
    key_id TEXT,
    requester_name TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    needs TEXT NOT NULL CHECK (needs IN ('person', 'delay', 'nobody')),
    state TEXT NOT NULL CHECK (state IN ('requested', 'approved', 'running', 'ready', 'downloaded', 'done',
        'rejected', 'cancelled', 'expired', 'failed')),
    requested_at INTEGER NOT NULL,
    earliest_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    approver_id TEXT,
    approver_name TEXT NOT NULL DEFAULT '',
    approved_digest BLOB,
    approved_at INTEGER,
    lease_until INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    ending TEXT NOT NULL DEFAULT '',
    CHECK (person_id IS NOT NULL OR key_id IS NOT NULL),
    CHECK (approver_id IS NULL OR approver_id IS NOT person_id),
    CHECK (needs <> 'person' OR state NOT IN ('approved', 'running', 'ready', 'downloaded', 'done')
        OR (approver_id IS NOT NULL AND approved_digest = digest))
) STRICT;

CREATE INDEX approval_open ON approval(state, expires_at) WHERE ended_at IS NULL;

CREATE INDEX approval_person ON approval(person_id, id DESC);

CREATE VIEW assignments AS
    SELECT conversation_id, actor_name AS decided_by,
        json_extract(details_json, '$.assignee_id') AS assignee_id, datetime(at / 1000, 'unixepoch') AS at
    FROM conversation_event WHERE json_type(details_json, '$.assignee_id') IS NOT NULL;

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

CREATE TABLE audit_tile (
    number INTEGER PRIMARY KEY,
    root BLOB NOT NULL
) STRICT;

CREATE TABLE availability (
    user_id TEXT PRIMARY KEY,
    status TEXT NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'busy', 'away')),
    status_at INTEGER NOT NULL,
    capacity INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE bulk_change (
    id TEXT PRIMARY KEY,
    act TEXT NOT NULL,
    value_json TEXT NOT NULL,
    person_id TEXT,
    key_id TEXT,
    person_name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'undone')),
    total INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

CREATE INDEX bulk_change_ended ON bulk_change(ended_at) WHERE ended_at IS NOT NULL;

CREATE INDEX bulk_change_running ON bulk_change(created_at) WHERE state = 'running';

CREATE TABLE bulk_item (
    bulk_id TEXT NOT NULL REFERENCES bulk_change(id) ON DELETE CASCADE,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    before_json TEXT,
    after_json TEXT,
    done_at INTEGER,
    PRIMARY KEY (bulk_id, conversation_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX bulk_item_conversation ON bulk_item(conversation_id);

CREATE INDEX bulk_item_waiting ON bulk_item(bulk_id) WHERE done_at IS NULL;

CREATE TABLE calendar (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    week_json TEXT NOT NULL,
    holidays_json TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

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
, previous_access_token_sealed BLOB, access_token_changed_at INTEGER) STRICT;

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

CREATE TRIGGER contact_fields_added AFTER INSERT ON contact WHEN new.fields_json <> '{}' BEGIN
    INSERT INTO contact_field_value (contact_id, key, value)
    SELECT new.id, field.key, substr(one.value, 1, 1000)
    FROM json_each(new.fields_json) AS field,
        json_each(CASE field.type WHEN 'array' THEN field.value ELSE json_array(field.value) END) AS one
    WHERE field.type IN ('text', 'integer', 'real', 'array') AND one.type IN ('text', 'integer', 'real');
END;

CREATE TRIGGER contact_fields_changed AFTER UPDATE OF fields_json ON contact
WHEN old.fields_json <> new.fields_json BEGIN
    DELETE FROM contact_field_value WHERE contact_id = new.id;
    INSERT INTO contact_field_value (contact_id, key, value)
    SELECT new.id, field.key, substr(one.value, 1, 1000)
    FROM json_each(new.fields_json) AS field,
        json_each(CASE field.type WHEN 'array' THEN field.value ELSE json_array(field.value) END) AS one
    WHERE field.type IN ('text', 'integer', 'real', 'array') AND one.type IN ('text', 'integer', 'real');
END;

CREATE TRIGGER contact_fields_removed AFTER DELETE ON contact WHEN old.fields_json <> '{}' BEGIN
    DELETE FROM contact_field_value WHERE contact_id = old.id;
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
, blocked_at INTEGER, blocked_by TEXT NOT NULL DEFAULT '', owner_id TEXT) STRICT;

CREATE INDEX contact_created ON contact(created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE INDEX contact_owner ON contact(owner_id) WHERE owner_id IS NOT NULL;

CREATE TABLE contact_block (
    id TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL REFERENCES contact(id),
    channel_id TEXT NOT NULL REFERENCES channel(id),
    wanted INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
    trouble TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (contact_id, channel_id)
) STRICT;

CREATE INDEX contact_block_due ON contact_block(next_attempt_at) WHERE state = 'pending';

CREATE TRIGGER contact_field_value_added AFTER INSERT ON contact_field_value BEGIN
    INSERT INTO field_words (rowid, value) VALUES (new.number, new.value);
END;

CREATE TRIGGER contact_field_value_removed AFTER DELETE ON contact_field_value BEGIN
    INSERT INTO field_words (field_words, rowid, value) VALUES ('delete', old.number, old.value);
END;

CREATE TABLE contact_field_value (
    number INTEGER PRIMARY KEY,
    contact_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL
) STRICT;

CREATE INDEX contact_field_value_contact ON contact_field_value(contact_id);

CREATE VIEW contact_fields AS
    SELECT contact_id, key AS field, value FROM contact_field_value;

CREATE TABLE contact_identity (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    contact_id TEXT NOT NULL REFERENCES contact(id),
    created_at INTEGER NOT NULL, given_up_at INTEGER,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_identity_contact ON contact_identity(contact_id);

CREATE TABLE contact_merge (
    id TEXT PRIMARY KEY,
    kept_id TEXT NOT NULL,
    gone_id TEXT NOT NULL,
    gone_title TEXT NOT NULL,
    by_name TEXT NOT NULL,
    at INTEGER NOT NULL,
    undone_at INTEGER
) STRICT;

CREATE INDEX contact_merge_at ON contact_merge(at);

CREATE INDEX contact_merge_gone ON contact_merge(gone_id);

CREATE INDEX contact_merge_kept ON contact_merge(kept_id, at, id);

CREATE TABLE contact_merge_item (
    merge_id TEXT NOT NULL REFERENCES contact_merge(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    row_id TEXT NOT NULL,
    from_id TEXT NOT NULL,
    PRIMARY KEY (merge_id, kind, row_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE contact_merge_part (
    merge_id TEXT NOT NULL REFERENCES contact_merge(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    kept_id TEXT NOT NULL,
    gone_id TEXT NOT NULL,
    before_json TEXT NOT NULL,
    after_json TEXT NOT NULL,
    PRIMARY KEY (merge_id, kind, gone_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE contact_tag (
    contact_id TEXT NOT NULL REFERENCES contact(id),
    tag_id TEXT NOT NULL REFERENCES tag(id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (contact_id, tag_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_tag_tag ON contact_tag(tag_id, contact_id);

CREATE VIEW contact_tags AS
    SELECT contact_tag.contact_id, tag.name AS tag,
        datetime(contact_tag.created_at / 1000, 'unixepoch') AS tagged_at
    FROM contact_tag JOIN tag ON tag.id = contact_tag.tag_id;

CREATE VIRTUAL TABLE contact_words USING fts5(words, content='indexed_contact', content_rowid='number',
    columnsize=0, tokenize="trigram remove_diacritics 1");

CREATE TABLE 'contact_words_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE 'contact_words_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'contact_words_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

CREATE VIEW contacts AS
    SELECT id, name, profile_name, username, phone, marketing_consent,
        datetime(consent_at / 1000, 'unixepoch') AS consent_at, owner_id, blocked_at IS NOT NULL AS is_blocked,
        datetime(created_at / 1000, 'unixepoch') AS created_at,
        datetime(updated_at / 1000, 'unixepoch') AS updated_at
    FROM contact WHERE deleted_at IS NULL;

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
    closed_at INTEGER, team_id TEXT, snoozed_until INTEGER, waiting_since INTEGER, released_by TEXT, answered_at INTEGER, due_at INTEGER, due_soon_at INTEGER, due_kind TEXT, fields_json TEXT NOT NULL DEFAULT '{}', reason_id TEXT REFERENCES resolve_reason(id),
    UNIQUE (channel_id, contact_id)
) STRICT;

CREATE INDEX conversation_assignee ON conversation(assignee_id, state, last_message_at DESC, id DESC);

CREATE INDEX conversation_closed ON conversation(closed_at) WHERE state = 'closed';

CREATE INDEX conversation_contact ON conversation(contact_id);

CREATE INDEX conversation_due ON conversation(due_at, id, assignee_id, team_id, channel_id)
    WHERE state = 'open' AND due_at IS NOT NULL;

CREATE INDEX conversation_queue ON conversation(coalesce(team_id, channel_id),
    coalesce(waiting_since, last_message_at), id) WHERE state = 'open' AND assignee_id IS NULL;

CREATE INDEX conversation_reason ON conversation(reason_id, state, last_message_at DESC, id DESC)
    WHERE reason_id IS NOT NULL;

CREATE INDEX conversation_snoozed ON conversation(snoozed_until)
    WHERE state = 'snoozed' AND snoozed_until IS NOT NULL;

CREATE INDEX conversation_state ON conversation(state, last_message_at DESC, id DESC);

CREATE INDEX conversation_team ON conversation(team_id, state, last_message_at DESC, id DESC)
    WHERE team_id IS NOT NULL;

CREATE INDEX conversation_unread ON conversation(last_message_at DESC, id DESC)
    WHERE state = 'open' AND unread_count > 0;

CREATE INDEX conversation_waiting ON conversation(waiting_since, id, assignee_id, team_id, channel_id)
    WHERE state = 'open' AND waiting_since IS NOT NULL;

CREATE TABLE conversation_alias (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_alias_conversation ON conversation_alias(conversation_id);

CREATE TABLE conversation_event (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    kind TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    details_json TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX conversation_event_conversation ON conversation_event(conversation_id, at DESC);

CREATE TABLE conversation_pin (
    user_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    at INTEGER NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_pin_conversation ON conversation_pin(conversation_id);

CREATE TABLE conversation_tag (
    tag_id TEXT NOT NULL REFERENCES thread_tag(id),
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tag_id, conversation_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_tag_conversation ON conversation_tag(conversation_id);

CREATE VIEW conversation_tags AS
    SELECT conversation_tag.conversation_id, thread_tag.name AS tag,
        datetime(conversation_tag.created_at / 1000, 'unixepoch') AS tagged_at
    FROM conversation_tag JOIN thread_tag ON thread_tag.id = conversation_tag.tag_id;

CREATE VIEW conversations AS
    SELECT conversation.id, conversation.contact_id, conversation.channel_id AS number_id, conversation.state,
        conversation.assignee_id, conversation.team_id, resolve_reason.name AS reason,
        conversation.unread_count AS unread, datetime(conversation.created_at / 1000, 'unixepoch') AS created_at,
        datetime(conversation.last_message_at / 1000, 'unixepoch') AS last_message_at,
        datetime(conversation.waiting_since / 1000, 'unixepoch') AS waiting_since,
        datetime(conversation.due_at / 1000, 'unixepoch') AS due_at,
        datetime(conversation.closed_at / 1000, 'unixepoch') AS closed_at
    FROM conversation LEFT JOIN resolve_reason ON resolve_reason.id = conversation.reason_id;

CREATE TABLE custom_field (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL CHECK (subject IN ('contact', 'conversation')),
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    hint TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL,
    options_json TEXT NOT NULL DEFAULT '[]',
    is_required INTEGER NOT NULL DEFAULT 0,
    is_on INTEGER NOT NULL DEFAULT 1,
    position INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (subject, key)
) STRICT;

CREATE TABLE data_query (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE,
    sql TEXT NOT NULL,
    is_shared INTEGER NOT NULL DEFAULT 0,
    owner_id TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX data_query_name ON data_query(name, iif(is_shared, '', owner_id));

CREATE TABLE early_change (
    channel_id TEXT NOT NULL,
    target_wamid TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    content_json TEXT NOT NULL,
    PRIMARY KEY (channel_id, target_wamid, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasure (
    id TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL,
    again INTEGER NOT NULL DEFAULT 0,
    begun_at INTEGER NOT NULL,
    rows_gone_at INTEGER,
    journal_upto INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    counts_json TEXT NOT NULL DEFAULT '{}',
    requester_name TEXT NOT NULL DEFAULT '',
    approver_name TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE erasure_needle (
    erasure_id TEXT NOT NULL REFERENCES erasure(id),
    kind TEXT NOT NULL CHECK (kind IN ('contact', 'phone', 'user_id', 'wamid', 'message', 'conversation')),
    value TEXT NOT NULL,
    PRIMARY KEY (erasure_id, kind, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE export_file (
    id TEXT PRIMARY KEY REFERENCES approval(id),
    key_sealed BLOB NOT NULL,
    marker BLOB NOT NULL,
    filename TEXT NOT NULL DEFAULT '',
    media_type TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    rows INTEGER NOT NULL DEFAULT 0,
    masked INTEGER NOT NULL DEFAULT 0,
    removed_at INTEGER
) STRICT;

CREATE INDEX export_file_there ON export_file(id) WHERE removed_at IS NULL;

CREATE VIRTUAL TABLE field_words USING fts5(value, content='contact_field_value', content_rowid='number',
    columnsize=0, prefix='2 3',
    tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc' separators '︎️'");

CREATE TABLE 'field_words_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE 'field_words_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'field_words_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

CREATE TABLE forgotten_refusal (
    mark BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE free_pages (content BLOB NOT NULL) STRICT;

CREATE TABLE held_message (
    message_id TEXT PRIMARY KEY REFERENCES message(id) ON DELETE CASCADE,
    restore_id TEXT NOT NULL,
    why TEXT NOT NULL CHECK (why IN ('waited', 'written_again')),
    held_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX held_message_moment ON held_message(held_at, message_id);

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

CREATE TABLE inbox_setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

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
, pages INTEGER) STRICT;

CREATE INDEX media_due ON media(next_attempt_at) WHERE state = 'pending';

CREATE INDEX media_uncounted ON media(id) WHERE pages IS NULL AND state = 'ready' AND mime_type = 'application/pdf';

CREATE INDEX media_unsent ON media(next_attempt_at) WHERE trouble = 'unsent';

CREATE TABLE mention (
    user_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    note_id TEXT NOT NULL REFERENCES note(id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    seen_at INTEGER,
    PRIMARY KEY (user_id, note_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX mention_conversation ON mention(conversation_id, user_id);

CREATE INDEX mention_note ON mention(note_id);

CREATE INDEX mention_unseen ON mention(user_id) WHERE seen_at IS NULL;

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

CREATE INDEX message_author ON message(author_id) WHERE author_id IS NOT NULL;

CREATE INDEX message_by_machine ON message(origin) WHERE origin <> 'customer' AND origin <> 'agent';

CREATE INDEX message_conversation ON message(conversation_id, at DESC, id DESC);

CREATE INDEX message_file ON message(conversation_id, type) WHERE media_id IS NOT NULL;

CREATE INDEX message_in_doubt ON message(claimed_at, id) WHERE status = 'unconfirmed' AND type <> 'reaction';

CREATE INDEX message_in_doubt_of ON message(conversation_id, claimed_at, id)
    WHERE status = 'unconfirmed' AND type <> 'reaction';

CREATE INDEX message_kind ON message(type) WHERE type <> 'text' AND type <> 'reaction';

CREATE INDEX message_media ON message(media_id) WHERE media_id IS NOT NULL;

CREATE INDEX message_queued ON message(channel_id, next_attempt_at, id) WHERE status = 'queued';

CREATE INDEX message_unsent ON message(conversation_id, at) WHERE status IN ('queued', 'sending');

CREATE INDEX message_unsettled ON message(claimed_at) WHERE status IN ('sending', 'unconfirmed');

CREATE UNIQUE INDEX message_wamid ON message(channel_id, wamid) WHERE wamid IS NOT NULL;

CREATE INDEX message_with_file ON message(conversation_id, at DESC, id DESC) WHERE media_id IS NOT NULL;

CREATE TABLE message_day (
    day INTEGER PRIMARY KEY,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL
) STRICT;

CREATE TABLE message_pin (
    message_id TEXT PRIMARY KEY REFERENCES message(id) ON DELETE CASCADE,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    by_name TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX message_pin_conversation ON message_pin(conversation_id, at);

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

CREATE VIEW messages AS
    SELECT id, conversation_id, channel_id AS number_id, direction, origin, type, status,
        CASE WHEN revoked_at IS NULL THEN text ELSE '' END AS text, author_id, author_name,
        datetime(at / 1000, 'unixepoch') AS at, datetime(sent_at / 1000, 'unixepoch') AS sent_at,
        datetime(delivered_at / 1000, 'unixepoch') AS delivered_at,
        datetime(read_at / 1000, 'unixepoch') AS read_at, error_code, error_title AS error
    FROM message WHERE type <> 'reaction';

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE note (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    author_id TEXT,
    author_name TEXT NOT NULL,
    text TEXT NOT NULL,
    client_id TEXT UNIQUE,
    at INTEGER NOT NULL,
    edited_at INTEGER,
    deleted_at INTEGER
, about TEXT NOT NULL DEFAULT '') STRICT;

CREATE INDEX note_conversation ON note(conversation_id, at);

CREATE VIEW notes AS
    SELECT id, conversation_id, author_id, author_name, text, datetime(at / 1000, 'unixepoch') AS at
    FROM note WHERE deleted_at IS NULL;

CREATE TABLE notification (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    conversation_id TEXT REFERENCES conversation(id) ON DELETE CASCADE,
    title TEXT NOT NULL DEFAULT '',
    path TEXT NOT NULL DEFAULT '',
    by_name TEXT NOT NULL DEFAULT '',
    count INTEGER NOT NULL DEFAULT 1,
    at INTEGER NOT NULL,
    read_at INTEGER,
    told_at INTEGER,
    mailed_at INTEGER
) STRICT;

CREATE INDEX notification_at ON notification(at);

CREATE INDEX notification_conversation ON notification(conversation_id, user_id);

CREATE UNIQUE INDEX notification_once ON notification(user_id, kind, coalesce(conversation_id, ''), title)
    WHERE read_at IS NULL;

CREATE INDEX notification_unmailed ON notification(at) WHERE read_at IS NULL AND mailed_at IS NULL;

CREATE INDEX notification_unread ON notification(user_id, at DESC, id DESC) WHERE read_at IS NULL;

CREATE INDEX notification_untold ON notification(at) WHERE told_at IS NULL;

CREATE INDEX notification_user ON notification(user_id, at DESC, id DESC);

CREATE TABLE notification_digest (
    user_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notification_event (
    conversation_id TEXT PRIMARY KEY REFERENCES conversation(id) ON DELETE CASCADE,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX notification_event_at ON notification_event(at);

CREATE TABLE notification_push (
    id TEXT PRIMARY KEY,
    notification_id TEXT NOT NULL REFERENCES notification(id) ON DELETE CASCADE,
    subscription_id TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL,
    UNIQUE (notification_id, subscription_id)
) STRICT;

CREATE INDEX notification_push_due ON notification_push(next_attempt_at);

CREATE TABLE number_shown (
    id TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX number_shown_user ON number_shown(user_id, at);

CREATE VIEW numbers AS
    SELECT id, display_phone AS phone, verified_name AS name, quality, state,
        datetime(created_at / 1000, 'unixepoch') AS connected_at
    FROM channel WHERE removed_at IS NULL;

CREATE TABLE paying_account (
    waba_id TEXT PRIMARY KEY,
    currency TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    free_service INTEGER,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE presence (
    user_id TEXT PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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
, removed_at INTEGER) STRICT;

CREATE VIEW quick_replies AS
    SELECT id, code, title, category, scope, team_id, text, used_count AS times_used,
        datetime(used_at / 1000, 'unixepoch') AS last_used_at
    FROM quick_reply WHERE deleted_at IS NULL AND scope <> 'personal';

CREATE TABLE quick_reply (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    title TEXT NOT NULL,
    category TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL DEFAULT '',
    words TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('personal', 'team', 'everyone')),
    owner_id TEXT,
    team_id TEXT,
    used_count INTEGER NOT NULL DEFAULT 0,
    used_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    CHECK ((scope = 'personal') = (owner_id IS NOT NULL)),
    CHECK ((scope = 'team') = (team_id IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX quick_reply_code ON quick_reply(code, scope, coalesce(owner_id, ''), coalesce(team_id, ''))
    WHERE deleted_at IS NULL;

CREATE INDEX quick_reply_deleted ON quick_reply(deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE quick_reply_file (
    id TEXT PRIMARY KEY,
    reply_id TEXT NOT NULL REFERENCES quick_reply(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    filename TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    dropped_at INTEGER
) STRICT;

CREATE INDEX quick_reply_file_dropped ON quick_reply_file(reply_id) WHERE dropped_at IS NOT NULL;

CREATE INDEX quick_reply_file_reply ON quick_reply_file(reply_id, position);

CREATE TABLE rate (
    card_id TEXT NOT NULL REFERENCES rate_card(id) ON DELETE CASCADE,
    market TEXT NOT NULL,
    category TEXT NOT NULL,
    tier_from INTEGER NOT NULL DEFAULT 0,
    tier_to INTEGER,
    price_micros INTEGER NOT NULL CHECK (price_micros >= 0),
    PRIMARY KEY (card_id, market, category, tier_from)
) STRICT, WITHOUT ROWID;

CREATE INDEX rate_market ON rate(market, card_id);

CREATE TABLE rate_card (
    id TEXT PRIMARY KEY,
    currency TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('file', 'hand')),
    name TEXT NOT NULL,
    is_sample INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

CREATE VIEW ratings AS
    SELECT conversation_id, channel_id AS number_id, team_id, agent_id, score, reason,
        datetime(closed_at / 1000, 'unixepoch') AS closed_at, datetime(asked_at / 1000, 'unixepoch') AS asked_at,
        datetime(answered_at / 1000, 'unixepoch') AS answered_at
    FROM satisfaction;

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

CREATE TABLE reminder (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    user_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    text TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX reminder_conversation ON reminder(conversation_id, user_id, due_at);

CREATE INDEX reminder_due ON reminder(due_at);

CREATE INDEX reminder_user ON reminder(user_id, id);

CREATE TABLE reopen_policy (
    channel_id TEXT PRIMARY KEY REFERENCES channel(id),
    assignee TEXT NOT NULL CHECK (assignee IN ('keep', 'free_when_away', 'free')),
    new_after_days INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE resolve_policy (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    asks TEXT NOT NULL CHECK (asks IN ('off', 'optional', 'required'))
) STRICT;

CREATE TABLE resolve_reason (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE,
    is_on INTEGER NOT NULL DEFAULT 1,
    position INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;

CREATE UNIQUE INDEX resolve_reason_name ON resolve_reason(name) WHERE removed_at IS NULL;

CREATE INDEX resolve_reason_position ON resolve_reason(position, id) WHERE removed_at IS NULL;

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

CREATE INDEX response_time_conversation ON response_time(conversation_id) WHERE conversation_id IS NOT NULL;

CREATE INDEX response_time_ended ON response_time(ended_at);

CREATE VIEW response_times AS
    SELECT conversation_id, channel_id AS number_id, team_id, agent_id, kind,
        datetime(began_at / 1000, 'unixepoch') AS began_at, datetime(ended_at / 1000, 'unixepoch') AS ended_at,
        round(took / 60000.0, 1) AS minutes, minutes AS target_minutes, took <= minutes * 60000 AS is_met
    FROM response_time;

CREATE TABLE retention_rule (
    kind TEXT PRIMARY KEY,
    days INTEGER CHECK (days > 0),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE retention_run (
    kind TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    removed_before INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE routing_rule (
    place_id TEXT PRIMARY KEY,
    method TEXT NOT NULL CHECK (method IN ('off', 'round_robin', 'least_busy')),
    previous_days INTEGER NOT NULL,
    members_json TEXT NOT NULL,
    updated_at INTEGER NOT NULL
, owner_first INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

CREATE TABLE routing_settings (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    capacity INTEGER NOT NULL,
    away_minutes INTEGER NOT NULL
) STRICT;

CREATE TABLE routing_turn (
    place_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    turn INTEGER NOT NULL,
    PRIMARY KEY (place_id, user_id)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE satisfaction_setting (
    channel_id TEXT PRIMARY KEY REFERENCES channel(id),
    is_on INTEGER NOT NULL DEFAULT 0,
    question TEXT NOT NULL,
    thanks TEXT NOT NULL DEFAULT '',
    every_days INTEGER NOT NULL,
    template_name TEXT NOT NULL DEFAULT '',
    template_language TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE saved_view (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    filter TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('personal', 'team', 'everyone')),
    owner_id TEXT,
    team_id TEXT,
    position INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK ((scope = 'personal') = (owner_id IS NOT NULL)),
    CHECK ((scope = 'team') = (team_id IS NOT NULL))
) STRICT;

CREATE TABLE scheduled_message (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation(id),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'held', 'failed', 'cancelled')),
    send_at INTEGER NOT NULL,
    sends_anyway INTEGER NOT NULL DEFAULT 0,
    type TEXT NOT NULL,
    text TEXT NOT NULL,
    content_json TEXT NOT NULL,
    media_id TEXT REFERENCES media(id),
    reply_to TEXT,
    origin TEXT NOT NULL,
    author_kind TEXT NOT NULL,
    author_id TEXT,
    author_name TEXT NOT NULL,
    client_id TEXT UNIQUE,
    trouble TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    cancelled_at INTEGER
) STRICT;

CREATE INDEX scheduled_message_cancelled ON scheduled_message(cancelled_at) WHERE state = 'cancelled';

CREATE INDEX scheduled_message_conversation ON scheduled_message(conversation_id, send_at, id);

CREATE INDEX scheduled_message_due ON scheduled_message(send_at) WHERE state = 'waiting';

CREATE INDEX scheduled_message_media ON scheduled_message(media_id) WHERE media_id IS NOT NULL;

CREATE TABLE search_progress (
    indexed_upto INTEGER NOT NULL
) STRICT;

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

CREATE TABLE service_recount (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    changed_at INTEGER NOT NULL,
    waiting_since INTEGER NOT NULL DEFAULT 0,
    conversation_id TEXT NOT NULL DEFAULT ''
) STRICT;

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

CREATE TABLE shift (
    user_id TEXT PRIMARY KEY,
    time_zone TEXT NOT NULL,
    week_json TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tag (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tag_change (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL CHECK (subject IN ('contact', 'conversation')),
    tag_id TEXT NOT NULL,
    name TEXT NOT NULL,
    into_id TEXT,
    by_name TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX tag_change_at ON tag_change(at, id);

CREATE TABLE tag_change_item (
    change_id TEXT NOT NULL REFERENCES tag_change(id) ON DELETE CASCADE,
    carrier_id TEXT NOT NULL,
    carried_at INTEGER NOT NULL,
    had_both INTEGER NOT NULL,
    PRIMARY KEY (change_id, carrier_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX tag_change_item_carrier ON tag_change_item(carrier_id);

CREATE TABLE tag_change_view (
    change_id TEXT NOT NULL REFERENCES tag_change(id) ON DELETE CASCADE,
    view_id TEXT NOT NULL,
    was TEXT NOT NULL,
    became TEXT NOT NULL,
    PRIMARY KEY (change_id, view_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE thread_tag (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE undo_choice (
    user_id TEXT PRIMARY KEY,
    seconds INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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
