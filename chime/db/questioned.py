"""The child that answers one question and ends (see `questions`).

The SQL is prepared twice. First against an empty database in memory that holds nothing but tables with the names and
columns of the views: whatever else it names is not there, however it is spelt or quoted, and whatever is no SELECT is
refused. Only then against the file, where the same names are temporary views; there an authorizer lets through what
exactly these views read, and nothing else. So one net catches what slips through the other.
"""

from __future__ import annotations

import fcntl
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlcipher3 import dbapi2

from chime.db.connection import Key, open_connection
from chime.db.questions import Answer, Asked, Question

_OPS = 20_000
LONGEST_CELL = 10_000
LARGEST_ANSWER = 16_000_000
# As SQLite numbers them; the driver has no names for all of these.
_SELECT, _READ, _FUNCTION, _RECURSIVE = 21, 20, 31, 33
_TEXT = "char concat concat_ws format glob group_concat instr length like lower ltrim printf replace rtrim string_agg \
substr substring trim unicode upper"
_TIME = "date datetime julianday strftime time timediff unixepoch"
_RECKONING = "abs avg ceil ceiling count floor max median min mod percentile pow power round sign sqrt sum total trunc"
_WINDOWS = "cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number"
_REST = "coalesce ifnull iif json_array_length json_extract json_type nullif typeof -> ->>"
FUNCTIONS = frozenset(" ".join((_TEXT, _TIME, _RECKONING, _WINDOWS, _REST)).split())
_NEAR = re.compile(r'near "(.*)": syntax error', re.S)
_NO_SUCH = re.compile(r"no such (column|table|function): (.*)", re.S)
_TWICE = re.compile(r"ambiguous column name: (.*)", re.S)
_WORDS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[^\s\w]|\w+", re.S)
MOST_LOOKED_AT = 200


class Refused(Exception):
    """Something that may not be asked: (problem, the word it is about)."""


