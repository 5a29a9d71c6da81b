"""The search bites: what is put where it may not be is found there, and what is one workspace's in another's files."""

from __future__ import annotations

import base64
import json

import pytest

from tests.reliability.appliance import Appliance
from tests.reliability.checker import opened, unsound
from tests.reliability.outbox import OUR_WORDS, person
from tests.reliability.secrecy import PIECE, told_in
from tests.reliability.traffic import WORDS
from tests.support.webhook_bodies import DANA, body, inbound, text
from tests.support.world import ACCESS_TOKEN, APP_SECRET, MASTER_KEY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    return Appliance.install(tmp_path_factory.mktemp("secrecy"), workspaces=("Acme", "Globex"))


def test_whatever_is_told_is_found(installed: Appliance) -> None:
    folder = installed.data_dir.parent
    assert told_in(folder) == []
    number = person(2)
    told = {"the access token": ACCESS_TOKEN, "the app's secret": APP_SECRET.encode().hex(),
            "an API key": installed.numbers[0].api_key, "a customer's words": base64.b64encode(
                f"x{WORDS} 7".encode()).decode(), "our words": json.dumps({"body": OUR_WORDS}),
            "a customer's number": f"+{number[0]} {number[1:4]} {number[4:7]}-{number[7:]}",
            "the master key": MASTER_KEY.hex()}
    for what, words in told.items():
        installed.log_file.write_text(f"2026-11-22 something failed: {words}\n")
        assert f"{what} can be read in serve.log" in told_in(folder), what
    installed.log_file.unlink()
    place = installed.data_dir / "workspaces" / installed.numbers[1].workspace_id / "journal.db-wal"
    place.write_bytes(bytes(PIECE - 5) + f"{WORDS} 12".encode() + bytes(9))
    assert told_in(folder) == [f"a customer's words can be read in {place.relative_to(folder)}"]
    place.unlink()


def test_what_is_of_another_workspace_is_found(installed: Appliance) -> None:
    sent = json.dumps(body(installed.numbers[0], inbound(
        installed.numbers[0], DANA, text(DANA, "wamid.a", 1, "Hello")))).encode()
    with opened(installed) as files:
        assert unsound(files) == []
        for place, harmed in enumerate((*files.journals, *files.workspaces)):
            harmed.execute("PRAGMA query_only = OFF")
            if place < 2:
                harmed.execute("INSERT INTO webhook_body (key, received_at, body) VALUES (x'00', 1, ?)", (sent,))
            else:
                harmed.execute("INSERT INTO message_status VALUES ('1', '1', NULL, 'wamid.a', 'sent', 1, '{}', 1)")
        first, second = unsound(files)
    assert "journal of another (1, such as [(1, 1)])" in first and "file of another (1," in second
