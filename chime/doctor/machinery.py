"""Checks of what runs: keys, mail, the sign-in provider, the clock, and how far behind the work is."""

from __future__ import annotations

import asyncio
import ctypes
from email.utils import parsedate_to_datetime
from typing import Any

from chime import audit, channels, inbound
from chime.backups import BackupState, Shelf, read_state, told
from chime.checked import Check, bad, doubtful, good, skipped, words
from chime.clock import DAY, MINUTE, SECOND
from chime.doctor.ground import Ground
from chime.errors import ChimeError, NotFound, Unavailable
from chime.security.crypto import CannotOpen
from chime.workspaces import Workspace
from chime.workspaces.key_status import key_status

# How long something may wait that could be done now, before it is worth a word, and before it is a fault.
LATE, TOO_LATE = 2 * MINUTE, 10 * MINUTE
MANY_NUDGES = 5_000
# Seconds that our clock may differ from Meta's: codes of a second factor live thirty, signatures of files minutes.
CLOCK_OFF, CLOCK_WRONG = 20, 90
# Meta's word counts for so long after it was given.
DATED_FOR = 15 * 60.0
# A backup is checked every six hours, and counts as good only then.
BACKUP_LATE, BACKUP_OLD = 13 * 3600.0, 26 * 3600.0
_CLOCK_UNSYNCHRONISED = 0x40
_ADJTIMEX_BYTES = 512
_STATUS_AT = 40  # of a 64-bit `struct timex`: modes, offset, freq, maxerror, esterror, status


async def keys(ground: Ground) -> Check:
    """A key that is a year old is no fault, but somebody should know."""
    status = await key_status(ground.control, now=ground.clock.real_now())
    trouble = [f"{one.name}: {use.trouble}" for one in status.workspaces for use in one.purposes if use.trouble]
    old = [one.name for one in status.workspaces if one.due]
    advice = ["Replace the installation's keys: chime keys rotate --master"] if status.due else []
    advice += [f"Replace the keys of {name!r}: chime keys rotate --workspace NAME" for name in old[:3]]
    values: dict[str, Any] = {"detail": "; ".join(trouble) or f"generation {status.generation}",
                              "todo": "; ".join(advice)}
    said = words("being replaced; %(detail)s") if status.anything_moving else "%(detail)s"
    if trouble:
        return bad(words("keys"), said, "%(todo)s", where="/installation/keys", **values)
    return good("keys", said, "%(todo)s" if advice else "", where="/installation/keys" if advice else "", **values)


async def parked(ground: Ground) -> Check:
    """Not wrong in itself: perhaps nobody has connected the number yet."""
    number = await inbound.parked_count(ground.control.db)
    return good(words("deliveries"), words("%(count)s parked for numbers that nobody has connected"),
                words("`chime prove-inbox` shows them; they are delivered when `chime channel add` connects the number "
                      "within a month.") if number else "", count=number)


async def mail(ground: Ground) -> Check:
    name, config = words("mail"), ground.config
    if config.mail_server is None or not config.public_url:
        return good(name, words("not set up: links are shown, to be handed over"),
                    words("Set CHIME_SMTP_URL and CHIME_PUBLIC_URL to have invitations and resets mailed."))
    rows: dict[str, int] = dict(await ground.control.db.rows(
        "SELECT CASE WHEN state = 'queued' AND attempts > 0 THEN 'late' ELSE state END, count(*) FROM outgoing_mail "
        "WHERE created_at > ? GROUP BY 1", ground.clock.real_now() - 7 * DAY))
    values: dict[str, Any] = {state: rows.get(state, 0) for state in ("late", "given_up", "sent")}
    said = words("last week: %(sent)s sent, %(given_up)s given up, %(late)s tried and waiting")
    advice = words("The log says why (mail.not_taken); check CHIME_SMTP_URL.")
    if values["late"]:
        return bad(name, said, advice, **values)
    return good(name, said, advice if values["given_up"] else "", **values)


