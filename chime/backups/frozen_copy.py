"""Reading a live file that stands still, as bytes.

By a child process: closing a descriptor of a database drops every lock this process has on it (POSIX), and the child
has none to lose. It gets a name and gives bytes; it knows no key and loads nothing.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from chime.db.following import PAGE
from chime.errors import Unavailable

AT_ONCE = 256 * PAGE
_SCRIPT = """
import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
while piece := os.read(file, 1 << 20):
    while piece:
        piece = piece[os.write(1, piece):]
"""


def frozen_pages(path: Path) -> Iterator[bytes]:
    """The bytes of the file, a megabyte at once and whole pages. Raises Unavailable."""
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", _SCRIPT, str(path)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, bufsize=0)
    assert child.stdout is not None
    try:
        with open(child.stdout.fileno(), "rb", buffering=AT_ONCE, closefd=False) as source:
            while piece := source.read(AT_ONCE):
                yield piece
        if child.wait() != 0:
            raise Unavailable(f"{path.name} cannot be copied")
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()
