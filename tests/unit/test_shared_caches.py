"""The files of all workspaces share one measure of memory for their pages, and what is idle takes none of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chime.db import Key, open_connection
from chime.db.connection import ALL_CACHES

# In processes of their own, so that nothing else lies in their memory.
_RESIDENT = """
import asyncio, os, re, sys
from pathlib import Path
from chime import memory
from chime.db import DatabaseFile, Key, connection, open_connection

memory.keep_memory_together()
folder, key = Path(sys.argv[1]), Key(bytes(32))

def resident():
    memory._trim()
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])

def filled(name, rows):
    made = open_connection(folder / name, key, writes=True, create=True)
    made.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, content BLOB)")
    made.execute("BEGIN")
    made.executemany("INSERT INTO part (content) VALUES (?)", ((os.urandom(1_000),) for _ in range(rows)))
    made.execute("COMMIT")
    return made
"""
_MANY = _RESIDENT + """
limit = int(sys.argv[2])
connection._SETTINGS = tuple(one if one[0] != "soft_heap_limit" else (one[0], str(limit), limit)
                             for one in connection._SETTINGS)
first = filled("first.db", 10)
before = resident()
kept = [filled(f"{number}.db", 3_000) for number in range(16)]
print(resident() - before)
"""
_IDLE = _RESIDENT + """
async def main():
    filled("idle.db", 10_000).close()
    file = await DatabaseFile.open(folder / "idle.db", key)
    before = resident()
    async with file.transaction() as tx:
        await tx.value("SELECT sum(length(content)) FROM part")
    await file.value("SELECT sum(length(content)) FROM part WHERE id < 5000")
    full = resident()
    await file.forget_pages()
    print(full - before, resident() - before)
    await file.close()

asyncio.run(main())
"""


def kilobytes(script: str, *arguments: object) -> list[int]:
    done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, check=True)
    return [int(number) for number in done.stdout.split()]


def test_many_busy_files_share_one_measure(tmp_path: Path) -> None:
    for name in ("bounded", "free"):
        (tmp_path / name).mkdir()
    [bounded] = kilobytes(_MANY, tmp_path / "bounded", 16 * 2**20)
    [free] = kilobytes(_MANY, tmp_path / "free", 1024 * 2**20)
    assert free > 45_000 and bounded < 24_000


def test_every_connection_knows_the_measure(tmp_path: Path) -> None:
    made = open_connection(tmp_path / "a.db", Key(bytes(32)), writes=True, create=True)
    assert made.execute("PRAGMA soft_heap_limit").fetchone() == (ALL_CACHES,)
    made.close()


def test_a_file_lets_go_of_what_it_keeps(tmp_path: Path) -> None:
    full, after = kilobytes(_IDLE, tmp_path)
    assert full > 15_000 and after < full // 3
