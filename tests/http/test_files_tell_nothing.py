"""A stolen disk or a copied folder tells nothing without the master key: not in a row, a WAL, a file or a name."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

from chime.ids import is_id
from chime.security.permissions import OPERATOR
from chime.workspaces.keys import Purpose
from chime.workspaces.rotation import Rotator, ask
from tests.http.inbox_setup import until
from tests.support.canaries import FILE, day
from tests.support.files import contents
from tests.support.world import World


def written(secret: str) -> Iterator[bytes]:
    """A secret in every dress it may be written in."""
    for plain in {secret.encode(), secret.encode("utf-16-le"), json.dumps(secret)[1:-1].encode()}:
        yield plain
        yield plain.hex().encode()
        for offset in range(3):  # where it stands in a base64 text decides over its letters
            padded = b"\0" * offset + plain
            letters = base64.b64encode(padded)[(0, 2, 3)[offset]:]
            yield letters[:-4] if len(padded) % 3 else letters


async def test_no_file_shows_a_word_a_name_a_number_or_a_secret(world: World) -> None:
    secrets = await day(world)
    look(world, secrets)
    # Nor while keys are replaced, nor afterwards.
    services = world.services
    async with services.control.write(OPERATOR) as tx:
        await ask(tx, services.control.keys, services.ids, workspace_id=world.acme.workspace_id, purposes=list(Purpose))
    services.control.keys.begin(services.ids, 1)
    look(world, secrets)
    rotator = Rotator(services.control, services.registry, services.clock, services.ids)
    while not await rotator.step():
        await asyncio.sleep(0.05)
    look(world, secrets)


def look(world: World, secrets: dict[str, str]) -> None:
    """At every byte of every file, and for every key of the installation as it is in memory."""
    found = contents(world.data_dir)
    assert {"control.db", "control.db-wal", "queue.db", "workspace.db", "workspace.db-wal", "journal.db",
            "journal.db-wal"} <= {path.name for path in found}
    kept = [path for path in found if "media" in path.parts and "workspaces" in path.parts]
    assert len(kept) == 2 and all(len(found[path]) > len(FILE) for path in kept)
    for path, content in found.items():
        place = str(path.relative_to(world.data_dir))
        for what, secret in secrets.items():
            assert secret not in place, f"{what} is the name of a file"
            for dress in written(secret):
                assert dress not in content, f"{what} can be read in {place}"
        if path.suffix == ".db" and path.name != "queue.db":
            assert not content.startswith(b"SQLite format 3"), place
    ring = world.services.control.keys
    keys = [ring.pepper, *(getattr(one, name) for one in ring.bundle.generations
                           for name in ("control_file", "field", "parked", "links", "wrap"))]
    for path, content in found.items():
        for key in keys:
            assert key not in content and key.hex().encode() not in content, path.name
            assert base64.b64encode(key) not in content, path.name
    # And nobody else on the machine may look at all.
    loose = {}
    for path in {place for file in found for place in (file, *file.parents) if world.data_dir in place.parents}:
        with suppress(FileNotFoundError):
            mode = path.stat().st_mode
            if stat.S_IMODE(mode) != (0o700 if stat.S_ISDIR(mode) else 0o600):
                loose[str(path.relative_to(world.data_dir))] = oct(mode)
    assert not loose


def test_the_looking_finds_what_is_there() -> None:
    """The test above is worth something only if it would see."""
    word = "Grüße"
    for content in (b"x" + word.encode(), b"\\u00e4Gr\\u00fc\\u00dfe", base64.b64encode(b"no" + word.encode() + b"!"),
                    base64.b64encode(b"n" + word.encode()), b"z" + word.encode().hex().encode(),
                    word.encode("utf-16-le")):
        assert any(dress in content for dress in written(word)), content


async def test_the_queue_holds_names_of_jobs_and_ids_only(world: World) -> None:
    """The one file that is not encrypted: what waits in it may be read by everybody."""
    await day(world)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        tx.enqueue("inbox.deliver", world.acme.channel_id, at=tx.now + 3_600_000)

    def due_later() -> list[Any]:
        with closing(sqlite3.connect(world.data_dir / "queue.db")) as queue:
            return queue.execute("SELECT data FROM schedule UNION ALL SELECT data FROM task").fetchall()

    # Huey's own thread takes it out of the one table and puts it into the other: for a moment it is in neither.
    waiting = [json.loads(row[0]) for row in await until(due_later)]
    for nudge in waiting:
        workspace_id, kind, object_id = nudge["args"]
        assert workspace_id == world.acme.workspace_id and kind.startswith("inbox.") and is_id(object_id), nudge
        assert nudge["name"].endswith("nudge") and not nudge["kwargs"]
