"""The views one may ask in one's own words, and the questions that were saved.

Their names and columns are promised to whoever writes SQL: add to them, and change none. Times are texts of UTC.
"""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE VIEW contacts AS
        SELECT id, name, profile_name, username, phone, marketing_consent,
            datetime(consent_at / 1000, 'unixepoch') AS consent_at, owner_id, blocked_at IS NOT NULL AS is_blocked,
            datetime(created_at / 1000, 'unixepoch') AS created_at,
            datetime(updated_at / 1000, 'unixepoch') AS updated_at
        FROM contact WHERE deleted_at IS NULL;

    CREATE VIEW contact_tags AS
        SELECT contact_tag.contact_id, tag.name AS tag,
            datetime(contact_tag.created_at / 1000, 'unixepoch') AS tagged_at
        FROM contact_tag JOIN tag ON tag.id = contact_tag.tag_id;

    CREATE VIEW contact_fields AS
        SELECT contact_id, key AS field, value FROM contact_field_value;

    CREATE VIEW conversations AS
        SELECT conversation.id, conversation.contact_id, conversation.channel_id AS number_id, conversation.state,
            conversation.assignee_id, conversation.team_id, resolve_reason.name AS reason,
            conversation.unread_count AS unread, datetime(conversation.created_at / 1000, 'unixepoch') AS created_at,
            datetime(conversation.last_message_at / 1000, 'unixepoch') AS last_message_at,
            datetime(conversation.waiting_since / 1000, 'unixepoch') AS waiting_since,
            datetime(conversation.due_at / 1000, 'unixepoch') AS due_at,
            datetime(conversation.closed_at / 1000, 'unixepoch') AS closed_at
        FROM conversation LEFT JOIN resolve_reason ON resolve_reason.id = conversation.reason_id;

    CREATE VIEW conversation_tags AS
        SELECT conversation_tag.conversation_id, thread_tag.name AS tag,
            datetime(conversation_tag.created_at / 1000, 'unixepoch') AS tagged_at
        FROM conversation_tag JOIN thread_tag ON thread_tag.id = conversation_tag.tag_id;

    CREATE VIEW messages AS
        SELECT id, conversation_id, channel_id AS number_id, direction, origin, type, status,
            CASE WHEN revoked_at IS NULL THEN text ELSE '' END AS text, author_id, author_name,
            datetime(at / 1000, 'unixepoch') AS at, datetime(sent_at / 1000, 'unixepoch') AS sent_at,
            datetime(delivered_at / 1000, 'unixepoch') AS delivered_at,
            datetime(read_at / 1000, 'unixepoch') AS read_at, error_code, error_title AS error
        FROM message WHERE type <> 'reaction';

    CREATE VIEW notes AS
        SELECT id, conversation_id, author_id, author_name, text, datetime(at / 1000, 'unixepoch') AS at
        FROM note WHERE deleted_at IS NULL;

    CREATE VIEW assignments AS
        SELECT conversation_id, actor_name AS decided_by,
            json_extract(details_json, '$.assignee_id') AS assignee_id, datetime(at / 1000, 'unixepoch') AS at
        FROM conversation_event WHERE json_type(details_json, '$.assignee_id') IS NOT NULL;

    CREATE VIEW quick_replies AS
        SELECT id, code, title, category, scope, team_id, text, used_count AS times_used,
            datetime(used_at / 1000, 'unixepoch') AS last_used_at
        FROM quick_reply WHERE deleted_at IS NULL AND scope <> 'personal';

    CREATE VIEW response_times AS
        SELECT conversation_id, channel_id AS number_id, team_id, agent_id, kind,
            datetime(began_at / 1000, 'unixepoch') AS began_at, datetime(ended_at / 1000, 'unixepoch') AS ended_at,
            round(took / 60000.0, 1) AS minutes, minutes AS target_minutes, took <= minutes * 60000 AS is_met
        FROM response_time;

    CREATE VIEW ratings AS
        SELECT conversation_id, channel_id AS number_id, team_id, agent_id, score, reason,
            datetime(closed_at / 1000, 'unixepoch') AS closed_at, datetime(asked_at / 1000, 'unixepoch') AS asked_at,
            datetime(answered_at / 1000, 'unixepoch') AS answered_at
        FROM satisfaction;

    CREATE VIEW numbers AS
        SELECT id, display_phone AS phone, verified_name AS name, quality, state,
            datetime(created_at / 1000, 'unixepoch') AS connected_at
        FROM channel WHERE removed_at IS NULL;

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
    """)
