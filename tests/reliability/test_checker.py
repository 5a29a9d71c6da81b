"""The checker is believed only because it notices: each promise is broken by hand in a copy of good files."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path

import msgspec
import pytest

from tests.reliability.appliance import Appliance
from tests.reliability.checker import Files, not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.meta import Entry, Fate, accept, refuse, reply_lost
from tests.reliability.outbox import out_of_order, twice, wrong_states
from tests.reliability.parked import STRANGER, Parked, share
from tests.reliability.senders import Delivery, Sender
from tests.reliability.traffic import Effects, Fact, Traffic

SEED = 7
# A served installation, the facts of its number, and all that was acknowledged.
Good = tuple[Appliance, set[Fact], list[Delivery]]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Good:
    """An installation that took a hundred bodies, some also for a number that nobody has connected."""
    async def made() -> Good:
        appliance = Appliance.install(tmp_path_factory.mktemp("checker"))
        traffic = Traffic(appliance.numbers, random.Random(SEED), customers=20, strangers=[STRANGER])
        sender = Sender(appliance.port, appliance.webhook_path, random.Random(SEED))
        async with appliance:
            await appliance.start()
            await sender.at_rate((traffic.delivery() for _ in range(100)), 500)
            await sender.settled()
            await until_applied(appliance)
            await sender.close()
        return appliance, {fact for fact in traffic.facts if fact.number == 0}, sender.acknowledged

    return asyncio.run(made())


def faults(files: Files, facts: set[Fact]) -> list[str]:
    return unsound(files) + unaccounted(files) + not_in_effect(files.workspaces[0], Effects(facts), "it")


def test_good_files_have_no_fault(good: Good) -> None:
    with opened(good[0]) as files:
        assert faults(files, good[1]) == []


@pytest.mark.parametrize(("harm", "told"), [
    ("DELETE FROM message WHERE wamid = (SELECT min(wamid) FROM message WHERE direction = 'in')", "are missing"),
    ("UPDATE message SET text = 'other' WHERE wamid = (SELECT max(wamid) FROM message)", "other words"),
    ("UPDATE message SET status = 'lost' WHERE wamid = (SELECT max(wamid) FROM message)", "and lost"),
    ("UPDATE message SET status = 'sent' WHERE status = 'read'", "furthest status"),
    ("DELETE FROM message_status WHERE key = (SELECT min(key) FROM message_status)", "statuses are missing"),
    ("UPDATE message_status SET wamid = 'wamid.strange' WHERE key = (SELECT min(key) FROM message_status)",
     "statuses nobody told"),
    ("UPDATE reaction SET emoji = '?'", "reactions are missing"),
    ("UPDATE conversation SET unread_count = unread_count + 1", "unread counts"),
    ("UPDATE applied_body SET applied = applied + 1 WHERE journal_id = 3", "accounts"),
    ("DELETE FROM applied_body WHERE journal_id = 5", "accounts"),
    ("UPDATE applied_body SET applied = 0, rejected = applied WHERE journal_id = 1", "set aside"),
    ("UPDATE audit_event SET actor_name = 'nobody' WHERE sequence = 1", "does not follow"),
    ("DELETE FROM contact", "foreign_key_check"),
])
def test_harm_is_noticed(good: Good, harm: str, told: str) -> None:
    with opened(good[0]) as files:
        file = files.workspaces[0]
        file.execute("PRAGMA query_only = OFF")
        file.execute("DROP TRIGGER IF EXISTS audit_event_is_never_changed")
        assert file.execute(harm).rowcount > 0
        assert any(told in fault for fault in faults(files, good[1])), faults(files, good[1])


@pytest.mark.parametrize(("harm", "told"), [
    ("DELETE FROM parked_delivery WHERE id = (SELECT min(id) FROM parked_delivery)", "1 of "),
    ("UPDATE parked_delivery SET phone_number_id = '1' WHERE id = (SELECT min(id) FROM parked_delivery)",
     "another number"),
])
def test_harm_to_what_is_parked_is_noticed(good: Good, harm: str, told: str) -> None:
    appliance, _, deliveries = good
    with opened(appliance) as files:
        parked = Parked(files.control, files.keys)
        assert parked.count > 5 and parked.lost(deliveries) + parked.wrong(deliveries) == []
        files.control.execute("PRAGMA query_only = OFF")
        assert files.control.execute(harm).rowcount == 1
        parked = Parked(files.control, files.keys)
        assert any(told in fault for fault in parked.lost(deliveries) + parked.wrong(deliveries))
        known = [delivery for delivery in deliveries if share(delivery.body, STRANGER.phone_number_id)]
        assert any("nobody posted" in fault for fault in parked.wrong(known[2:]))


def test_a_missing_audit_row_is_noticed(good: Good) -> None:
    with opened(good[0]) as files:
        files.control.execute("PRAGMA query_only = OFF")
        files.control.execute("DROP TRIGGER audit_event_is_never_cut")
        files.control.execute("DELETE FROM audit_event WHERE sequence = 2")
        assert unsound(files) == ["control.db: the audit rows leave out 2"]


def test_a_damaged_page_is_noticed(good: Good, tmp_path: Path) -> None:
    copy = shutil.copytree(good[0].data_dir, tmp_path / "data")
    path = copy / "workspaces" / good[0].numbers[0].workspace_id / "journal.db-wal"
    # The log goes into the file first, so that the flipped byte is not one that nobody reads any more.
    harmed = Appliance(copy, good[0].numbers, good[0].webhook_path, {})
    with opened(harmed) as files:
        files.journals[0].execute("PRAGMA query_only = OFF")
        files.journals[0].execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database = Path(files.journals[0].execute("PRAGMA database_list").fetchone()[2])
        content = bytearray(database.read_bytes())
    path.unlink()
    content[len(content) // 2] ^= 1
    path.with_name("journal.db").write_bytes(content)
    with opened(harmed) as files:
        assert any("journal.db" in fault for fault in unsound(files))


def _post(message_id: str, attempt: int, fate: Fate) -> Entry:
    return Entry(place=0, phone_number_id="1", to="2", message_id=message_id, attempt=attempt, callback_data="",
                 sha256="", at=0.0, fate=fate, wamid=f"wamid.{attempt}" if fate.accepted else None)


@pytest.mark.parametrize(("first", "again"), [
    (accept(), False), (reply_lost(accepted=True), False), (reply_lost(accepted=False), False),
    (refuse(131000, definite=False), False), (refuse(130429), True)])
def test_a_second_post_is_right_only_after_a_certain_refusal(first: Fate, again: bool) -> None:
    assert twice([_post("a", 1, first), _post("b", 1, accept()), _post("a", 2, accept())]) == [] or not again
    assert bool(twice([_post("a", 1, first), _post("a", 2, accept())])) is not again
    assert twice([_post("a", 2, refuse(130429)), _post("a", 2, accept())]), "the attempts must be told apart"


def test_messages_that_meta_knows_otherwise_are_noticed(good: Good) -> None:
    with opened(good[0]) as files:
        file = files.workspaces[0]
        file.execute("PRAGMA query_only = OFF")
        file.execute("UPDATE message SET origin = 'api', conversation_id = (SELECT min(id) FROM conversation) "
                     "WHERE wamid IN (SELECT wamid FROM message WHERE direction = 'out' LIMIT 2)")
        (one, first), (other, second) = sorted(file.execute("SELECT id, at FROM message WHERE origin = 'api'"),
                                               key=lambda row: row[1])
        file.execute("UPDATE message SET at = at + 1 WHERE id = ?", (other,))
        assert first <= second
        late, early = _post(one, 1, accept()), _post(other, 1, accept())
        wrong = wrong_states(files, [late, early], [{one, other, "gone"}])
        assert any("are gone" in fault for fault in wrong) and any("another id" in fault for fault in wrong)
        assert any("never heard" in fault for fault in wrong_states(files, [late], [{one, other}]))
        assert any("nobody queued" in fault for fault in wrong_states(files, [late, early], [{one}]))
        refused = msgspec.structs.replace(late, fate=refuse(131026), wamid=None)
        assert any("after 'refused" in fault for fault in wrong_states(files, [refused, early], [{one, other}]))
        assert out_of_order(files, [late, early]) == [] and out_of_order(files, [early, late])
