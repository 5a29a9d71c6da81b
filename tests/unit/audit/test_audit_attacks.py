"""AUD-1: whoever may write into the database changes the trail in every way there is; the examination in place and
the stand-alone verifier find each one made before the last checkpoint that is kept elsewhere, and name the first bad
row."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chime import audit
from chime.audit import queries, verifier
from chime.audit.trail import signing_key
from chime.clock import Clock
from chime.security import signed_note
from chime.security.audit_hash import COLUMNS, leaf_of
from chime.security.merkle import GrowingTree
from tests.unit.audit.trail_setup import (
    COLUMNS_AT,
    Files,
    Intruder,
    Row,
    files_of,
    hashed_anew,
    intruder,
    numbered_anew,
    write_rows,
)

FEW, MANY = 500, 10_000
# Every n-th attack is shown to the stand-alone verifier too; its arithmetic is Python's own and slower.
OFFLINE_EVERY = 5
EDITABLE = COLUMNS[1:-2]


def other(row: Row, column: str, chance: random.Random) -> object:
    """Another value that the column takes."""
    old = row[COLUMNS_AT[column]]
    if column == "form":
        return 3 - old
    if column == "result":
        return "denied" if old == "done" else "done"
    if column == "at":
        return old + chance.choice((-1, 1)) * chance.randint(1, 10**9)
    if column == "details_json":
        return '{"before":{"name":"b"},"after":{"name":"a"}}'
    return f"{old or ''}{chance.choice('abcxyz')}"


def edit(rows: list[Row], place: int, chance: random.Random) -> int:
    column = chance.choice(EDITABLE)
    rows[place][COLUMNS_AT[column]] = other(rows[place], column, chance)
    return place + 1


def edit_a_hash(rows: list[Row], place: int, chance: random.Random) -> int:
    column = chance.choice((-1, -2))
    rows[place][column] = chance.randbytes(32)
    return place + 1


def edit_and_hash_it(rows: list[Row], place: int, chance: random.Random) -> int:
    first = edit(rows, place, chance)
    hashed_anew(rows, place, place + chance.randint(1, 5) if place + 6 < len(rows) else None)
    return first


def edit_and_hash_all(rows: list[Row], place: int, chance: random.Random) -> int:
    first = edit(rows, place, chance)
    hashed_anew(rows, place)
    return first


def cut(rows: list[Row], place: int, chance: random.Random) -> int:
    del rows[place:place + chance.randint(1, 3)]
    return place + 1


def cut_and_number(rows: list[Row], place: int, chance: random.Random) -> int:
    del rows[place]
    numbered_anew(rows)
    if chance.random() < 0.5:
        hashed_anew(rows, place)
    return place + 1


def insert(rows: list[Row], place: int, chance: random.Random) -> int:
    forged = list(rows[place])
    forged[COLUMNS_AT["action"]] = "contact.deleted"
    rows.insert(place, forged)
    numbered_anew(rows)
    hashed_anew(rows, place, chance.choice((place, place + 1, None)))
    return place + 1


def swap(rows: list[Row], place: int, chance: random.Random) -> int:
    further = min(place + chance.randint(1, 20), len(rows) - 1)
    rows[place], rows[further] = rows[further], rows[place]
    numbered_anew(rows)
    if chance.random() < 0.5:
        hashed_anew(rows, place)
    return min(place, further) + 1


def truncate(rows: list[Row], place: int, chance: random.Random) -> int:
    del rows[place:]
    return place + 1


CHANGES = (edit, edit, edit_a_hash, edit_and_hash_it, edit_and_hash_all, cut, cut_and_number, insert, swap, truncate)
# After which a row betrays itself: then it is named exactly.
NAMED = (edit, cut, truncate)


def cover_up(there: Intruder, rows: list[Row], chance: random.Random) -> None:
    """Make the rest of the file fit, as far as it goes without the key."""
    how = chance.randrange(4)
    if how == 1:
        there.sql("DELETE FROM audit_checkpoint")
    if how == 2:
        there.sql("DELETE FROM audit_checkpoint WHERE size >= ?", (chance.randint(1, len(rows) + 1),))
    if how == 3:
        # Signed anew with a key of their own, under the same name.
        tree, seed = GrowingTree(), chance.randbytes(32)
        for row in rows:
            tree.add(leaf_of(row[1], row[-1]))
        origin = there.sql("SELECT note FROM audit_checkpoint LIMIT 1").fetchone()[0].partition("\n")[0]
        note = signed_note.sign(seed, signed_note.Statement(origin=origin, size=len(rows), root=tree.root()))
        there.sql("DELETE FROM audit_checkpoint")
        there.sql("INSERT INTO audit_checkpoint (size, at, note) VALUES (?, 0, ?)", (len(rows), note))


async def attack(files: Files, anchor: str, public: bytes, chance: random.Random, *, offline: bool) -> None:
    change: Callable[[list[Row], int, random.Random], int] = chance.choice(CHANGES)
    with intruder(files) as there:
        rows = there.rows()
        said = signed_note.read(anchor)
        assert said is not None
        place = chance.randrange(said.size)
        first = change(rows, place, chance)
        there.put(rows)
        cover_up(there, rows, chance)
        found = [await audit.examine(there.trail, Clock(), anchors=[anchor])]
        told = [(found[0].ok, found[0].first_bad, found[0].proven)]
        if offline:
            # The auditor has the key from elsewhere: that in the file may be the intruder's.
            checked = verifier.check(await there.lines(), key=_key(said.origin, public), anchors=[anchor])
            told.append((checked["ok"], checked["first_bad"], checked["proven"]))
    for ok, named, proven in told:
        what = f"{change.__name__} at row {first}: named {named}, proven {proven}"
        assert not ok, f"not found: {what}"
        assert named is not None and proven < first and named <= first, what
        if change in NAMED:
            assert named == first or named == proven + 1, what


def _key(origin: str, public: bytes) -> str:
    return signed_note.verifier_key(origin, public)


async def run(installation: Path, folder: Path, count: int, seed: int) -> None:
    async with files_of(installation, folder) as files:
        for rows in (90, 60, 30):
            await write_rows(files.workspace, rows)
            await audit.sign(files.trail)
        newest = await queries.newest_checkpoint(files.trail.db)
        assert newest is not None
        await write_rows(files.workspace, 20)  # which no signature stands for yet
        public = await audit.public_key(files.control)
        assert public is not None
        verdict = await audit.examine(files.trail, Clock(), anchors=[newest.note])
        assert verdict.ok and verdict.proven == newest.size == verdict.size - 20
        chance = random.Random(seed)
        for number in range(count):
            await attack(files, newest.note, public, chance, offline=number % OFFLINE_EVERY == 0)


async def test_every_change_before_the_last_anchor_is_found(installation: Path, tmp_path: Path) -> None:
    await run(installation, tmp_path / "data", FEW, seed=4)


async def signed_anew(there: Intruder, files: Files, name: str) -> None:
    """Another story up to the end, its checkpoints signed with the installation's own key under this name."""
    rows = there.rows()
    rows[3][COLUMNS_AT["actor_name"]] = "Somebody else"
    hashed_anew(rows, 0)
    there.put(rows)
    tree = GrowingTree([])
    for row in rows:
        tree.add(leaf_of(row[COLUMNS_AT["form"]], row[-1]))
    there.sql("DELETE FROM audit_checkpoint")
    there.sql("DELETE FROM audit_tile")
    statement = signed_note.Statement(origin=name, size=tree.size, root=tree.root(), time="2026-11-22T00:00:00.000Z")
    there.sql("INSERT INTO audit_checkpoint (size, at, note) VALUES (?, 1, ?)",
              (tree.size, signed_note.sign(await signing_key(files.control), statement)))
    async with files.control.ingest("test") as tx:
        await tx.execute("DELETE FROM audit_anchor")


