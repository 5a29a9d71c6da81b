"""When somebody gave a number or an id up, by Meta's word."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    -- From then on whoever comes with it is somebody else, or the same person when news says they have it again.
    ALTER TABLE contact_identity ADD COLUMN given_up_at INTEGER;
    -- Until now it was looked up in the trail.
    UPDATE contact_identity SET given_up_at = (SELECT max(at) FROM audit_event WHERE object_kind = 'contact'
        AND object_id = contact_id AND action = 'contact.identity_changed')
    WHERE kind = 'phone' AND value IS NOT (SELECT phone FROM contact WHERE id = contact_id)
        AND EXISTS (SELECT 1 FROM contact_identity AS former WHERE former.contact_id = contact_identity.contact_id
            AND former.kind = 'user_id' AND former.value IS NOT (SELECT user_id FROM contact
            WHERE id = contact_identity.contact_id))
        AND NOT EXISTS (SELECT 1 FROM audit_event WHERE object_kind = 'contact' AND object_id = contact_id
            AND action = 'contact.merged');
    """)
