"""The only Huey: it carries `(workspace, kind, id)`, nothing else. The minute's sweep is rung by the loop's own clock.

Its consumer lives in our process with its signal handlers left out (they would take uvicorn's SIGTERM). The storage
waits on a bell instead of polling, so a nudge starts its job in about a millisecond and an idle queue costs nothing.
Losing `queue.db` loses no work: the sweep finds it. So a file that turns out to be broken is thrown away and made anew
by whoever meets it first, and everything is swept at once for the nudges that were in it.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from huey import SqliteHuey
from huey.consumer import Consumer
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from chime.log import Log

SWEEP_EVERY = 60.0
# Seconds between two files: what breaks each new one at once is not ours to mend, and each costs a sweep of everything.
APART = 5.0
# SQLite's codes of what a new file is the cure for: ERROR (a table is gone), IOERR (a page is), CORRUPT and NOTADB. A
# full disk or a lock is not cured by throwing away what is there.
DAMAGE = frozenset({1, 10, 11, 26})
Ring = Callable[[str, str, str], None]
T = TypeVar("T")
_log = Log("queue")


class RingSweep(Protocol):
    """Has what is due looked for soon, on the loop; called in any thread."""

    def __call__(self, *, everywhere: bool = False) -> None: ...


class _JsonSerializer(Serializer):  # type: ignore[misc]
    """Huey's default is pickle, which would make whoever can write the queue file able to run code."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data._asdict() if hasattr(data, "_asdict") else data, default=datetime.isoformat).encode()

    def _deserialize(self, data: bytes) -> Any:
        from huey.registry import Message

        found = json.loads(data)
        if not isinstance(found, dict) or "id" not in found or "name" not in found:
            return found
        for moment in ("eta", "expires_resolved"):
            if found.get(moment):
                found[moment] = datetime.fromisoformat(found[moment])
        return Message(**found)


def _is_damage(error: Exception) -> bool:
    # Extended codes have the primary one in their last byte; what is not SQLite's has none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE


class _MendingStorage(SqliteStorage):  # type: ignore[misc]
    """SqliteStorage that makes its file anew when it finds it broken, and then does what was asked of it."""

    _conn: Any = None
    on_anew: Callable[[], None]
    """Called in the thread that made the file anew"""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._anew_at = -APART
        self._is_told = False
        super().__init__(*arguments, **options)

    def initialize_schema(self) -> None:
        """The start: a file of the last life may be damaged, and holds nothing that the first sweep does not find."""
        self.lock = threading.RLock()  # held from the end of one file to the last table of the next
        with self.lock:
            self._make()

    def enqueue(self, data: bytes, priority: int | None = None) -> None:
        self._mended(lambda: super(_MendingStorage, self).enqueue(data, priority))

    def dequeue(self) -> bytes | None:
        found: bytes | None = self._mended(super().dequeue)
        return found

    def add_to_schedule(self, data: bytes, ts: datetime) -> None:
        self._mended(lambda: super(_MendingStorage, self).add_to_schedule(data, ts))

    def read_schedule(self, ts: datetime) -> list[bytes]:
        return self._mended(lambda: super(_MendingStorage, self).read_schedule(ts))

    def queue_size(self) -> int:
        size: int = self._mended(super().queue_size)
        return size

    def peek_data(self, key: str) -> Any:
        return self._mended(lambda: super(_MendingStorage, self).peek_data(key))

    def pop_data(self, key: str) -> Any:
        return self._mended(lambda: super(_MendingStorage, self).pop_data(key))

    def _mended(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:
            if not _is_damage(error):
                raise
            if self._make_anew(error):
                self.on_anew()
            return work()

    def _make_anew(self, broken: Exception) -> bool:
        """False when another thread met the same damage and was here before, or the last file is too young."""
        with self.lock:
            if time.monotonic() - self._anew_at < APART:
                return False
            self._anew_at = time.monotonic()
            try:
                self._make()
            except Exception as error:
                if not self._is_told:  # it is tried again and again, and told once
                    _log.error("queue.not_made_anew", error)
                self._is_told = True
                raise
            self._is_told = False
        _log.error("queue.made_anew", broken)
        return True

    def _make(self) -> None:
        with suppress(Exception):  # what is thrown away may end as it likes
            self.close()
        self._conn = None
        path = Path(self.filename)
        for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            part.unlink(missing_ok=True)
        path.touch(0o600)  # what stands beside it gets the same mode
        super().initialize_schema()


class _BellStorage(_MendingStorage):
    """A storage whose dequeue waits for a bell, so the consumer need not poll."""

    blocking = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bell = threading.Event()

    def enqueue(self, data: bytes, priority: int | None = None) -> None:
        super().enqueue(data, priority)
        self._bell.set()

    def dequeue(self) -> bytes | None:
        self._bell.clear()
        found = super().dequeue()
        if found is None and self._bell.wait(1.0):
            found = super().dequeue()
        return found

    def wake(self) -> None:
        """Let a waiting dequeue look again at once."""
        self._bell.set()


class _QuietConsumer(Consumer):  # type: ignore[misc]
    def _set_signal_handlers(self) -> None:
        """The server's signal handlers stay in charge."""


class Queue:
    """`ring` is called, in the consumer's thread, for each nudge whose time has come; `sweep` once a minute by `watch`,
    and for everywhere when nudges were lost."""

    def __init__(self, data_dir: Path, ring: Ring, sweep: RingSweep) -> None:
        self._huey = SqliteHuey("chime", filename=str(data_dir / "queue.db"), storage_class=_BellStorage,
                                serializer=_JsonSerializer(), fsync=False, results=False, utc=True)
        self._huey.storage.on_anew = lambda: sweep(everywhere=True)
        self._sweep = sweep
        self._nudge = self._huey.task(name="nudge")(ring)
        self._consumer = _QuietConsumer(self._huey, workers=1, periodic=False, initial_delay=0.05, max_delay=0.5,
                                        scheduler_interval=1, check_worker_health=False)

    async def watch(self) -> None:
        """Rings the sweep each minute until the stop, whatever became of Huey and its file."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            if self._consumer.stop_flag.is_set():
                return
            self._sweep()

    def nudge(self, workspace_id: str, kind: str, object_id: str, *, delay: float | None = None) -> None:
        """Have `ring` called soon, or in `delay` seconds."""
        if delay is not None and delay > 0:
            self._nudge.schedule((workspace_id, kind, object_id), delay=delay)
        else:
            self._nudge(workspace_id, kind, object_id)

    def ready(self) -> bool:
        """Whether the queue file can be used."""
        try:
            self._huey.pending_count()
        except Exception:  # any failure of the queue's file means the same to the readiness page: not ready
            return False
        return True

    def waiting(self) -> int:
        """Nudges not handed out yet, those for later not counted."""
        return int(self._huey.pending_count())

    def start(self) -> None:
        self._consumer.start()

    def stop(self) -> None:
        """Blocks until the consumer's threads have ended."""
        self._consumer.stop_flag.set()
        self._huey.storage.wake()
        self._consumer.stop(graceful=True)
        self._huey.storage.close()
