"""A doubt lasts as long as the process served meanwhile, and one that nobody saw settled lasts for ever."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest

from tests.reliability import doubts
from tests.reliability.doubts import Doubts
from tests.reliability.meta import Entry, Fate, accept, refuse, reply_lost


class Watch:
    def __init__(self) -> None:
        self.shows = 0.0

    def monotonic(self) -> float:
        return self.shows


def _files(**states: str) -> Any:
    """Message a's answer is in the journal."""
    workspace, journal = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    workspace.execute("CREATE TABLE message (id, status, origin)")
    workspace.executemany("INSERT INTO message VALUES (?, ?, 'api')", states.items())
    journal.execute("CREATE TABLE send_event (message_id, attempt, phase, outcome)")
    journal.execute("INSERT INTO send_event VALUES ('a', 1, 'ended', 'accepted')")
    return SimpleNamespace(workspaces=[workspace], journals=[journal])


def _entry(message_id: str, fate: Fate, at: float) -> Entry:
    return Entry(place=0, phone_number_id="1", to="2", message_id=message_id, attempt=1, callback_data="", sha256="",
                 at=at, fate=fate, wamid=None)


def test_time_without_a_process_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, noted = Watch(), Doubts()
    monkeypatch.setattr(doubts, "time", watch)
    noted.uptime.began()
    watch.shows = 10.0
    noted.uptime.ended()
    watch.shows = 100.0
    noted.uptime.began()
    watch.shows = 103.0
    noted.look(_files(a="sent", b="unconfirmed", c="unconfirmed", d="failed"))
    watch.shows = 105.0
    files = _files(a="read", b="delivered", c="unconfirmed", d="failed")
    noted.look(files)
    lost = reply_lost(accepted=True)
    ledger = [_entry("a", accept(), 1.0), _entry("b", lost, 4.0), _entry("c", lost, 101.0),
              _entry("d", refuse(131026), 5.0)]
    assert noted.lasted(files, ledger) == [6.0 + 5.0, float("inf")]
