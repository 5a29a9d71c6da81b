"""The only Huey: it carries `(workspace, kind, id)` and the minute's sweep, nothing else.

Its consumer lives in our process with its signal handlers left out (they would take uvicorn's SIGTERM). The storage
waits on a bell instead of polling, so a nudge starts its job in about a millisecond and an idle queue costs nothing.
Losing `queue.db` loses no work: the sweep finds it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from huey import SqliteHuey, crontab
from huey.consumer import Consumer
from huey.serializer import Serializer
from huey.storage import SqliteStorage

Ring = Callable[[str, str, str], None]


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


class _BellStorage(SqliteStorage):  # type: ignore[misc]
    """SqliteStorage whose dequeue waits for a bell, so the consumer need not poll."""

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
        return found  # type: ignore[no-any-return]

    def wake(self) -> None:
        """Let a waiting dequeue look again at once."""
        self._bell.set()


class _QuietConsumer(Consumer):  # type: ignore[misc]
    def _set_signal_handlers(self) -> None:
        """The server's signal handlers stay in charge."""


class Queue:
    """`ring` is called, in the consumer's thread, for each nudge whose time has come; `sweep` once a minute."""

    def __init__(self, data_dir: Path, ring: Ring, sweep: Callable[[], None]) -> None:
        # A file of the last life may be damaged, and holds nothing that the first sweep does not find in the rows.
        for name in ("queue.db", "queue.db-wal", "queue.db-shm"):
            (data_dir / name).unlink(missing_ok=True)
        self._huey = SqliteHuey("chime", filename=str(data_dir / "queue.db"), storage_class=_BellStorage,
                                serializer=_JsonSerializer(), fsync=False, results=False, utc=True)
        (data_dir / "queue.db").chmod(0o600)
        self._nudge = self._huey.task(name="nudge")(ring)
        self._huey.periodic_task(crontab(), name="sweep")(sweep)
        self._consumer = _QuietConsumer(self._huey, workers=1, initial_delay=0.05, max_delay=0.5,
                                        scheduler_interval=1, check_worker_health=False)

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
