"""Which Meta app may post to us, and which workspace each phone number id and WABA belongs to."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- One Meta app may serve the numbers of several workspaces (an agency's), so its secrets live here, sealed.
    CREATE TABLE meta_app (
        id TEXT PRIMARY KEY,
        app_id TEXT NOT NULL UNIQUE,
        app_key TEXT NOT NULL UNIQUE,
        app_secret_sealed BLOB NOT NULL,
        verify_token_sealed BLOB NOT NULL,
        created_at INTEGER NOT NULL
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

    -- What came, rightly signed, for a number or account nobody has claimed. The body is sealed: it is some customer's.
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
    """)
