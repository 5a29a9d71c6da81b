"""SQL that a person typed, answered by a process of its own from views alone.

SQLite in our process could be made to eat its memory or hold the loop by one line of SQL, so such a line never runs
here: a child gets the file's key through its standard input, runs it with so much memory and time, and is killed when
these are over. What it may name is in `chime.db.questioned`. Promise: nothing is written, no other file is opened, and
nothing but the given views is read.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from chime.db.connection import Key

MOST_ROWS = 10_000
SECONDS = 5.0
MEGABYTES = 384
# Starting, and opening the file, are not the question's time.
_START = 10.0
_CHILD = "import sys; sys.path[:] = {path!r}; from chime.db.questioned import main; main()"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One name that may be asked: its columns, and the SELECT that fills them."""

    name: str
    columns: tuple[str, ...]
    select: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are not in the file and are given along, as if they were a view."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. `values` by the names of its parameters."""

    sql: str
    values: dict[str, str | None]
    views: tuple[View, ...]
    lists: tuple[Listed, ...] = ()
    most_rows: int = MOST_ROWS
    seconds: float = SECONDS


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the child reads."""

    path: str
    key: str
    lock: str
    megabytes: int
    question: Question


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, or the `problem` there was: `syntax`, `name`, `function`, `denied`, `parameter`, `many`, `empty`,
    `time`, `memory`, `broken`. `detail` is the word it is about, at `line` and `column` when they are known. `is_cut`:
    there are more rows. `took` in milliseconds."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    is_cut: bool = False
    took: int = 0
    problem: str = ""
    detail: str = ""
    line: int = 0
    column: int = 0


class Questions:
    """Those of one file. One is answered at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def ask(self, path: Path, key: Key, lock: Path, question: Question) -> Answer:
        """`lock` is what a guest beside the appliance holds while it has files open."""
        asked = Asked(path=str(path), key=key.hex(), lock=str(lock), megabytes=MEGABYTES, question=question)
        async with self._turn:
            return await _asked(msgspec.json.encode(asked), question.seconds + _START)


async def _asked(said: bytes, seconds: float) -> Answer:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", _CHILD.format(path=sys.path), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={}, cwd="/")
    try:
        async with asyncio.timeout(seconds):
            told, _ = await child.communicate(said)
    except TimeoutError:
        return Answer(problem="time")
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    try:
        return msgspec.json.decode(told, type=Answer)
    except msgspec.DecodeError:
        # It died: the kernel ends who takes more time (SIGXCPU, SIGKILL) or memory than it may.
        return Answer(problem="time" if child.returncode in (-24, -9) else "memory")