async def provider(ground: Ground) -> list[Check]:
    """Whether the sign-in provider can be asked, and somebody gets in when it can't."""
    oidc = ground.config.oidc
    if oidc is None or ground.provider is None:
        return []
    reason = await ground.provider()
    if reason:
        found = [bad(words("sign-in provider"), words("%(issuer)s: %(reason)s"),
                     _MEND_PROVIDER.get(reason, words("Is it reachable from here, over https?")),
                     issuer=oidc.issuer, reason=reason)]
    else:
        found = [good(words("sign-in provider"), words("%(issuer)s answers"), issuer=oidc.issuer)]
    if not oidc.only:
        return found
    count = int(await ground.control.db.value("SELECT count(*) FROM user WHERE break_glass AND disabled_at IS NULL"))
    said = words("%(count)s users get in without the provider")
    return [*found, good(words("break-glass"), said, count=count) if count else bad(
        "break-glass", said, words("Run `chime user break-glass --email …` for an owner."), count=count)]


_MEND_PROVIDER = {
    "other_issuer": words("It calls itself by another name: write CHIME_OIDC_ISSUER letter by letter as it does."),
    "place_not_allowed": words("It names addresses at other hosts: allow them with CHIME_EGRESS_ALLOW, if they are its "
                               "own."),
    "unreachable": words("Is it reachable from here, over https? In your own network it needs CHIME_EGRESS_ALLOW."),
}


def clock(ground: Ground) -> Check:
    """Against the clock of whoever was asked last (Meta), else by what the kernel says of its own."""
    name, advice = words("clock"), words("Set the machine's clock by the network: timedatectl set-ntp true")
    offset = _offset(ground)
    if offset is None:
        kept = _kernel_is_synchronised()
        if kept is None:
            return skipped(name, words("nothing to hold it against yet"))
        return good(name, words("the kernel says that it is kept right") if kept else
                    words("the kernel does not know whether it is right"), "" if kept else advice)
    if abs(offset) >= CLOCK_WRONG:
        return bad(name, words("%(seconds)s seconds from Meta’s: codes and signatures fail"), advice, seconds=offset)
    if abs(offset) >= CLOCK_OFF:
        return doubtful(name, words("%(seconds)s seconds from Meta’s"), advice, seconds=offset)
    return good(name, words("right, as far as Meta’s says"))


def _offset(ground: Ground) -> int | None:
    """Seconds that ours is ahead of Meta's."""
    dated = ground.graph.dated
    if dated is None:
        return None
    text, heard = dated
    passed = asyncio.get_running_loop().time() - heard
    try:
        theirs = parsedate_to_datetime(text).timestamp() + passed
    except ValueError:
        return None
    return round(ground.clock.real_now() / SECOND - theirs) if passed < DATED_FOR else None


def _kernel_is_synchronised() -> bool | None:
    """None where the kernel does not say."""
    asked = ctypes.create_string_buffer(_ADJTIMEX_BYTES)  # `modes` 0: nothing is set
    try:
        if ctypes.CDLL(None).adjtimex(asked) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return not int.from_bytes(asked.raw[_STATUS_AT:_STATUS_AT + 4], "little") & _CLOCK_UNSYNCHRONISED


