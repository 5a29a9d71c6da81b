"""Rate cards: what a delivered message costs by market and category, as whoever keeps this workspace entered it."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- `valid_from` is a day (2026-10-01); it begins at midnight where the account that pays is. What a card does not
    -- name stays as an earlier one of its currency has it. `is_sample`: made up, for a demo.
    CREATE TABLE rate_card (
        id TEXT PRIMARY KEY,
        currency TEXT NOT NULL,
        valid_from TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('file', 'hand')),
        name TEXT NOT NULL,
        is_sample INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL
    ) STRICT;

    -- Money in millionths of the currency's unit. A tier goes from one count of messages in a month to another, which
    -- is NULL where there is no end.
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

    -- How a WhatsApp Business account pays. `free_service`: the answers in the reply window that each of its numbers
    -- has free in a month, when somebody said so.
    CREATE TABLE paying_account (
        waba_id TEXT PRIMARY KEY,
        currency TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        free_service INTEGER,
        updated_at INTEGER NOT NULL
    ) STRICT;
    """)
