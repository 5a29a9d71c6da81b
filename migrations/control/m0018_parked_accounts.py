"""What is parked for an account as a whole, found without passing all that is parked for its numbers."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE INDEX parked_delivery_account ON parked_delivery(waba_id, released_at) WHERE phone_number_id IS NULL;
    """)
