"""What templates compile to, kept between starts the way Python keeps its modules: in a `__pycache__` beside them, one
file for this Python and this Jinja.

Promises: what is kept is used for the very text it was made from and for no other; a file that cannot be read is as
good as none; where none can be written, templates are compiled anew after each start. Of the file only the list of what
is in it is in memory, and of the rest what somebody asked for. All languages share it: a second one costs memory for
its words only.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import sys
import tempfile
from itertools import accumulate, pairwise
from pathlib import Path
from types import CodeType
from typing import Any, BinaryIO

import jinja2
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from chime import resources
from chime.log import Log

_log = Log("templates")
Place = tuple[str, str]
# Where in the file a piece begins and ends.
Contents = dict[Place, tuple[int, int]]
_UNREADABLE = (OSError, ValueError, EOFError, TypeError)
# Bytes at the head of the file that say how long the list of its contents is.
_HEAD = 8


class CompiledTemplates(BytecodeCache):
    """Bytecode by a template's name and the checksum of its text. `options` is what else decides what comes out."""

    def __init__(self, folder: Path | None, options: dict[str, Any]) -> None:
        decided = hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()[:8]
        tag = f"{sys.implementation.cache_tag}.jinja-{jinja2.__version__}-{decided}.bin"
        self._file = folder / "__pycache__" / f"templates.{tag}" if folder is not None else None
        self._contents: Contents | None = None
        self._stamp: tuple[int, ...] = ()
        self._code: dict[Place, CodeType] = {}
        self._made: set[Place] = set()

    def load_bytecode(self, bucket: Bucket) -> None:
        place = (bucket.key, bucket.checksum)
        if place not in self._code and place in self._read():
            with contextlib.suppress(*_UNREADABLE):
                self._code[place] = marshal.loads(self._piece(place))  # noqa: S302  as Python reads its .pyc
        bucket.code = self._code.get(place)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code
            self._made.add((bucket.key, bucket.checksum))

    def knows(self, name: str, source: str) -> bool:
        """Whether this template, as it is now, need not be compiled."""
        place = (self.get_cache_key(name), self.get_source_checksum(source))
        return place in self._code or place in self._read()

    def keep(self) -> None:
        """Write down what was compiled since it was read, for the next start; of this moment's templates only."""
        if self._file is None or not self._made:
            return
        now = {(self.get_cache_key(name), self.get_source_checksum(resources.template_source(name) or ""))
               for name in resources.template_names()}
        pieces = {}
        for place in now & (self._made | set(self._read())):
            with contextlib.suppress(*_UNREADABLE):
                pieces[place] = marshal.dumps(self._code[place]) if place in self._code else self._piece(place)
        self._made.clear()
        self._contents = None
        try:
            self._file.parent.mkdir(exist_ok=True)
            _replace(self._file, _as_file(pieces))
        except OSError:
            _log.info("templates.not_kept")  # a folder of somebody else, as a package's may be

    def _read(self) -> Contents:
        if self._contents is None:
            self._contents = {}
            if self._file is not None:
                with contextlib.suppress(*_UNREADABLE), self._file.open("rb") as file:
                    self._stamp = _stamp(file)
                    self._contents = _contents(file)
        return self._contents

    def _piece(self, place: Place) -> bytes:
        """Raises OSError when the file is not the one whose contents are known: another process replaced it."""
        start, end = self._read()[place]
        if self._file is None:
            raise FileNotFoundError
        with self._file.open("rb") as file:
            if _stamp(file) != self._stamp:
                raise FileNotFoundError
            file.seek(start)
            return file.read(end - start)


def _stamp(file: BinaryIO) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _contents(file: BinaryIO) -> Contents:
    length = int.from_bytes(file.read(_HEAD), "big")
    if length > os.fstat(file.fileno()).st_size:
        return {}
    lengths = dict(marshal.loads(file.read(length)))  # noqa: S302  as Python reads its .pyc
    ends = accumulate(lengths.values(), initial=_HEAD + length)
    return dict(zip(lengths, pairwise(ends), strict=True))


def _as_file(pieces: dict[Place, bytes]) -> bytes:
    lengths = marshal.dumps({place: len(piece) for place, piece in pieces.items()})
    return b"".join((len(lengths).to_bytes(_HEAD, "big"), lengths, *pieces.values()))


def _replace(file: Path, content: bytes) -> None:
    """All or nothing, also when two processes start at once."""
    handle, name = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(content)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
