"""A filter of a search as SQL: which index leads to the messages, what sifts them, and between which numbers they lie.

Messages are looked through newest first, a stretch of numbers at a time: what is rare is found along an index of its
own, and where nothing helps, the search stops when its time is up and says where it got to.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

import msgspec

from chime.clock import DAY
from chime.db import LongReads
from chime.inbox.list_filter import begins
from chime.inbox.search_filter import (
    API,
    BOT,
    CUSTOMER,
    KINDS,
    ME,
    NOTE,
    PHONE,
    SENDERS,
    TEAM,
    TEXT,
    VOICE,
    SearchFilter,
)

NEWEST = 2**62
SECONDS = 5.0
_ORIGINS = {TEAM: ("agent",), BOT: ("automatic",), API: ("api",), PHONE: ("phone", "history")}
_BY_MACHINE = frozenset({BOT, API, PHONE})
# With a file of its own, or in its heading. A sticker is no file to anybody.
_WITH_FILES = ("image", "video", "audio", "document", "template", "interactive")

WITH_WORDS = "FROM message_words CROSS JOIN message ON message.sequence = message_words.rowid "
_OF_KINDS = "FROM message INDEXED BY message_kind "
_OF_AUTHOR = "FROM message INDEXED BY message_author "
_BY_MACHINES = "FROM message INDEXED BY message_by_machine "
# Along the numbers themselves.
_ALL = "FROM message NOT INDEXED "

_IS_KIND = " AND message.type = ? AND message.type <> 'text'"
_ARE_KINDS = " AND message.type IN (SELECT value FROM json_each(?)) AND message.type <> 'text'"
_IS_AUTHOR = " AND message.author_id = ?"
_ARE_MACHINES = (" AND message.origin IN (SELECT value FROM json_each(?)) AND message.origin <> 'customer' "
                 "AND message.origin <> 'agent' AND +message.direction = 'out'")
# The same where words lead to the rows: a word stands in many messages, and looking each of them up takes twenty times
# as long as knowing beforehand which numbers fit.
_AMONG_KINDS = (" AND +message_words.rowid IN (SELECT fits.sequence FROM message AS fits INDEXED BY message_kind "
                "WHERE fits.type IN (SELECT value FROM json_each(?)) AND fits.type <> 'text' "
                "AND fits.type <> 'reaction' AND fits.sequence < ? AND fits.sequence >= ?)")
_AMONG_AUTHOR = (" AND +message_words.rowid IN (SELECT fits.sequence FROM message AS fits INDEXED BY message_author "
                 "WHERE fits.author_id = ? AND fits.sequence < ? AND fits.sequence >= ?)")
_AMONG_MACHINES = (" AND +message_words.rowid IN (SELECT fits.sequence FROM message AS fits "
                   "INDEXED BY message_by_machine WHERE fits.origin IN (SELECT value FROM json_each(?)) "
                   "AND fits.origin <> 'customer' AND fits.origin <> 'agent' AND fits.sequence < ? "
                   "AND fits.sequence >= ?) AND +message.direction = 'out'")
# The plus: these sift rows that were found another way.
_OF_TYPES = " AND +message.type IN (SELECT value FROM json_each(?))"
_ONLY_VOICE = " AND (+message.type <> 'audio' OR media.is_voice)"
_HAS_FILE = " AND +message.media_id IS NOT NULL"
_OF_SENDERS = (" AND ((? AND +message.direction = 'in') OR +message.author_id IN (SELECT value FROM json_each(?)) "
               "OR (+message.direction = 'out' AND +message.origin IN (SELECT value FROM json_each(?))))")
_ON_NUMBERS = " AND +message.channel_id IN (SELECT value FROM json_each(?))"
_NOTHING = " AND message.id = ''"
_SINCE = " AND +message.at >= ?"
_UNTIL = " AND +message.at < ?"

_NOTE_AUTHORS = " AND +note.author_id IN (SELECT value FROM json_each(?))"
_NOTE_NUMBERS = " AND +conversation.channel_id IN (SELECT value FROM json_each(?))"
_NOTE_SINCE = " AND +note.at >= ?"
_NOTE_UNTIL = " AND +note.at < ?"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A filter as one person asks it: who they are and what day it is for them."""

    filter: SearchFilter = SearchFilter()
    user_id: str = ""
    zone: tzinfo = UTC

    @property
    def since(self) -> int | None:
        return begins(self.filter.since, self.zone) if self.filter.since else None

    @property
    def until(self) -> int | None:
        return begins(self.filter.until, self.zone, days=1) if self.filter.until else None

    @property
    def authors(self) -> tuple[str, ...]:
        """The members among the senders, by id."""
        return tuple(self.user_id if one == ME else one for one in self.filter.sender
                     if one == ME or one not in SENDERS)

    @property
    def types(self) -> tuple[str, ...]:
        """The types a message may have, none for any."""
        return tuple(dict.fromkeys(type_ for kind in self.filter.kind for type_ in KINDS[kind]))

    @property
    def only_notes(self) -> bool:
        return self.filter.kind == (NOTE,)

    @property
    def notes_too(self) -> bool:
        """Whether a private note can fit: it is of its author, of no number's customer, and has no file."""
        return not self.filter.has_file and (not self.filter.kind or NOTE in self.filter.kind) and (
            not self.filter.sender or bool(self.authors) or TEAM in self.filter.sender)


