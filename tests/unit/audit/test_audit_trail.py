"""A trail over its life: checkpoints when they are due, proofs of consistency, anchors, the oldest rows let go, rows of
the form before the tree, records that no change carries."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlcipher3 import dbapi2

from chime import audit
from chime.audit import export, jobs, queries, retention, verifier
from chime.audit.model import CHECKPOINT_AFTER, FEWEST_DAYS, Filter
from chime.clock import DAY, HOUR, Clock
from chime.db import StorageUnavailable
from chime.errors import Invalid, Unavailable
from chime.security import signed_note
from chime.security.merkle import TILE
from chime.security.permissions import SYSTEM
from chime.workspaces import Record
from chime.workspaces.records import MOST_WAITING
from tests.unit.audit.trail_setup import ALICE, COLUMNS_AT, files_of, hashed_anew, intruder, write_rows


async def exported(trail: audit.Trail, wanted: Filter = Filter()) -> list[str]:  # noqa: B008 - frozen
    made = await export.begin(trail, ALICE, wanted)
    return b"".join([chunk async for chunk in export.lines(trail, made, wanted)]).decode().split("\n")


async def test_a_row_says_who_where_and_what(installation: Path, tmp_path: Path) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        async with files.workspace.write(msgspec.structs.replace(ALICE, on_behalf="bob")) as tx:
            await tx.audit("thing.changed", "thing", "t1", before={"a": 1}, after={"a": 2})
            await tx.audit_for(SYSTEM, "thing.refused", "thing", "t2", {}, denied=True)
        one, two = (await queries.page(files.trail.db, Filter(action="thing."), limit=5))[::-1]
        assert (one.actor_name, one.on_behalf, one.session_id, one.address) == (
            "Alice", "bob", ALICE.origin.session_id, "203.0.113.9")
        assert one.agent_hash == hashlib.sha256(b"Firefox").hexdigest()[:16] and two.agent_hash == ""
        assert (one.result, two.result) == ("done", "denied") and two.actor_kind == "system"


async def test_nothing_of_the_product_can_change_or_cut_it(installation: Path, tmp_path: Path) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        await write_rows(files.workspace, 5)
        for statement in ("UPDATE audit_event SET actor_name = 'x' WHERE sequence = 3", "DELETE FROM audit_event",
                          "DELETE FROM audit_event WHERE sequence = 1"):
            with pytest.raises((dbapi2.IntegrityError, StorageUnavailable)):
                async with files.workspace.db.transaction() as tx:
                    await tx.execute(statement)
        assert (await audit.examine(files.trail, Clock())).ok


async def test_a_checkpoint_is_due_after_ten_minutes_or_a_thousand_rows(installation: Path, tmp_path: Path) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        trail = files.trail
        await audit.sign(trail)
        await write_rows(files.workspace, 1)
        now = Clock().now()
        assert not await jobs.is_to_sign(trail.db, now)
        assert await jobs.is_to_sign(trail.db, now + CHECKPOINT_AFTER)
        await audit.sign(trail)
        assert not await jobs.is_to_sign(trail.db, now + DAY), "its own row is not one that waits"
        await write_rows(files.workspace, 999)
        assert not await jobs.is_to_sign(trail.db, now)
        await write_rows(files.workspace, 1)
        assert await jobs.is_to_sign(trail.db, now)


async def test_the_thousandth_row_rings_for_a_checkpoint(installation: Path, tmp_path: Path) -> None:
    async with files_of(installation, tmp_path / "data") as files, files.workspace.write(ALICE) as tx:
        for number in range(1_000):
            await tx.audit("thing.happened", "thing", str(number))
        assert [job.kind for job in tx.committed().jobs] == ["audit.checkpoint"]


async def test_checkpoints_are_kept_in_three_places(installation: Path, tmp_path: Path) -> None:
    anchors = tmp_path / "elsewhere.jsonl"
    async with files_of(installation, tmp_path / "data", audit_anchor_file=anchors) as files:
        first = await audit.sign(files.trail)
        await audit.sign(audit.installation_trail(files.control))
        await write_rows(files.workspace, 10)
        second = await audit.sign(files.trail)
        away = await queries.anchored(files.control.db, files.workspace.id)
        assert away == second and await queries.newest_checkpoint(files.trail.db) == second
    notes = verifier.notes_of(anchors.read_text("utf-8"))
    assert [note.split("\n")[0].rpartition("/")[2] for note in notes] == [
        files.workspace.id, "installation", files.workspace.id]
    assert notes[0] == first.note and notes[2] == second.note
    assert first.note.startswith("chime.example.com/audit/")


async def test_a_file_put_back_to_an_older_state_is_noticed_and_can_be_accepted(installation: Path, tmp_path: Path
                                                                                ) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        await write_rows(files.workspace, 40)
        await audit.sign(files.trail)
        older = await queries.newest_checkpoint(files.trail.db)
        await write_rows(files.workspace, 30)
        newer = await audit.sign(files.trail)
        assert older is not None
        with intruder(files) as there:
            there.put(there.rows()[:older.size])
            there.sql("DELETE FROM audit_checkpoint WHERE size > ?", (older.size,))
            verdict = await audit.examine(there.trail, Clock())
            assert (verdict.ok, verdict.first_bad, verdict.proven) == (False, older.size + 1, older.size)
        async with files.workspace.db.transaction() as tx:  # the same, for good
            for trigger in ("audit_event_is_never_cut", "audit_event_is_never_changed"):
                await tx.execute(f"DROP TRIGGER {trigger}")
            await tx.execute("DELETE FROM audit_event WHERE sequence > ?", older.size)
            await tx.execute("DELETE FROM audit_checkpoint WHERE size > ?", older.size)
        with pytest.raises(audit.TrailChanged, match="missing at the end"):
            await audit.sign(files.trail)
        assert await queries.alarm(files.trail.db) is not None
        assert not await jobs.is_to_sign(files.trail.db, Clock().now() + HOUR // 2)
        accepted = await audit.accept_as_it_is(files.trail, ALICE, reason="put back from the backup of Monday")
        assert accepted.size < newer.size and await queries.alarm(files.trail.db) is None
        assert (await audit.examine(files.trail, Clock())).ok
        (row,) = await queries.page(files.trail.db, Filter(action="audit.break_accepted"), limit=5)
        assert row.details["note_before"] == newer.note and row.actor_name == "Alice"
        # Whoever kept the newer checkpoint still sees the break.
        assert not (await audit.examine(files.trail, Clock(), anchors=[newer.note])).ok
        await audit.sign(files.trail)


async def test_the_signer_reads_older_tiles_again(installation: Path, tmp_path: Path) -> None:
    """A row whose words were changed and its hash left alone: the root still fits, so only reading it again tells."""
    async with files_of(installation, tmp_path / "data") as files:
        await write_rows(files.workspace, 2 * TILE + 30, together=500)
        await audit.sign(files.trail)
        async with files.workspace.db.transaction() as tx:
            await tx.execute("DROP TRIGGER audit_event_is_never_changed")
            await tx.execute("UPDATE audit_event SET actor_name = 'Nobody' WHERE sequence = ?", TILE + 5)
        with pytest.raises(audit.TrailChanged) as caught:
            await audit.sign(files.trail)
        assert caught.value.first_bad == TILE + 5
        verdict = await audit.examine(files.trail, Clock())
        assert (verdict.ok, verdict.first_bad) == (False, TILE + 5)


async def test_the_oldest_rows_go_by_whole_tiles_and_the_rest_stays_provable(installation: Path, tmp_path: Path
                                                                             ) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        trail, later = files.trail, Clock().now() + (FEWEST_DAYS + 10) * DAY
        await write_rows(files.workspace, 3 * TILE + 100, together=500)
        kept = await exported(trail)
        assert await retention.let_go(trail, later) == 0, "three years are usual"
        async with files.workspace.write(ALICE) as tx:
            with pytest.raises(Invalid):
                await audit.keep_for(tx, FEWEST_DAYS - 1)
            await audit.keep_for(tx, FEWEST_DAYS)
        await jobs.let_all_go(trail, later)
        assert await queries.first_kept(trail.db) == 3 * TILE + 1 and await queries.cut_to(trail.db) == 3 * TILE
        verdict = await audit.examine(trail, Clock())
        assert verdict.ok and verdict.rows == verdict.size - 3 * TILE
        await audit.sign(trail)
        told = verifier.check(await exported(trail))
        assert told["ok"] and told["proven"] > 3 * TILE, told
        some = verifier.check(await exported(trail, Filter(action="contact.edited")))
        assert some["ok"] and some["rows"] == await trail.db.value(
            "SELECT count(*) FROM audit_event WHERE action = 'contact.edited'"), some
        # What somebody exported before still fits under what is signed now.
        roots = await queries.tiles(trail.db, 3)
        rows = [json.loads(line) for line in kept if line and '"sequence"' in line]
        peaks: list[tuple[int, bytes]] = []
        for row in rows[:TILE]:
            verifier.push(peaks, verifier.leaf_of(row))
        assert verifier.root_of(peaks) == roots[0]


async def test_rows_from_before_the_tree_are_checked_by_the_rule_they_were_made_with(installation: Path, tmp_path: Path
                                                                                    ) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        await write_rows(files.workspace, 20)
        with intruder(files) as there:
            rows = there.rows()
            for row in rows[:10]:
                for column in ("on_behalf", "session_id", "address", "agent_hash"):
                    row[COLUMNS_AT[column]] = ""
                row[COLUMNS_AT["form"]] = 1
            hashed_anew(rows, 0)
            before = rows[0][-2] + json.dumps([rows[0][COLUMNS_AT[name]] for name in verifier.HASHED_BEFORE],
                                              separators=(",", ":")).encode()
            assert rows[0][-1] == hashlib.sha256(before).digest()
            there.put(rows)
            assert (await audit.examine(there.trail, Clock())).ok
            lines = [line for line in await there.lines() if "checkpoint" not in line]
            assert verifier.check(lines, key="A" * 43 + "=")["reason"] == "no signature stands for the last rows"
            rows[4][COLUMNS_AT["actor_name"]] = "Nobody"
            there.put(rows)
            assert (await audit.examine(there.trail, Clock())).first_bad == 5


async def test_records_share_a_transaction_and_wait_for_a_disk_that_takes_nothing(installation: Path, tmp_path: Path
                                                                                  ) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        records, db = files.workspace.records, files.workspace.db
        count = "SELECT count(*) FROM audit_event WHERE action = 'contact.opened'"

        def record(number: int) -> Record:
            return Record(actor=ALICE, action="contact.opened", object_kind="contact", object_id=str(number))

        for number in range(30):
            records.soon(record(number))
        assert await db.value(count) == 0
        await records.first(record(30))
        assert await db.value(count) == 31, "what waited goes with it"
        async with db.transaction() as tx:
            await tx.execute("CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'full'); END")
        with pytest.raises((dbapi2.IntegrityError, Unavailable)):
            await records.first(record(31))
        for number in range(MOST_WAITING):
            records.soon(record(number))
        with pytest.raises(Unavailable):
            records.soon(record(0))
        await asyncio.sleep(0.6)
        async with db.transaction() as tx:
            await tx.execute("DROP TRIGGER full")
        await records.close()
        assert await db.value(count) == 31 + MOST_WAITING
        records.soon(record(40))
    # Closing wrote it.
    async with files_of(tmp_path / "data", tmp_path / "again") as again:
        assert await again.workspace.db.value(count) == 32 + MOST_WAITING


async def test_a_signature_is_by_the_key_of_the_installation(installation: Path, tmp_path: Path) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        first = await audit.sign(files.trail)
        public = await audit.public_key(files.control)
        assert public is not None and signed_note.is_signed(first.note, public)
        secret: Any = await files.control.db.value("SELECT seed_sealed FROM audit_key")
        assert public not in secret
        async with files.control.db.transaction() as tx:
            await tx.execute("UPDATE audit_key SET public_key = ?", bytes(32))
        with pytest.raises(audit.TrailChanged, match="signature"):
            await audit.sign(files.trail)
