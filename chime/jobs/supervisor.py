"""Tasks that shall run as long as the process: one that raises is counted, logged and started again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from chime.log import Log


class Supervisor:
    """Holds the long-running tasks of the process."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._log = Log("supervisor")
        self.restarts: Counter[str] = Counter()

    def run(self, name: str, body: Callable[[], Awaitable[None]]) -> None:
        """Keep `body` running under this name until `stop`; when it returns it is done."""
        self._tasks[name] = asyncio.create_task(self._keep(name, body), name=name)

    async def _keep(self, name: str, body: Callable[[], Awaitable[None]]) -> None:
        wait = 0.1
        while True:
            try:
                await body()
                return
            except Exception as error:  # whatever it was, the task starts anew and the count shows it
                self.restarts[name] += 1
                self._log.error("task.failed", error, task=name)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 30.0)

    async def stop(self) -> None:
        """Cancel every task and wait for them."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
