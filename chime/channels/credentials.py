"""Replacing one credential without typing the others again. Each was tried with Meta before it comes here.

An access token keeps the one before it until it worked once; an app's secret keeps the one before it for two days, in
which Meta may sign with either. Nothing that was stored is ever read back to anybody: four characters tell which it is.
"""

from __future__ import annotations

from chime.errors import Invalid, NotFound, Refused
from chime.security.vault import Secret, Vault
from chime.workspaces import Transaction


async def replace_token(tx: Transaction, vault: Vault, channel_id: str, token: Secret) -> None:
    """The number writes with this token from now on. Raises NotFound, Invalid."""
    _need_form("access_token", token)
    rows = await tx.rows("SELECT access_token_sealed FROM channel WHERE id = ? AND removed_at IS NULL", channel_id)
    if not rows:
        raise NotFound("There is no such channel.")
    # Its place is another column, so it is sealed anew.
    before = vault.open(rows[0][0], table="channel", row=channel_id, column="access_token") if rows[0][0] else None
    await tx.execute(
        "UPDATE channel SET access_token_sealed = ?, access_token_last_four = ?, access_token_changed_at = ?, "
        "previous_access_token_sealed = ?, state = 'connected', trouble = '' WHERE id = ?",
        vault.seal(token.reveal(), table="channel", row=channel_id, column="access_token"), token.last_four, tx.now,
        vault.seal(before.reveal(), table="channel", row=channel_id, column="previous_access_token")
        if before else None, channel_id)
    await tx.audit("channel.token_replaced", "channel", channel_id)
    tx.publish("channel", channel_id)


async def forget_previous_token(tx: Transaction, channel_id: str) -> None:
    """The new one worked."""
    await tx.execute("UPDATE channel SET previous_access_token_sealed = NULL WHERE id = ? "
                     "AND previous_access_token_sealed IS NOT NULL", channel_id)


async def restore_previous_token(tx: Transaction, vault: Vault, channel_id: str) -> bool:
    """The new one was refused before it ever worked: the one before it comes back, if there is one."""
    sealed = await tx.value("SELECT previous_access_token_sealed FROM channel WHERE id = ? AND removed_at IS NULL",
                            channel_id)
    if sealed is None:
        return False
    before = vault.open(sealed, table="channel", row=channel_id, column="previous_access_token")
    await tx.execute(
        "UPDATE channel SET access_token_sealed = ?, access_token_last_four = ?, previous_access_token_sealed = NULL "
        "WHERE id = ?", vault.seal(before.reveal(), table="channel", row=channel_id, column="access_token"),
        before.last_four, channel_id)
    await tx.audit("channel.token_restored", "channel", channel_id)
    tx.publish("channel", channel_id)
    return True


async def replace_app_secret(control: Transaction, vault: Vault, meta_app_id: str, secret: Secret) -> None:
    """Meta's deliveries may be signed with this secret from now on, and for two days with the one before it."""
    _need_form("app_secret", secret)
    rows = await control.rows("SELECT app_secret_sealed FROM meta_app WHERE id = ?", meta_app_id)
    if not rows:
        raise NotFound("There is no such app.")
    before = vault.open(rows[0][0], table="meta_app", row=meta_app_id, column="app_secret")
    if before == secret:
        return
    await control.execute(
        "UPDATE meta_app SET app_secret_sealed = ?, app_secret_last_four = ?, app_secret_changed_at = ?, "
        "previous_app_secret_sealed = ? WHERE id = ?",
        vault.seal(secret.reveal(), table="meta_app", row=meta_app_id, column="app_secret"), secret.last_four,
        control.now, vault.seal(before.reveal(), table="meta_app", row=meta_app_id, column="previous_app_secret"),
        meta_app_id)
    await control.audit("meta_app.secret_replaced", "meta_app", meta_app_id)


async def forget_previous_app_secret(control: Transaction, meta_app_id: str) -> None:
    """Only the newest counts from now on."""
    if await control.execute("UPDATE meta_app SET previous_app_secret_sealed = NULL WHERE id = ? "
                             "AND previous_app_secret_sealed IS NOT NULL", meta_app_id):
        await control.audit("meta_app.previous_secret_dropped", "meta_app", meta_app_id)


async def replace_verify_token(control: Transaction, vault: Vault, meta_app_id: str, token: Secret, *,
                               workspace_id: str) -> None:
    """The word by which Meta knows our address. It can't be tried with Meta, so nobody changes it for others. Raises
    NotFound, Invalid, Refused."""
    _need_form("verify_token", token)
    if await control.value("SELECT 1 FROM channel_route WHERE meta_app_id = ? AND workspace_id <> ?", meta_app_id,
                           workspace_id):
        raise Refused("Other workspaces use this Meta app as well; whoever runs this server can change its verify "
                      "token.", code="shared_app")
    if not await control.execute("UPDATE meta_app SET verify_token_sealed = ?, verify_token_last_four = ? WHERE id = ?",
                                 vault.seal(token.reveal(), table="meta_app", row=meta_app_id, column="verify_token"),
                                 token.last_four, meta_app_id):
        raise NotFound("There is no such app.")
    await control.audit("meta_app.verify_token_replaced", "meta_app", meta_app_id)


def _need_form(field: str, secret: Secret) -> None:
    text = secret.reveal()
    if not 8 <= len(text) <= 1_000 or not text.isascii() or not text.isprintable() or text != text.strip():
        raise Invalid.field(field, "This is not in the form of a credential of Meta's: 8 to 1,000 plain characters.")