class Sifted(msgspec.Struct, frozen=True, kw_only=True):
    """`source` leads to the rows, `clauses` are appended to a WHERE; both are constants alone."""

    source: str
    clauses: tuple[str, ...]
    values: tuple[Any, ...]


def sifted(wanted: Wanted, *, has_words: bool, start: int, end: int) -> Sifted:
    """How the messages that fit are found among those with numbers from `start` to before `end`: by their words where
    there are some, else by what is rarest."""
    asked, clauses = wanted.filter, list[str]()
    values: list[Any] = []

    def narrow(clause: str, *given: Any) -> None:
        clauses.append(clause)
        values.extend(given)

    source = WITH_WORDS if has_words else _ALL
    types = wanted.types or (_WITH_FILES if asked.has_file else ())
    if types and TEXT not in types:
        source = _OF_KINDS if not has_words else source
        if has_words:
            narrow(_AMONG_KINDS, _json(types), end, start)
        else:
            narrow(_IS_KIND if len(types) == 1 else _ARE_KINDS, types[0] if len(types) == 1 else _json(types))
    elif types:
        narrow(_OF_TYPES, _json(types))
    if asked.sender:
        source = _narrow_by_sender(wanted, narrow, source, (end, start))
    _narrow_further(wanted, narrow)
    return Sifted(source=source, clauses=tuple(clauses), values=tuple(values))


def _narrow_by_sender(wanted: Wanted, narrow: Any, source: str, place: tuple[int, int]) -> str:
    """One member, or what no person wrote, is a way to find messages; anything else sifts."""
    senders, authors = wanted.filter.sender, wanted.authors
    origins = [origin for one in senders for origin in _ORIGINS.get(one, ())]
    if len(senders) == len(authors) == 1 and source != _OF_KINDS:
        if source == _ALL:
            narrow(_IS_AUTHOR, authors[0])
            return _OF_AUTHOR
        narrow(_AMONG_AUTHOR, authors[0], *place)
    elif _BY_MACHINE.issuperset(senders) and source != _OF_KINDS:
        if source == _ALL:
            narrow(_ARE_MACHINES, _json(origins))
            return _BY_MACHINES
        narrow(_AMONG_MACHINES, _json(origins), *place)
    else:
        narrow(_OF_SENDERS, *_senders(wanted))
    return source


def _senders(wanted: Wanted) -> tuple[int, str, str]:
    origins = [origin for one in wanted.filter.sender for origin in _ORIGINS.get(one, ())]
    return int(CUSTOMER in wanted.filter.sender), _json(wanted.authors), _json(origins)


def sifted_notes(wanted: Wanted) -> Sifted:
    """What sifts a search for notes, which are read one by one anyway."""
    clauses, values = list[str](), list[Any]()
    asked = wanted.filter
    for clause, value in (
        (_NOTE_AUTHORS, _json(wanted.authors) if asked.sender and TEAM not in asked.sender else None),
        (_NOTE_NUMBERS, _json(asked.channel) if asked.channel else None),
        (_NOTE_SINCE, wanted.since), (_NOTE_UNTIL, wanted.until),
    ):
        if value is not None:
            clauses.append(clause)
            values.append(value)
    return Sifted(source="", clauses=tuple(clauses), values=tuple(values))


def sifted_in_thread(wanted: Wanted) -> Sifted:
    """What sifts a search through one conversation: nothing leads there but the conversation itself."""
    asked, clauses = wanted.filter, list[str]()
    values: list[Any] = []

    def narrow(clause: str, *given: Any) -> None:
        clauses.append(clause)
        values.extend(given)

    if wanted.types:
        narrow(_OF_TYPES, _json(wanted.types))
    elif asked.kind:
        narrow(_NOTHING)
    if asked.sender:
        narrow(_OF_SENDERS, *_senders(wanted))
    _narrow_further(wanted, narrow)
    return Sifted(source="", clauses=tuple(clauses), values=tuple(values))


def _narrow_further(wanted: Wanted, narrow: Any) -> None:
    """By what leads nowhere by itself."""
    asked = wanted.filter
    if VOICE in asked.kind and "audio" not in asked.kind:
        narrow(_ONLY_VOICE)
    if asked.has_file:
        narrow(_OF_TYPES + _HAS_FILE, _json(_WITH_FILES))
    if asked.channel:
        narrow(_ON_NUMBERS, _json(asked.channel))
    if wanted.since is not None:
        narrow(_SINCE, wanted.since)
    if wanted.until is not None:
        narrow(_UNTIL, wanted.until)


async def stretch(reads: LongReads, wanted: Wanted) -> tuple[int, int]:
    """Between which numbers the messages of the wanted days lie, the first included, the second not. What no index
    knows yet counts as of any day."""
    since, until = wanted.since, wanted.until
    rows, _ = await reads.rows(
        "SELECT (SELECT indexed_upto FROM search_progress), coalesce((SELECT max(sequence) FROM message), 0), "
        "min(first_sequence), max(last_sequence) FROM message_day WHERE day >= ? AND day <= ?",
        (since or 0) // DAY, (until - 1) // DAY if until is not None else NEWEST, seconds=SECONDS)
    known, newest, first, last = rows[0] if rows else (0, NEWEST, None, None)
    if since is None and until is None:
        return 0, newest + 1
    return known + 1 if first is None else first, newest + 1 if known < newest else (last or 0) + 1


def _json(values: Any) -> str:
    return msgspec.json.encode(values).decode()
