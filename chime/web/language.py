"""Words, dates and numbers in the reader's language and zone.

English is the source; other languages are compiled catalogues `chime/locale/<language>.mo` made with Babel. A string
without a translation is shown in English, never left out.
"""

from __future__ import annotations

import gettext
import io
import re
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_datetime_format
from babel.numbers import format_currency, format_decimal

from chime import resources
from chime.clock import DAY, HOUR, MINUTE, rfc3339
from chime.errors import Sentence

_CURRENCY = re.compile("[A-Z]{3}")


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    """The named time zone, or UTC."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, or too long a name
        return UTC


@lru_cache(maxsize=64)
def locale(name: str) -> Locale:
    """The named locale, or English."""
    try:
        return Locale.parse(name or "en", sep="-" if "-" in name else "_")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


class _Catalogue(gettext.GNUTranslations):
    """The words of a language, also for sentences with values in them."""

    def __init__(self, language: str, compiled: bytes) -> None:
        super().__init__(io.BytesIO(compiled))
        self._locale = locale(language)

    def gettext(self, message: str) -> str:
        if not isinstance(message, Sentence):
            return super().gettext(message)
        return super().gettext(message.template) % {
            name: format_decimal(value, locale=self._locale) if isinstance(value, int) else value
            for name, value in message.values.items()}


@lru_cache(maxsize=64)
def catalogue(language: str) -> gettext.NullTranslations:
    """The words of a language."""
    compiled = resources.catalogue_files().get(f"{language}.mo")
    return _Catalogue(language, compiled) if compiled else gettext.NullTranslations()


def to_the_minute(at: int) -> str:
    """A moment for a machine that shows it as `clock_time` does: the rest would be a hundred times in a thread."""
    return _minute(at // MINUTE)


@lru_cache(4096)
def _minute(number: int) -> str:
    return f"{rfc3339(number * MINUTE)[:16]}Z"


# A page says some hundred moments and Babel takes 60 µs for each. A day has 1,440 minutes and a thread few days, so the
# two halves of a moment are nearly always known already, while whole moments seldom are.
@lru_cache(maxsize=16_384)
def _clock_time(where: Locale, minute_of_day: int) -> str:
    text = format_time(time(minute_of_day // 60, minute_of_day % 60), "short", locale=where)
    return text.replace("\u202f", "\u00a0")


@lru_cache(maxsize=16_384)
def _date(where: Locale, ordinal: int, form: str) -> str:
    return format_date(date.fromordinal(ordinal), form, locale=where)


@lru_cache(maxsize=64)
def _together(where: Locale) -> str:
    """How a language puts a time (0) beside a date (1)."""
    return str(get_datetime_format("medium", locale=where)).replace("'", "")


@lru_cache(maxsize=4_096)
def _dated(where: Locale, ordinal: int) -> str:
    """A date with a place ({0}) for the time beside it."""
    return _together(where).replace("{1}", _date(where, ordinal, "medium"))


@lru_cache(maxsize=4_096)
def _day_label(where: Locale, ordinal: int, today: int) -> str:
    days = today - ordinal
    if days in (0, 1):
        words = catalogue(where.language)
        return words.gettext("Yesterday") if days else words.gettext("Today")
    return _date(where, ordinal, "EEEE" if 1 < days < 7 else "medium")


class Moment(msgspec.Struct, frozen=True, gc=False):
    """A moment in every way that a line of a thread says it."""

    day: str
    clock: str
    full: str
    machine: str


class Reader:
    """Formats moments for one person. `now` is fixed for a page, so all of it agrees."""

    def __init__(self, locale_name: str, zone_name: str, now: int) -> None:
        self.locale = locale(locale_name)
        self.zone = zone(zone_name)
        self.now = now
        self.today = self._local(now).toordinal()

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1000, self.zone)

    def clock_time(self, at: int) -> str:
        """10:30, or 10:30 AM where people write so."""
        local = self._local(at)
        return _clock_time(self.locale, local.hour * 60 + local.minute)

    def day_label(self, at: int) -> str:
        """Today, Yesterday, a weekday of the last week, else the date."""
        return _day_label(self.locale, self._local(at).toordinal(), self.today)

    def short_when(self, at: int) -> str:
        """As lists show it: the time today, the weekday this week, else the date."""
        ordinal = self._local(at).toordinal()
        days = self.today - ordinal
        if days <= 0:
            return self.clock_time(at)
        return _date(self.locale, ordinal, "EEE" if days < 7 else "d MMM")

    def full_when(self, at: int) -> str:
        """21 Nov 2026, 10:30."""
        return self.moment(at).full

    def moment(self, at: int) -> Moment:
        """All that a message says of its time, for one look at the calendar: a thread has forty messages."""
        local = self._local(at)
        ordinal, clock = local.toordinal(), _clock_time(self.locale, local.hour * 60 + local.minute)
        return Moment(_day_label(self.locale, ordinal, self.today), clock,
                      _dated(self.locale, ordinal).replace("{0}", clock), to_the_minute(at))

    def soon(self, at: int) -> str:
        """A coming moment as people say it: the time today, a weekday with it within the week, else the date too."""
        local = self._local(at)
        days, clock = local.toordinal() - self.today, self.clock_time(at)
        if days == 0:
            return clock
        if 0 < days < 7:
            return f"{_date(self.locale, local.toordinal(), 'EEEE')} {clock}"
        return self.full_when(at)

    def input_time(self, at: int) -> str:
        """As a browser's field for a day and a time takes it: 2026-11-23T09:30."""
        return self._local(at).strftime("%Y-%m-%dT%H:%M")

    def duration(self, milliseconds: int) -> str:
        """3 h 12 min."""
        days, rest = divmod(max(0, milliseconds), DAY)
        hours, rest = divmod(rest, HOUR)
        minutes = rest // MINUTE
        words = catalogue(self.locale.language)
        parts = [words.gettext("%(n)s d") % {"n": days}] if days else []
        parts += [words.gettext("%(n)s h") % {"n": hours}] if hours else []
        parts += [words.gettext("%(n)s min") % {"n": minutes}] if not days else []
        return " ".join(parts)

    def money(self, amount: tuple[int, str]) -> str:
        """Millionths of a currency's unit, to the last digit that is no nought: ₹0.115. A customer's order names its
        currency: what is no code is shown as it came, since Babel would take it for part of a pattern."""
        micros, currency = amount
        units = Decimal(micros) / 1_000_000
        if not _CURRENCY.fullmatch(currency):
            return f"{format_decimal(units, locale=self.locale, decimal_quantization=False)} {currency}".rstrip()
        return format_currency(units, currency, locale=self.locale, decimal_quantization=False)

    def number(self, count: int) -> str:
        """25,000,000."""
        return format_decimal(count, locale=self.locale)

    def country(self, code: str) -> str:
        """What the country of these two letters is called."""
        return str(self.locale.territories.get(code, code))

    def on_day(self, day: str) -> str:
        """A day as files have it (2026-10-01), as people write it."""
        return _date(self.locale, date.fromisoformat(day).toordinal(), "medium")

    def in_words(self, text: str) -> str:
        """A text of ours that came out of a table, such as the reason of a failure. Unknown ones stay as they are."""
        return catalogue(self.locale.language).gettext(text) if text else text
