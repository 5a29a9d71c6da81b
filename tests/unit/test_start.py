"""What a start leaves for later: modules, writers, hashes. Each was measured; together they are half of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chime.clock import Clock
from chime.db import StorageUnavailable
from chime.ids import Ids
from chime.inbox.jobs import forget_claims
from chime.security.passwords import Passwords
from chime.setup import opened
from chime.workspaces.workspace import CONSENT_EVENT
from tests.unit.workspaces.test_registry import installation

ROOT = Path(__file__).resolve().parents[2]
# Some are loaded when somebody needs them, some belong to commands, tests or a library's own command line.
NOT_AT_A_START = ("sqlite_utils", "tabulate", "phonenumbers", "rich", "rich_click", "markdown_it", "cryptography.x509",
                  "litestar.cli", "litestar.testing", "unittest", "pip", "chime.demo", "tests")


def test_a_start_loads_none_of_these() -> None:
    program = "import sys, chime.cli, chime.serve, chime.setup; print(*(n for n, m in sys.modules.items() if m))"
    ran = subprocess.run([sys.executable, "-P", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "chime.app" in loaded and loaded.isdisjoint(NOT_AT_A_START)


async def test_a_workspace_that_is_only_looked_through_has_no_writer(tmp_path: Path) -> None:
    async with opened(await installation(tmp_path)) as (control, registry):
        async with registry.use((await control.workspaces())[0].id) as workspace:
            await forget_claims(workspace, Clock())
            journal: Any = workspace.journal
            assert workspace.db._raw_writer is None and journal._connection is None
            row = ("contact", "opted_out", "test", "", 1)
            await journal.append(CONSENT_EVENT, *row)
            assert await workspace.journal_db.value("SELECT count(*) FROM consent_event") == 1
            async with journal.closed_meanwhile():
                assert journal._connection is None
            await journal.append(CONSENT_EVENT, *row)
            assert await workspace.journal_db.value("SELECT count(*) FROM consent_event") == 2
        await registry.expel(workspace.id)
        with pytest.raises(StorageUnavailable):
            await journal.append(CONSENT_EVENT, *row)
        assert journal._connection is None, "nothing opens it again"


async def test_an_account_that_is_not_there_costs_what_a_wrong_password_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    verify = Argon2id.verify_phc_encoded

    def counting(secret: bytes, text: str, *arguments: Any) -> None:
        checked.append(text)
        verify(secret, text, *arguments)

    passwords = Passwords(b"pepper", Ids())
    stored = await passwords.hash_again("a right password")
    monkeypatch.setattr("chime.security.passwords.Argon2id", SimpleNamespace(verify_phc_encoded=counting))
    assert await passwords.verify("a right password", stored)
    assert not await passwords.verify("a wrong password", stored)
    assert not await passwords.verify("a wrong password", None)
    passwords.close()
    right, wrong, nobody = ([len(piece) for piece in text.split("$")] for text in checked)
    assert right == wrong == nobody and not Passwords.is_outdated(checked[2])
