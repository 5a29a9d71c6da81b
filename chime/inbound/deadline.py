"""One deadline for many short tasks. `asyncio.timeout` makes a timer for each, which costs a webhook a twelfth of its
time; of equal deadlines the oldest ends first, so one look a second at the oldest is enough."""

from __future__ import annotations

import asyncio
from typing import Any

LOOKS_EVERY = 1.0

Task = asyncio.Task[Any]


class Deadline:
    """`begin` … `end` around what may take so many seconds, and up to `LOOKS_EVERY` more. A task that takes longer is
    cancelled; `was_ours` tells whoever catches that apart from a cancellation by others."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Task, float] = {}
        self._late: set[Task] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> Task:
        """The deadline of the running task begins."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._since[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(LOOKS_EVERY, self._look, loop)
        return task

    def end(self, task: Task) -> None:
        self._since.pop(task, None)
        self._late.discard(task)

    def was_ours(self, task: Task) -> bool:
        """Whether the cancellation that the task just caught was this deadline and nothing else; it goes on then."""
        return task in self._late and task.uncancel() == 0

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        late = loop.time() - self._seconds
        while self._since and next(iter(self._since.values())) <= late:
            task = next(iter(self._since))
            del self._since[task]
            self._late.add(task)
            task.cancel()
        self._timer = loop.call_later(LOOKS_EVERY, self._look, loop) if self._since else None
