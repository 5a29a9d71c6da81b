"""A stolen disk or a copied folder tells nothing without the master key: not in a row, a WAL, a file or a name."""

from __future__ import annotations

import base64
import json
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing

from chime.ids import is_id
from tests.support.canaries import FILE, day
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
    found = [path for path in sorted(world.data_dir.rglob("*")) if path.is_file()]
    assert {"control.db", "control.db-wal", "queue.db", "workspace.db", "workspace.db-wal", "journal.db",
            "journal.db-wal"} <= {path.name for path in found}
    kept = [path for path in found if "media" in path.parts]
    assert len(kept) == 2 and all(path.stat().st_size > len(FILE) for path in kept)
    for path in found:
        content, place = path.read_bytes(), str(path.relative_to(world.data_dir))
        for what, secret in secrets.items():
            assert secret not in place, f"{what} is the name of a file"
            for dress in written(secret):
                assert dress not in content, f"{what} can be read in {place}"
        if path.suffix == ".db" and path.name != "queue.db":
            assert not content.startswith(b"SQLite format 3"), place
    # And nobody else on the machine may look at all.
    loose = {str(path.relative_to(world.data_dir)): oct(path.stat().st_mode) for path in world.data_dir.rglob("*")
             if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)}
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
    with closing(sqlite3.connect(world.data_dir / "queue.db")) as queue:
        found = queue.execute("SELECT data FROM schedule UNION ALL SELECT data FROM task").fetchall()
    waiting = [json.loads(row[0]) for row in found]
    assert waiting, "something is due later"
    for nudge in waiting:
        workspace_id, kind, object_id = nudge["args"]
        assert workspace_id == world.acme.workspace_id and kind.startswith("inbox.") and is_id(object_id), nudge
        assert nudge["name"].endswith("nudge") and not nudge["kwargs"]
