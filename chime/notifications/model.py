"""What people are told of, by which ways, and when they are left in peace. Pure rules."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from chime.clock import DAY, HOUR, MINUTE
from chime.phone import Phone

# So long somebody finds what they were told of.
KEPT_FOR = 90 * DAY
# What is older comes too late for a device to ring.
FRESH_FOR = HOUR
# So long somebody has to read it before a mail tells of it.
AWAY_AFTER = 10 * MINUTE


class Kind(StrEnum):
    """What happened."""

    ASSIGNED_TO_ME = "assigned_to_me"
    NEW_UNASSIGNED = "new_unassigned"
    NEW_MESSAGE = "new_message"
    MENTION = "mention"
    WAITING_TOO_LONG = "waiting_too_long"
    STAND_IN = "stand_in"
    REMINDER = "reminder"
    SCHEDULED_FAILED = "scheduled_failed"
    CUSTOMER_WROTE_FIRST = "customer_wrote_first"
    CAMPAIGN_FINISHED = "campaign_finished"
    NUMBER_QUALITY = "number_quality"
    CONNECTION_TROUBLE = "connection_trouble"
    CONNECTION_WELL = "connection_well"
    MESSAGES_HELD = "messages_held"
    MESSAGES_IN_DOUBT = "messages_in_doubt"


class Way(StrEnum):
    """How somebody hears of it: in the list behind the bell, by a sound, by a notice of the desktop, on a device by
    push, by mail."""

    IN_APP = "in_app"
    SOUND = "sound"
    DESKTOP = "desktop"
    PUSH = "push"
    MAIL = "mail"


class Sound(StrEnum):
    """The five there are; the page makes them itself."""

    DROP = "drop"
    BELL = "bell"
    KNOCK = "knock"
    RISE = "rise"
    CHIME = "chime"


class Digest(StrEnum):
    """When a mail tells of what was not read."""

    OFF = "off"
    HOURLY = "hourly"
    DAILY = "daily"


_PAGE = (Way.IN_APP, Way.SOUND, Way.DESKTOP)
_EVERY = tuple(Way)
DEFAULT_WAYS: dict[Kind, tuple[Way, ...]] = {
    Kind.ASSIGNED_TO_ME: _EVERY,
    Kind.NEW_UNASSIGNED: _PAGE,
    Kind.NEW_MESSAGE: _EVERY,
    Kind.MENTION: _EVERY,
    Kind.WAITING_TOO_LONG: _EVERY,
    Kind.STAND_IN: _EVERY,
    Kind.REMINDER: _EVERY,
    Kind.SCHEDULED_FAILED: _EVERY,
    Kind.CUSTOMER_WROTE_FIRST: _EVERY,
    Kind.CAMPAIGN_FINISHED: (Way.IN_APP, Way.MAIL),
    Kind.NUMBER_QUALITY: (Way.IN_APP, Way.PUSH, Way.MAIL),
    # The mail of these goes at once, by itself (chime.doctor): whoever is away must hear of it.
    Kind.CONNECTION_TROUBLE: (Way.IN_APP, Way.SOUND, Way.DESKTOP, Way.PUSH),
    Kind.CONNECTION_WELL: (Way.IN_APP, Way.PUSH),
    # So does the mail of these (chime.inbox.unsettled_jobs).
    Kind.MESSAGES_HELD: (Way.IN_APP, Way.SOUND, Way.DESKTOP, Way.PUSH),
    Kind.MESSAGES_IN_DOUBT: (Way.IN_APP, Way.SOUND, Way.DESKTOP, Way.PUSH),
}


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What one person chose. `ways` holds only what differs from the usual; times of day are minutes after midnight
    in `zone`, the person's own when it is empty. `shows_text`: a customer's words may stand on a locked screen and in
    a mail; otherwise the name is all that leaves. `rings_on`: who waits too long is rung until somebody looks."""

    ways: dict[str, tuple[Way, ...]] = {}
    sound: Sound = Sound.BELL
    volume: int = 60
    rings_on: bool = False
    is_quiet: bool = False
    quiet_from: int = 20 * 60
    quiet_until: int = 8 * 60
    quiet_days: tuple[int, ...] = ()
    zone: str = ""
    digest: Digest = Digest.OFF
    digest_at: int = 9 * 60
    shows_text: bool = False

    def wants(self, kind: Kind, way: Way) -> bool:
        return way in self.ways.get(kind.value, DEFAULT_WAYS[kind])

    def kinds_by(self, way: Way) -> tuple[Kind, ...]:
        return tuple(kind for kind in Kind if self.wants(kind, way))

    def ignores(self, kind: Kind) -> bool:
        """Whether they want to hear nothing of it at all."""
        return not any(self.wants(kind, way) for way in Way)

    def in_peace(self, at: int, zone: str) -> bool:
        """Whether nothing shall ring or flash now. `zone` counts when they named none."""
        local = local_time(at, self.zone or zone)
        if local.weekday() in self.quiet_days:
            return True
        if not self.is_quiet or self.quiet_from == self.quiet_until:
            return False
        minute = local.hour * 60 + local.minute
        if self.quiet_from < self.quiet_until:
            return self.quiet_from <= minute < self.quiet_until
        return minute >= self.quiet_from or minute < self.quiet_until

    def mails_at(self, now: int, last: int | None, zone: str) -> bool:
        """Whether a mail may go now, when the last one went at `last`: hourly at most, or daily after the hour that
        was chosen."""
        if self.digest is Digest.OFF:
            return False
        if self.digest is Digest.HOURLY:
            return last is None or now - last >= HOUR
        local = local_time(now, self.zone or zone)
        told = local_time(last, self.zone or zone).date() if last is not None else None
        return local.hour * 60 + local.minute >= self.digest_at and told != local.date()


def local_time(at: int, zone: str) -> datetime:
    """A moment where somebody is; UTC where nobody knows."""
    try:
        return datetime.fromtimestamp(at / 1000, ZoneInfo(zone) if zone else UTC)
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.fromtimestamp(at / 1000, UTC)


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One thing one person is told of, with the names of what it is about as they are now."""

    id: str
    user_id: str
    kind: Kind
    conversation_id: str | None
    title: str
    path: str
    by_name: str
    count: int
    at: int
    read_at: int | None
    contact_name: str | None = None
    contact_profile_name: str | None = None
    contact_username: str | None = None
    contact_phone: Phone | None = None

    @property
    def about(self) -> str:
        """The customer's name as the reader of this request may see it, or the thing's own; as ui.md 7.11 orders."""
        if self.conversation_id is None:
            return self.title
        if self.contact_name or self.contact_profile_name:
            return self.contact_name or self.contact_profile_name or ""
        if self.contact_username:
            return f"@{self.contact_username}"
        return str(self.contact_phone) if self.contact_phone else "WhatsApp user"


def sound_volume(value: int) -> int:
    return max(0, min(100, value))
