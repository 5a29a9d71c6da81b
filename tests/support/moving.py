"""A workspace on its way, in a process that stops dead at a step of it, or says how much memory it took.

    python -m tests.support.moving DATA_DIR export|import FILE [STEP]
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from chime.config import Config, load
from chime.handover import arriving, packing, writing
from chime.workspace_commands import export_workspace, import_workspace

KEYS = {"a": bytes(range(7, 39)), "b": bytes(range(101, 133))}
PASSPHRASE = "seven small boats went out before dawn"
NAME = "Shop"
EXPORT_STEPS = ("copy_file", "rows_by_table", "describe", "_size_of", "half", "_write")
IMPORT_STEPS = ("file_key", "examine", "half", "_put", "_must_hold", "exchange_ids", "_settle", "_make_ready", "_move",
                "_keep_keys", "_keep_app", "_register")
DEAD = 17


def config_of(data_dir: Path) -> Config:
    """Of an installation in a folder whose name begins with the letter of its master key."""
    return msgspec.structs.replace(load(data=str(data_dir), environment={}), master_key=KEYS[data_dir.name[0]])


def _dies_after(work: Callable[..., Any]) -> Callable[..., Any]:
    if asyncio.iscoroutinefunction(work):
        async def later(*arguments: Any, **named: Any) -> Any:
            await work(*arguments, **named)
            os._exit(DEAD)

        return later

    def now(*arguments: Any, **named: Any) -> Any:
        work(*arguments, **named)
        os._exit(DEAD)

    return now


def _die_at(step: str, verb: str) -> None:
    if step == "half":
        # In the middle of the bytes.
        module: Any = packing.Package if verb == "export" else arriving
        if verb == "export":
            whole = packing.Package.content

            def content(self: Any, lock: Any) -> Any:
                for number, piece in enumerate(whole(self, lock)):
                    yield piece
                    if number == 5:
                        os._exit(DEAD)

            module.content = content
            return
        from chime.handover import reading

        reading._write = _dies_after(reading._write)
        return
    for module in (writing, packing) if verb == "export" else (arriving,):
        if hasattr(module, step):
            setattr(module, step, _dies_after(getattr(module, step)))


def _most_memory() -> int:
    """KiB. Of this program alone: what `getrusage` says begins with what its parent had."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.partition("VmHWM:")[2].split()[0])


def main() -> None:
    data_dir, verb, file, step = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4] if sys.argv[4:] else ""
    if step:
        _die_at(step, verb)
    config = config_of(data_dir)
    if verb == "export":
        asyncio.run(export_workspace(config, NAME, file, PASSPHRASE, lambda done, total: None))
    else:
        asyncio.run(import_workspace(config, file, PASSPHRASE, None))
    print(_most_memory())


if __name__ == "__main__":
    main()
