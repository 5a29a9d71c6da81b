"""Words, dates and numbers in the reader's language and zone.

English is the source; other languages are compiled catalogues `chime/locale/<language>.mo` made with Babel. A string
without a translation is shown in English, never left out.
"""

from __future__ import annotations

import gettext
import io
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time

from chime import resources
from chime.clock import DAY, HOUR, MINUTE


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    """The named time zone, or UTC."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


@lru_cache(maxsize=64)
def locale(name: str) -> Locale:
    """The named locale, or English."""
    try:
        return Locale.parse(name or "en", sep="-" if "-" in name else "_")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@lru_cache(maxsize=64)
def catalogue(language: str) -> gettext.NullTranslations:
    """The words of a language."""
    compiled = resources.catalogue_files().get(f"{language}.mo")
    return gettext.GNUTranslations(io.BytesIO(compiled)) if compiled else gettext.NullTranslations()


# A page says some hundred moments, most of them those of the page before; Babel takes 60 µs for each.
@lru_cache(maxsize=16_384)
def _full(where: Locale, when: tzinfo, second: int) -> str:
    text = format_datetime(datetime.fromtimestamp(second, when), "medium", locale=where)
    return text.replace("\u202f", "\u00a0")


@lru_cache(maxsize=16_384)
def _clock_time(where: Locale, when: tzinfo, minute: int) -> str:
    text = format_time(datetime.fromtimestamp(minute * 60, when), "short", locale=where)
    return text.replace("\u202f", "\u00a0")


class Reader:
    """Formats moments for one person. `now` is fixed for a page, so all of it agrees."""

    def __init__(self, locale_name: str, zone_name: str, now: int) -> None:
        self.locale = locale(locale_name)
        self.zone = zone(zone_name)
        self.now = now

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1000, self.zone)

    def clock_time(self, at: int) -> str:
        """10:30, or 10:30 AM where people write so."""
        return _clock_time(self.locale, self.zone, at // 60_000)

    def day_label(self, at: int) -> str:
        """Today, Yesterday, a weekday of the last week, else the date."""
        days = (self._local(self.now).date() - self._local(at).date()).days
        words = catalogue(self.locale.language)
        if days == 0:
            return words.gettext("Today")
        if days == 1:
            return words.gettext("Yesterday")
        if 1 < days < 7:
            return format_date(self._local(at), "EEEE", locale=self.locale)
        return format_date(self._local(at), "medium", locale=self.locale)

    def short_when(self, at: int) -> str:
        """As lists show it: the time today, the weekday this week, else the date."""
        days = (self._local(self.now).date() - self._local(at).date()).days
        if days <= 0:
            return self.clock_time(at)
        return format_date(self._local(at), "EEE" if days < 7 else "d MMM", locale=self.locale)

    def full_when(self, at: int) -> str:
        return _full(self.locale, self.zone, at // 1000)

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
