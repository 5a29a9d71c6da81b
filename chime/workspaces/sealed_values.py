"""Every column that holds a sealed value, so that a rotation finds them all. A test compares this with the schemas.

The associated data of such a value is its table, its row and its column's name without `_sealed`.
"""

from __future__ import annotations

import msgspec

BATCH = 500


class SealedColumn(msgspec.Struct, frozen=True, kw_only=True):
    """`read` gives rows after an id, `BATCH` at most; `change` gets the new value, the id and the value that was read:
    one that was replaced meanwhile stays as it is."""

    table: str
    column: str
    read: str
    change: str


CONTROL_VALUES: tuple[SealedColumn, ...] = (
    SealedColumn(
        table="meta_app", column="app_secret",
        read="SELECT id, app_secret_sealed FROM meta_app WHERE id > ? AND length(app_secret_sealed) > 0 "
             "ORDER BY id LIMIT 500",
        change="UPDATE meta_app SET app_secret_sealed = ? WHERE id = ? AND app_secret_sealed = ?"),
    SealedColumn(
        table="meta_app", column="previous_app_secret",
        read="SELECT id, previous_app_secret_sealed FROM meta_app WHERE id > ? "
             "AND length(previous_app_secret_sealed) > 0 ORDER BY id LIMIT 500",
        change="UPDATE meta_app SET previous_app_secret_sealed = ? WHERE id = ? AND previous_app_secret_sealed = ?"),
    SealedColumn(
        table="meta_app", column="verify_token",
        read="SELECT id, verify_token_sealed FROM meta_app WHERE id > ? AND length(verify_token_sealed) > 0 "
             "ORDER BY id LIMIT 500",
        change="UPDATE meta_app SET verify_token_sealed = ? WHERE id = ? AND verify_token_sealed = ?"),
    SealedColumn(
        table="audit_key", column="seed",
        read="SELECT id, seed_sealed FROM audit_key WHERE id > ? AND length(seed_sealed) > 0 ORDER BY id LIMIT 500",
        change="UPDATE audit_key SET seed_sealed = ? WHERE id = ? AND seed_sealed = ?"),
    SealedColumn(
        table="outgoing_mail", column="message",
        read="SELECT id, message_sealed FROM outgoing_mail WHERE id > ? AND length(message_sealed) > 0 "
             "ORDER BY id LIMIT 500",
        change="UPDATE outgoing_mail SET message_sealed = ? WHERE id = ? AND message_sealed = ?"),
    SealedColumn(
        table="totp", column="secret",
        read="SELECT id, secret_sealed FROM totp WHERE id > ? AND length(secret_sealed) > 0 ORDER BY id LIMIT 500",
        change="UPDATE totp SET secret_sealed = ? WHERE id = ? AND secret_sealed = ?"),
    SealedColumn(
        table="push_key", column="private",
        read="SELECT id, private_sealed FROM push_key WHERE id > ? AND length(private_sealed) > 0 "
             "ORDER BY id LIMIT 500",
        change="UPDATE push_key SET private_sealed = ? WHERE id = ? AND private_sealed = ?"),
    SealedColumn(
        table="push_subscription", column="address",
        read="SELECT id, address_sealed FROM push_subscription WHERE id > ? AND length(address_sealed) > 0 "
             "ORDER BY id LIMIT 500",
        change="UPDATE push_subscription SET address_sealed = ? WHERE id = ? AND address_sealed = ?"),
)
WORKSPACE_VALUES: tuple[SealedColumn, ...] = (
    SealedColumn(
        table="channel", column="access_token",
        read="SELECT id, access_token_sealed FROM channel WHERE id > ? AND length(access_token_sealed) > 0 "
             "ORDER BY id LIMIT 500",
        change="UPDATE channel SET access_token_sealed = ? WHERE id = ? AND access_token_sealed = ?"),
    SealedColumn(
        table="channel", column="previous_access_token",
        read="SELECT id, previous_access_token_sealed FROM channel WHERE id > ? "
             "AND length(previous_access_token_sealed) > 0 ORDER BY id LIMIT 500",
        change="UPDATE channel SET previous_access_token_sealed = ? WHERE id = ? "
               "AND previous_access_token_sealed = ?"),
    SealedColumn(
        table="export_file", column="key",
        read="SELECT id, key_sealed FROM export_file WHERE id > ? AND length(key_sealed) > 0 ORDER BY id LIMIT 500",
        change="UPDATE export_file SET key_sealed = ? WHERE id = ? AND key_sealed = ?"),
)
# Sealed with keys of their own, and moved by their own code: table and column.
OTHERWISE = {
    ("parked_delivery", "body_sealed"): "a whole body, under the key of what is parked",
}
