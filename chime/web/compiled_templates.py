"""What templates compile to, kept between starts the way Python keeps its modules: in a `__pycache__` beside them, one
file for this Python and this Jinja.

Promises: what is kept is used for the very text it was made from and for no other; a file that cannot be read is as
good as none; where none can be written, templates are compiled anew after each start. All languages share it: a second
one costs memory for its words only.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import sys
import tempfile
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from chime import resources
from chime.log import Log

_log = Log("templates")
Known = dict[tuple[str, str], bytes]


class CompiledTemplates(BytecodeCache):
    """Bytecode by a template's name and the checksum of its text. `options` is what else decides what comes out."""

    def __init__(self, folder: Path | None, options: dict[str, Any]) -> None:
        decided = hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()[:8]
        tag = f"{sys.implementation.cache_tag}.jinja-{jinja2.__version__}-{decided}.bin"
        self._file = folder / "__pycache__" / f"templates.{tag}" if folder is not None else None
        self._kept: Known | None = None
        self._code: dict[tuple[str, str], CodeType] = {}
        self._made: set[tuple[str, str]] = set()

    def load_bytecode(self, bucket: Bucket) -> None:
        place = (bucket.key, bucket.checksum)
        if place not in self._code and place in self._read():
            self._code[place] = marshal.loads(self._read()[place])  # noqa: S302  as Python reads its .pyc
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
        kept = self._read() | {place: marshal.dumps(self._code[place]) for place in self._made}
        now = {(self.get_cache_key(name), self.get_source_checksum(resources.template_source(name) or ""))
               for name in resources.template_names()}
        self._made.clear()
        self._kept = {place: code for place, code in kept.items() if place in now}
        try:
            self._file.parent.mkdir(exist_ok=True)
            _replace(self._file, marshal.dumps(self._kept))
        except OSError:
            _log.info("templates.not_kept")  # a folder of somebody else, as a package's may be

    def _read(self) -> Known:
        if self._kept is None:
            self._kept = {}
            with contextlib.suppress(OSError, ValueError, EOFError, TypeError):
                if self._file is not None:
                    self._kept = dict(marshal.loads(self._file.read_bytes()))  # noqa: S302  the same
        return self._kept


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