def main() -> None:
    """Read one question, write one answer."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    _limit(asked)
    answer = answer_to(asked)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    sys.stdout.buffer.flush()


def _limit(asked: Asked) -> None:
    """Memory and time of this process; first to go when the machine has no memory left; no core with a key in it."""
    most = asked.megabytes * 1024 * 1024
    for what, value in ((resource.RLIMIT_AS, most), (resource.RLIMIT_CORE, 0),
                        (resource.RLIMIT_CPU, int(asked.question.seconds) + 3)):
        resource.setrlimit(what, (value, value))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    with suppress(OSError):
        os.nice(5)


def answer_to(asked: Asked) -> Answer:
    question = asked.question
    try:
        _try_out(question)
    except Refused as refused:
        return Answer(problem=refused.args[0], detail=refused.args[1])
    except MemoryError:
        return Answer(problem="memory")
    except dbapi2.Error as error:
        return _told(question, error)
    lock = os.open(asked.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        connection = open_connection(Path(asked.path), Key(bytes.fromhex(asked.key)), writes=False)
        try:
            return _run(connection, question)
        finally:
            connection.close()
    finally:
        os.close(lock)


def _try_out(question: Question) -> None:
    """Prepare it where there is nothing else to find. Raises Refused, or what the driver says."""
    if not question.sql.strip().strip(";").strip():
        raise Refused("empty", "")
    decoy = _decoy(question)
    try:
        denied: list[tuple[str, str]] = []
        names = {name for name, _ in _names(question)}
        decoy.set_authorizer(_gate(lambda table, _, is_ours: table in names and is_ours, denied, _modules(decoy)))
        _prepared(decoy, question, denied)
    finally:
        decoy.close()


def _prepared(connection: Any, question: Question, denied: list[tuple[str, str]]) -> None:
    """As EXPLAIN: it is compiled and not run."""
    try:
        connection.execute(f"EXPLAIN {question.sql}", question.values)
    except dbapi2.Warning as error:  # more than one statement
        raise Refused("many", "") from error
    except dbapi2.ProgrammingError as error:
        if "one statement at a time" in str(error):
            raise Refused("many", "") from error
        raise Refused("parameter", "") from error
    except dbapi2.DatabaseError as error:
        if denied and ("not authorized" in str(error) or "prohibited" in str(error)):
            raise Refused(*denied[0]) from error
        raise


def _decoy(question: Question) -> Any:
    decoy = dbapi2.connect(":memory:", isolation_level=None)
    for name, columns in _names(question):
        decoy.execute(f"CREATE TEMP TABLE {name} ({', '.join(columns)})")
    return decoy


def _names(question: Question) -> list[tuple[str, tuple[str, ...]]]:
    return [*((one.name, one.columns) for one in question.views), *((one.name, one.columns) for one in question.lists)]


def _modules(connection: Any) -> frozenset[str]:
    """Tables that are there without being made, such as those that show the schema."""
    return frozenset(str(row[0]).lower() for row in connection.execute("PRAGMA module_list"))


def _is_built_in(name: str, modules: frozenset[str]) -> bool:
    return name.lower().startswith(("sqlite_", "pragma_")) or name.lower() in modules


def _gate(reads: Callable[[str, str, bool], bool], denied: list[tuple[str, str]], modules: frozenset[str]
          ) -> Callable[..., int]:
    """SELECT alone, of what `reads` lets through, with functions that only reckon."""
    def allowed(action: int, first: str | None, second: str | None, file: str | None, inside: str | None) -> int:
        if action in (_SELECT, _RECURSIVE):
            return int(dbapi2.SQLITE_OK)
        if action == _READ:
            if not second and file is None and not _is_built_in(first or "", modules):
                return int(dbapi2.SQLITE_OK)  # rows are counted, of a view or of what a WITH made
            if reads(first or "", second or "", file == "temp" or inside is not None):
                return int(dbapi2.SQLITE_OK)
            denied.append(("name", first or ""))
        elif action == _FUNCTION:
            if (second or "").lower() in FUNCTIONS:
                return int(dbapi2.SQLITE_OK)
            denied.append(("function", second or ""))
        else:
            denied.append(("denied", ""))
        return int(dbapi2.SQLITE_DENY)
    return allowed


def _run(connection: Any, question: Question) -> Answer:
    """The rows from the file. A problem here is one of time, memory or the file: the names were found to be right."""
    seen = _views_made(connection, question)
    connection.set_authorizer(None)
    modules = _modules(connection)
    names = {name for name, _ in _names(question)}
    denied: list[tuple[str, str]] = []
    connection.set_authorizer(_gate(
        lambda table, column, is_ours: (table in names and is_ours) or (table, column) in seen, denied, modules))
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    began = time.monotonic()
    connection.set_progress_handler(lambda: time.monotonic() - began > question.seconds, _OPS)
    try:
        cursor = connection.execute(question.sql, question.values)
        columns = tuple(column[0] for column in cursor.description or ())
        rows, is_cut = _taken(cursor, question.most_rows)
    except MemoryError:
        return Answer(problem="memory")
    except Refused as refused:
        return Answer(problem=refused.args[0])
    except dbapi2.Error as error:
        return Answer(problem=denied[0][0], detail=denied[0][1]) if denied else _told(question, error)
    return Answer(columns=columns, rows=rows, is_cut=is_cut, took=int((time.monotonic() - began) * 1000))


def _views_made(connection: Any, question: Question) -> set[tuple[str, str]]:
    """The names as temporary views and tables, in memory; what these views read of the file."""
    connection.set_authorizer(None)
    connection.execute("PRAGMA query_only = OFF")
    for one in question.lists:
        connection.execute(f"CREATE TEMP TABLE {one.name} ({', '.join(one.columns)})")
        marks = ", ".join("?" * len(one.columns))
        connection.executemany(f"INSERT INTO temp.{one.name} VALUES ({marks})", one.rows)
    for view in question.views:
        connection.execute(f"CREATE TEMP VIEW {view.name} ({', '.join(view.columns)}) AS {view.select}")
    connection.execute("PRAGMA query_only = ON")
    seen: set[tuple[str, str]] = set()

    def note(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action == _READ:
            seen.add((first or "", second or ""))
        return int(dbapi2.SQLITE_OK)

    connection.set_authorizer(note)
    for view in question.views:
        connection.execute(f"EXPLAIN SELECT * FROM temp.{view.name}")
        # A view that is only counted reads its tables without a column.
        connection.execute(f"EXPLAIN SELECT count(*) FROM temp.{view.name}")
    return seen


def _taken(rows: Iterable[tuple[Any, ...]], most: int) -> tuple[tuple[tuple[Any, ...], ...], bool]:
    found: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        if len(found) >= most or size > LARGEST_ANSWER:
            return tuple(found), True
        kept = tuple(_cell(value) for value in row)
        size += sum(len(value) if isinstance(value, str) else 8 for value in kept)
        found.append(kept)
    return tuple(found), False


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value[:LONGEST_CELL].replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, bytes | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value


def _told(question: Question, error: dbapi2.Error) -> Answer:
    """What the driver says as a kind of problem, a word and a place."""
    words = str(error)
    if "interrupted" in words:
        return Answer(problem="time")
    if "too big" in words or "out of memory" in words:
        return Answer(problem="memory")
    if "incomplete input" in words:
        return _at(question, "syntax", "", len(question.sql))
    if near := _NEAR.fullmatch(words):
        return _at(question, "syntax", near[1], _place_of(question, near[1], words))
    if missing := _NO_SUCH.fullmatch(words) or _TWICE.fullmatch(words):
        name = missing.group(missing.lastindex or 1)
        kind = "twice" if "ambiguous" in words else missing[1]
        place = re.search(rf"(?<!\w){re.escape(name.rpartition('.')[2])}(?!\w)", question.sql, re.I)
        return _at(question, kind, name, place.start() if place else 0)
    return Answer(problem="broken", detail=words[:200])


def _place_of(question: Question, word: str, words: str) -> int:
    """Where the parser stumbled: the first place at which what stands before, and this word, already bring the same
    complaint."""
    probe = _decoy(question)
    try:
        for found in list(_WORDS.finditer(question.sql))[:MOST_LOOKED_AT]:
            if found[0] != word:
                continue
            try:
                probe.execute(f"EXPLAIN {question.sql[:found.end()]}", question.values)
            except dbapi2.Error as error:
                if str(error) == words:
                    return found.start()
    finally:
        probe.close()
    return max(question.sql.find(word), 0)


def _at(question: Question, problem: str, detail: str, place: int) -> Answer:
    before = question.sql[:place]
    return Answer(problem=problem, detail=detail[:100], line=before.count("\n") + 1,
                  column=place - (before.rfind("\n") + 1) + 1)