@pytest.mark.parametrize("name", ["chime.example.com/audit/{id}x", "other.example.com/audit/{id}", "{id}"])
async def test_a_trail_signed_anew_under_another_name_is_found(installation: Path, tmp_path: Path, name: str) -> None:
    """Whoever owns the machine has the key that signs; the checkpoint that the auditor kept is of the old name."""
    async with files_of(installation, tmp_path / "data") as files:
        await write_rows(files.workspace, 30)
        kept = await audit.sign(files.trail)
        said, public = signed_note.read(kept.note), await audit.public_key(files.control)
        assert said is not None and public is not None
        honest = await audit.examine(files.trail, Clock(), anchors=[kept.note])
        assert honest.ok and honest.anchors == 1
        with intruder(files) as there:
            assert verifier.check(await there.lines(), key=_key(said.origin, public), anchors=[kept.note])["ok"]
            await signed_anew(there, files, name.format(id=files.workspace.id))
            live = await audit.examine(there.trail, Clock(), anchors=[kept.note])
            assert not live.ok and (live.anchors == 1 or "another name" in live.reason), live
            lines = await there.lines()
        bare = base64.b64encode(public).decode()
        named = _key(said.origin, public)
        for key, anchors in ((bare, [kept.note]), (named, []), (named, [kept.note])):
            told = verifier.check(lines, key=key, anchors=anchors)
            assert not told["ok"] and re.search("elsewhere|rows from 1 to|the key is", told["reason"]), told
            assert told["proven"] == 0 or told["anchors"] == 0


async def test_it_says_how_many_checkpoints_were_compared(installation: Path, tmp_path: Path) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        await write_rows(files.workspace, 10)
        of_another = await audit.sign(audit.installation_trail(files.control))
        first = await audit.sign(files.trail)
        second = await audit.sign(files.trail)
        with intruder(files) as there:
            lines = await there.lines()
        for anchors, count in (([], 0), ([first.note], 1), ([first.note, second.note, of_another.note], 2)):
            assert verifier.check(lines, anchors=anchors)["anchors"] == count
            assert (await audit.examine(files.trail, Clock(), anchors=anchors)).anchors == count
        told = verifier.check(lines, anchors=[of_another.note])
        assert not told["ok"] and "elsewhere" in told["reason"]


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
async def test_every_change_before_the_last_anchor_is_found_many(installation: Path, tmp_path: Path) -> None:
    await run(installation, tmp_path / "data", MANY, seed=5)
