"""Mails that wait to be handed to the mail server, and what became of the latest."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- Address and words stand in the sealed value alone, which goes when the mail is settled.
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
    """)