async def backlog(ground: Ground) -> Check:
    """How long the oldest thing waits that could be done now: a webhook not in effect, a message not sent."""
    oldest, workspace_name, now = 0, "", ground.clock.now()
    for record in await ground.control.workspaces():
        if record.state != "active" or (ground.waiting is not None and record.id not in ground.registry.open_ids):
            continue  # one that is closed has nothing under way; the sweep opens those that have
        try:
            async with ground.registry.use(record.id) as workspace:
                waited = now - await _oldest_due(workspace, now)
        except (NotFound, Unavailable, CannotOpen, ChimeError, OSError):
            continue
        if waited > oldest:
            oldest, workspace_name = waited, record.name
    nudges = ground.waiting() if ground.waiting is not None else 0
    values: dict[str, Any] = {"seconds": oldest // SECOND, "workspace": workspace_name, "count": nudges}
    if oldest >= TOO_LATE:
        return bad("queue", words("the oldest work that is due has waited for %(seconds)s seconds, in %(workspace)s"),
                   words("The log says which job fails (job.failed). Is the machine out of memory, disk or processor?"),
                   **values)
    if oldest >= LATE or nudges > MANY_NUDGES:
        return doubtful("queue", words("the oldest work that is due has waited for %(seconds)s seconds, %(count)s jobs "
                                       "wait for a place"),
                        words("If it does not get less, look for job.failed in the log."), **values)
    return good(words("queue"), words("the oldest work that is due has waited for %(seconds)s seconds"), **values)


async def _oldest_due(workspace: Workspace, now: int) -> int:
    """Since when something waits; now, when nothing does."""
    received = await workspace.unapplied_since()
    # What a number is not allowed to send now waits for the number, not for us.
    queued = await workspace.db.value(
        "SELECT min(next_attempt_at) FROM message JOIN channel ON channel.id = message.channel_id "
        f"WHERE status = 'queued' AND channel.state = 'connected' AND NOT {channels.HOLDS_BACK}", now)
    return min(received or now, queued or now, now)


async def trails(ground: Ground) -> Check:
    """The trail of the installation itself; those of workspaces stand with them."""
    alarm = await audit.alarm(ground.control.db)
    if alarm is not None:
        return bad(words("audit trail"), "%(reason)s", words("Examine it with `chime audit verify`."),
                   where="/installation/audit", reason=alarm.reason)
    return good(words("audit trail"), words("nobody has changed it"))




async def backups(ground: Ground) -> list[Check]:
    """Age of the last good backup, the second place, the last drill, what no backup has: from what lies on the shelf
    and in the data folder, whoever runs."""
    now, shelf = ground.clock.real_now(), Shelf(ground.config.backup_dir)
    state = await asyncio.to_thread(read_state, shelf, now, told(shelf, ground.config.data_dir))
    began = int(await ground.control.db.value("SELECT min(created_at) FROM workspace") or now)
    return [_backup_age(state, is_new=now - began < DAY), _second_place(state), _drill(state), _stored_files(state)]


def _backup_age(state: BackupState, *, is_new: bool) -> Check:
    name, age = words("backup"), state.worst_age_seconds
    advice = words("Look at CHIME_BACKUP_DIR: is there space, and may Chime write there? `chime backup list` says "
                   "more.")
    if state.trouble:
        return bad(name, "%(trouble)s", advice, trouble=state.trouble)
    if age is None:
        if is_new:
            return skipped(name, words("none was checked yet; that comes by itself"))
        return bad(name, words("there is none that was checked"), words("Make one: chime backup now"))
    values: dict[str, Any] = {"minutes": int(age // 60)}
    said = words("the last good one of the workspace that has waited longest is %(minutes)s minutes old")
    if age >= BACKUP_OLD:
        return bad(name, said, advice, **values)
    if age >= BACKUP_LATE:
        return doubtful(name, said, advice, **values)
    return good(name, said, **values)


def _second_place(state: BackupState) -> Check:
    name, age = words("second place"), state.second_age_seconds
    advice = words("Is it there, and may Chime write to it? See CHIME_BACKUP_SECOND.")
    if state.second_trouble:
        return bad(name, "%(trouble)s", advice, trouble=state.second_trouble)
    if age is None:
        return good(name, words("none: a fire takes the backups with the server"),
                    words("Set CHIME_BACKUP_SECOND to another disk or a remote of rclone."))
    values: dict[str, Any] = {"minutes": int(age // 60)}
    said = words("the copy elsewhere is %(minutes)s minutes old")
    return bad(name, said, advice, **values) if age >= BACKUP_OLD else good(name, said, **values)


def _drill(state: BackupState) -> Check:
    name = words("restore drill")
    if state.drilled_at is None:
        return good(name, words("none yet; it comes by itself within a week"),
                    words("Or try it now: chime backup drill"))
    return good(name, words("the last one took %(seconds)s seconds"), seconds=round(state.drill_seconds))


def _stored_files(state: BackupState) -> Check:
    name = words("stored files")
    if not state.files_gone:
        return good(name, words("none was missing in the last check of the backups"))
    return bad(name, words("gone, and not in the backup either: %(count)s"),
               words("Something took them away from under Chime. Look at the disk. If an older backup or another copy "
                     "of the data folder has them, put them back into the workspace's `media` folder."),
               count=state.files_gone)
