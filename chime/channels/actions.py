"""Connecting, pausing and removing numbers."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime import notifications
from chime.clock import HOUR, MINUTE
from chime.errors import Conflict, Invalid, NotFound
from chime.ids import Ids
from chime.security.vault import Secret, Vault
from chime.whatsapp import is_simulated
from chime.workspaces import Transaction, quotas

CHECK = "channels.check"
LONGEST_PAUSE = HOUR
# What Meta says of a number of which it knows nothing yet.
_UNRATED = frozenset({"", "UNKNOWN", "NA"})
_GOOD = "GREEN"


class NewChannel(msgspec.Struct, frozen=True, kw_only=True):
    """What connects a number. The app's secrets may be left out for an app that is known."""

    phone_number_id: str
    waba_id: str
    display_phone: str
    app_id: str
    access_token: str
    app_secret: str | None = None
    verify_token: str | None = None


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """What to paste into Meta's dashboard."""

    channel_id: str
    app_key: str
    verify_token: str | None


async def add(control: Transaction, tx: Transaction, new: NewChannel, *, control_vault: Vault, vault: Vault,
              ids: Ids, workspace_id: str, simulated: bool = False) -> Connected:
    """Connect a number: the app and the route in control.db, the channel with its sealed token in the workspace.

    `control` is committed by the caller after `tx`: a route without a channel would take webhooks it can't apply,
    a channel without a route only waits for the command to be repeated. Raises Conflict when the number is taken, or
    simulated and real ones would stand side by side.
    """
    if not simulated:
        check_form(new)
    await _need_one_kind(control, simulated=simulated)
    owner = await control.rows("SELECT workspace_id, channel_id FROM channel_route WHERE phone_number_id = ?",
                               new.phone_number_id)
    if owner:
        raise Conflict("This phone number id is connected already; remove it there first.")
    await quotas.need_number(control, workspace_id)
    meta_app_id, app_key = await _app(control, new, vault=control_vault, ids=ids)
    # A number that was connected here before keeps its channel, and with it its conversations.
    channel_id = await tx.value("SELECT id FROM channel WHERE phone_number_id = ?", new.phone_number_id) or tx.new_id()
    sealed = vault.seal(new.access_token, table="channel", row=channel_id, column="access_token")
    await tx.execute(
        "INSERT INTO channel (id, phone_number_id, waba_id, meta_app_id, display_phone, access_token_sealed, "
        "access_token_last_four, created_at, access_token_changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET access_token_changed_at = excluded.access_token_changed_at, "
        "previous_access_token_sealed = NULL, "
        "waba_id = excluded.waba_id, meta_app_id = excluded.meta_app_id, display_phone = excluded.display_phone, "
        "access_token_sealed = excluded.access_token_sealed, state = 'connected', trouble = '', "
        "access_token_last_four = excluded.access_token_last_four, removed_at = NULL",
        channel_id, new.phone_number_id, new.waba_id, meta_app_id, new.display_phone, sealed,
        Secret(new.access_token).last_four, tx.now, tx.now)
    await tx.audit("channel.connected", "channel", channel_id)
    await control.execute(
        "INSERT INTO channel_route (phone_number_id, waba_id, workspace_id, channel_id, meta_app_id, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        new.phone_number_id, new.waba_id, workspace_id, channel_id, meta_app_id, control.now)
    await control.audit("channel.connected", "channel", channel_id, workspace_id=workspace_id)
    return Connected(channel_id=channel_id, app_key=app_key, verify_token=new.verify_token)


async def _need_one_kind(control: Transaction, *, simulated: bool) -> None:
    """Nobody shall ever have to ask which of the two a message went through."""
    if not await control.value("SELECT 1 FROM channel_route WHERE (phone_number_id GLOB '0*') <> ? LIMIT 1", simulated):
        return
    if simulated:
        raise Conflict("A number of WhatsApp's is connected on this server already; the simulated one is for before.")
    raise Conflict("This server has a practice workspace with a simulated number. Whoever runs the server removes it "
                   "first, under Practice workspace.")


def check_form(new: NewChannel) -> None:
    """What can be said of it without asking anybody. Raises Invalid naming every field."""
    problems = [(name, "Digits only, as Meta's dashboard shows it.")
                for name, given in (("phone_number_id", new.phone_number_id), ("waba_id", new.waba_id),
                                    ("app_id", new.app_id)) if not given.isdigit() or is_simulated(given)]
    if not any(character.isdigit() for character in new.display_phone):
        problems.append(("display_phone", "The number as people see it, such as +1 555 010 0200."))
    if len(new.access_token) < 8 or is_simulated(new.access_token):
        problems.append(("access_token", "This is no access token of Meta's."))
    if problems:
        raise Invalid(problems)


async def _app(control: Transaction, new: NewChannel, *, vault: Vault, ids: Ids) -> tuple[str, str]:
    """Our id and the address key of the Meta app; made when new, its secrets replaced when given again."""
    known = await control.rows("SELECT id, app_key FROM meta_app WHERE app_id = ?", new.app_id)
    if not known and (not new.app_secret or not new.verify_token):
        raise Invalid([("app_secret", "Needed the first time this Meta app is named."),
                       ("verify_token", "Needed the first time this Meta app is named.")])
    meta_app_id, app_key = known[0] if known else (control.new_id(), ids.code())
    if not known:
        await control.execute(
            "INSERT INTO meta_app (id, app_id, app_key, app_secret_sealed, verify_token_sealed, created_at) "
            "VALUES (?, ?, ?, x'', x'', ?)", meta_app_id, new.app_id, app_key, control.now)
    if new.app_secret:
        sealed = vault.seal(new.app_secret, table="meta_app", row=meta_app_id, column="app_secret")
        await control.execute("UPDATE meta_app SET app_secret_sealed = ?, app_secret_last_four = ? WHERE id = ?",
                              sealed, Secret(new.app_secret).last_four, meta_app_id)
    if new.verify_token:
        sealed = vault.seal(new.verify_token, table="meta_app", row=meta_app_id, column="verify_token")
        await control.execute("UPDATE meta_app SET verify_token_sealed = ?, verify_token_last_four = ? WHERE id = ?",
                              sealed, Secret(new.verify_token).last_four, meta_app_id)
    await control.audit("meta_app.stored", "meta_app", meta_app_id, secrets_given=bool(new.app_secret))
    return meta_app_id, app_key


async def remove(control: Transaction, tx: Transaction, channel_id: str) -> None:
    """Disconnect a number; its conversations stay readable. Raises NotFound."""
    if not await tx.execute("UPDATE channel SET removed_at = ?, access_token_sealed = x'', "
                            "previous_access_token_sealed = NULL, access_token_last_four = '' "
                            "WHERE id = ? AND removed_at IS NULL", tx.now, channel_id):
        raise NotFound("There is no such channel.")
    await tx.audit("channel.removed", "channel", channel_id)
    await control.execute("DELETE FROM channel_route WHERE channel_id = ?", channel_id)
    await control.audit("channel.removed", "channel", channel_id)


async def mark_trouble(tx: Transaction, channel_id: str, trouble: str) -> None:
    """Meta refuses this number's token or account: hold its sends and say why, until a call succeeds again."""
    if await tx.execute("UPDATE channel SET state = 'reconnect', trouble = ? WHERE id = ? AND state = 'connected'",
                        trouble, channel_id):
        await tx.audit("channel.trouble_found", "channel", channel_id)
        tx.publish("channel", channel_id)


async def reconnect(tx: Transaction, channel_id: str) -> None:
    """The number works (again)."""
    if await tx.execute("UPDATE channel SET state = 'connected', trouble = '' WHERE id = ? AND state <> 'connected'",
                        channel_id):
        await tx.audit("channel.reconnected", "channel", channel_id)
        tx.publish("channel", channel_id)


# `holds_back` of the moment ?1 and the row at hand.
HOLDS_BACK = f"coalesce(paused_until > ?1 AND paused_until <= ?1 + {LONGEST_PAUSE + MINUTE}, 0)"


def holds_back(paused_until: int, now: int) -> bool:
    """Whether the pause is still on. One that is further away than any was set by another clock."""
    return now < paused_until <= now + LONGEST_PAUSE + MINUTE


async def pause(tx: Transaction, channel_id: str, until: int) -> None:
    """Hold back every send of this number until then, an hour from now at most. What was said before counts no more:
    by a clock that was ahead it may have been said for next year."""
    await tx.execute("UPDATE channel SET paused_until = ? WHERE id = ?", until, channel_id)


async def record_quality(tx: Transaction, channel_id: str, *, verified_name: str | None = None,
                         quality: str | None = None, messages_per_second: int | None = None,
                         in_charge: Collection[str] = ()) -> None:
    """What Meta says of the number now. `in_charge` are told when it is rated otherwise than before."""
    if quality is not None and in_charge:
        await _tell_of_rating(tx, channel_id, quality, in_charge)
    await tx.execute("UPDATE channel SET verified_name = coalesce(?, verified_name), quality = coalesce(?, quality), "
                     "messages_per_second = coalesce(?, messages_per_second) WHERE id = ?",
                     verified_name, quality, messages_per_second, channel_id)
    tx.publish("channel", channel_id)


async def _tell_of_rating(tx: Transaction, channel_id: str, quality: str, in_charge: Collection[str]) -> None:
    """A first rating is news only when it is a bad one."""
    rows = await tx.rows("SELECT quality, verified_name, display_phone FROM channel WHERE id = ?", channel_id)
    if not rows or quality in _UNRATED or rows[0][0] == quality:
        return
    before, name, display_phone = rows[0]
    if before in _UNRATED and quality == _GOOD:
        return
    await notifications.notify(tx, in_charge, notifications.Kind.NUMBER_QUALITY, title=name or display_phone,
                               path="/settings/channels", from_chime=True)


def ask_anew(tx: Transaction, channel_id: str) -> None:
    """Meta has news of the number: what it says of it is fetched at once, not at the next daily look."""
    tx.enqueue(CHECK, channel_id)
