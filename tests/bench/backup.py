"""What the continuous backup costs and what it keeps: the history of a day, the time of a restore, the writers' pauses.

The day is told by one message every so often, each shipped by itself, with a clock that is moved on; then its hours and
its day are merged as they are in use. Sizes are those of the files on the shelf. All of it is measured in a process of
its own, whose disk is as slow as it was asked for: `python -m tests.bench.backup FOLDER OPTIONS`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from chime.backups.follower import FileFollower, Found
from chime.backups.laying import check_file, lay_file
from chime.backups.levels import merge
from chime.backups.pieces import Piece, Proofs
from chime.backups.shelf import Place, Shelf, workspace_proofs
from chime.clock import DAY, SECOND
from chime.db import DatabaseFile, Key, Kind, open_connection
from chime.db.following import PAGE
from chime.ids import Ids
from chime.workspaces import Space
from tests.bench.options import Options
from tests.bench.slow_disk import apart
from tests.support.world import ACME_NUMBER, PassingClock, make_installation, running_world

KEY = Key(bytes(range(32)))
PROOFS = Proofs({1: b"p" * 32}, 1)
PER_SECOND = 500
MOST_RATIO, MOST_PAUSE_MS, MOST_SECONDS_PER_GB = 2.0, 50.0, 60.0


def measure(options: Options) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"  # what makes the disk slower leaves a file beside it
        data.mkdir()
        found: dict[str, Any] = apart("tests.bench.backup", str(data), msgspec.json.encode(options).decode(),
                                      folder=data, fsync_ms=options.fsync_ms)
        return found


async def _measure(folder: Path, options: Options) -> dict[str, Any]:
    day = await _day(folder / "day", 40 if options.quick else 400)
    restore = await asyncio.to_thread(_restore, folder / "restore", 8 if options.quick else 256)
    baseline = await _writers(folder / "alone", options.lasting(10), backed_up=False)
    backed_up = await _writers(folder / "backed up", options.lasting(10), backed_up=True)
    return {
        "day": day, "restore": restore, "baseline": baseline, "backed_up": backed_up,
        "ratio_of_mean_commit": round(backed_up["mean_ms"] / baseline["mean_ms"], 2),
        "must": f"a day's history <= {MOST_RATIO} of the pages changed, a restore <= {MOST_SECONDS_PER_GB} s/GB, "
                f"no pause of a writer by the backup > {MOST_PAUSE_MS} ms",
        "reached": bool(day["ratio_of_day"] <= MOST_RATIO and restore["seconds_per_gb"] <= MOST_SECONDS_PER_GB
                        and backed_up["longest_ms"] <= max(MOST_PAUSE_MS, baseline["longest_ms"])),
    }


async def _day(folder: Path, messages: int) -> dict[str, Any]:
    """A day of one workspace: real webhooks through the whole product."""
    await asyncio.to_thread(folder.mkdir)
    await make_installation(folder / "made", "http://127.0.0.1:1")
    async with running_world(folder / "made", folder / "data") as world:
        backups = world.app.state.backups
        await backups.once()
        world.clock.pass_time(DAY - world.clock.real_now() % DAY + SECOND)
        for number in range(messages):
            at = world.clock.real_now() // SECOND
            item = {"from": "15550100999", "id": f"wamid.{number:08d}", "timestamp": str(at), "type": "text",
                    "text": {"body": f"message {number}: is the blue one still there, and what is it in large?"}}
            value = {"messaging_product": "whatsapp", "metadata": {
                "display_phone_number": ACME_NUMBER.display_phone_number.strip("+"),
                "phone_number_id": ACME_NUMBER.phone_number_id},
                "contacts": [{"profile": {"name": "Carla"}, "wa_id": "15550100999"}], "messages": [item]}
            answer = await world.webhook({"object": "whatsapp_business_account", "entry": [
                {"id": ACME_NUMBER.waba_id, "changes": [{"field": "messages", "value": value}]}]})
            assert answer.status_code == 200, answer.text
            await world.settle()
            await asyncio.to_thread(backups._step_all)
            world.clock.pass_time(DAY // (messages + 1))
        world.clock.pass_time(DAY)
        now = world.clock.real_now()
        async with world.workspace(world.acme) as workspace:
            proofs = workspace_proofs(workspace.keys)
        return _sizes([backups.shelf.place(world.acme.workspace_id, name) for name in ("workspace.db", "journal.db")],
                      proofs, now, messages)


def _sizes(places: list[Place], proofs: Proofs, now: int, messages: int) -> dict[str, Any]:
    total = {"segment": 0, "hour": 0, "day": 0}
    changed = 0
    for place in places:
        merge(place, proofs, now)
        pages: set[int] = set()
        for epoch in place.epochs():
            for name in place.names(epoch):
                if name.kind != "base":
                    total[name.kind] += name.path.stat().st_size
                if name.kind == "segment":
                    pages.update(Piece(name.path, proofs).numbers)
        changed += len(pages)
    changed_bytes = changed * PAGE
    return {
        "messages": messages, "distinct_pages_changed": changed, "bytes_of_distinct_pages": changed_bytes,
        "day_bytes": total["day"], "hours_bytes": total["hour"], "fine_bytes": total["segment"],
        "ratio_of_day": round(total["day"] / changed_bytes, 3), "ratio_of_hours": round(
            total["hour"] / changed_bytes, 3), "day_bytes_a_message": round(total["day"] / messages),
        "fine_bytes_a_message": round(total["segment"] / messages),
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "live.db"
    connection = open_connection(path, KEY, writes=True, create=True)
    connection.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, text BLOB) STRICT")
    connection.close()
    return path


def _follower(folder: Path, file: DatabaseFile) -> FileFollower:
    place = Shelf(folder / "shelf").place("owner", "live.db")
    return FileFollower(file, place, lambda: PROOFS, PassingClock(), Ids(), Space(folder, 0))


def _restore(folder: Path, megabytes: int) -> dict[str, Any]:
    """Base and segments of a file of this size, laid down and looked through."""
    path = _made(folder)
    connection = open_connection(path, KEY, writes=True)
    connection.execute("BEGIN")
    for _ in range(megabytes * 256):
        connection.execute("INSERT INTO line (text) VALUES (?)", (os.urandom(3_900),))
    connection.execute("COMMIT")
    connection.close()

    async def ship() -> Place:
        file = await DatabaseFile.open(path, KEY)
        follower = _follower(folder, file)
        await asyncio.to_thread(follower.look)
        for _ in range(20):
            async with file.transaction() as tx:
                await tx.execute("UPDATE line SET text = randomblob(3900) WHERE id % 97 = abs(random() % 97)")
            await asyncio.to_thread(follower.step)
        await asyncio.to_thread(follower.let_go)
        await file.close()
        return follower.place

    place = asyncio.run(ship())
    began = time.perf_counter()
    _, size = lay_file(place, PROOFS, None, folder / "laid.db")
    laid = time.perf_counter() - began
    check_file(folder / "laid.db", KEY, Kind.WORKSPACE, threading.Event())
    seconds = time.perf_counter() - began
    return {"megabytes": round(size / 2**20), "seconds": round(seconds, 2), "of_it_laying": round(laid, 2),
            "seconds_per_gb": round(seconds * 2**30 / size, 1)}


async def _writers(folder: Path, seconds: int, *, backed_up: bool) -> dict[str, Any]:
    """So many commits a second, one after the other; with the backup's steps ten times as often as in use."""
    file = await DatabaseFile.open(await asyncio.to_thread(_made, folder), KEY)
    follower = _follower(folder, file)
    steps: list[float] = []
    if backed_up:
        file.follow(follower)
        await asyncio.to_thread(follower.look)

    async def ships() -> None:
        while True:
            began = time.perf_counter()
            if await asyncio.to_thread(follower.step) is Found.LOOK:
                raise AssertionError("the file was lost sight of")
            steps.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)

    shipping = asyncio.create_task(ships()) if backed_up else None
    waits: list[float] = []
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        async with file.transaction() as tx:
            await tx.execute("INSERT INTO line (text) VALUES (?)", os.urandom(700))
        waits.append(time.perf_counter() - now)
        await asyncio.sleep(max(0.0, began + len(waits) / PER_SECOND - time.perf_counter()))
    if shipping is not None:
        if shipping.done():
            await shipping
        shipping.cancel()
        await asyncio.wait([shipping])
    await file.close()
    waits.sort()
    return {"commits_a_second": round(len(waits) / seconds), "mean_ms": round(sum(waits) / len(waits) * 1e3, 3),
            "p99_ms": round(waits[int(len(waits) * 0.99)] * 1e3, 2), "longest_ms": round(waits[-1] * 1e3, 1),
            "steps": len(steps), "longest_step_ms": round(max(steps, default=0) * 1e3, 1)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measure(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Options)))))
