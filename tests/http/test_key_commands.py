"""`chime keys …`, `chime workspace …` and `chime api-key …` as processes, without an appliance and beside one."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from chime.backups import CONTROL, Shelf
from chime.ids import public_part
from chime.security.crypto import master_key_id
from chime.workspaces.control_key import wrapped_for
from chime.workspaces.recovery_sheet import read_back, sheet
from tests.support import processes
from tests.support.processes import CHIME, serving


def chime(data: Path, *arguments: str, status: int = 0, extra: dict[str, str] | None = None) -> Any:
    found = processes.run([*CHIME, *arguments, "--data", str(data), "--json"], extra=extra)
    assert found.returncode == status, found.stderr + found.stdout
    return json.loads(found.stdout) if status == 0 and found.stdout else found.stderr


@pytest.fixture
def made(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    chime(data, "init", "--email", "ada@example.com", "--name", "Ada", "--workspace", "Shop",
          "--recovery-sheet", str(tmp_path / "sheet.txt"))
    return data


def key_in(path: Path) -> bytes:
    return base64.b64decode(path.read_text())


def test_the_master_key_is_replaced_without_an_appliance(made: Path, tmp_path: Path) -> None:
    where = tmp_path / "data.master-key"
    before = key_in(where)
    written = (tmp_path / "sheet.txt").read_text()
    assert stat.S_IMODE(os.stat(tmp_path / "sheet.txt").st_mode) == 0o600
    assert read_back(written) == before and master_key_id(before) in written
    found = chime(made, "keys", "rotate", "--master")
    after = key_in(where)
    assert after != before and not list(tmp_path.glob("*.next"))
    assert found["opened_by"] == [master_key_id(after)] and found["generation"] == 2 and not found["moving"]
    assert chime(made, "keys", "status")["opened_by"] == [master_key_id(after)]
    where.write_bytes(base64.b64encode(before))
    assert "master key is not the one" in chime(made, "keys", "status", status=1)


def test_beside_the_running_appliance_the_backups_stay_good(made: Path, tmp_path: Path) -> None:
    """The appliance goes on with the newer key: it tries each backup of control.db with the key that opens it."""
    shelf = Shelf(made / "backups")
    with serving(made) as program:
        chime(made, "backup", "now")
        first = shelf.result(CONTROL)
        assert first.reason == "" and first.good_at
        found = chime(made, "keys", "rotate", "--master")
        assert found["opened_by"] == [master_key_id(key_in(tmp_path / "data.master-key"))] and not found["moving"]
        after = first
        for _ in range(20):  # one that was under way when it was asked for was of the state before
            chime(made, "backup", "now")
            after = shelf.result(CONTROL)
            if after.at > first.at:
                break
        assert after.reason == "" and after.good_at > first.good_at, "another base was made, and it opens"
        assert program.terminate() == 0


def test_the_configured_master_key_is_replaced_beside_the_running_appliance(tmp_path: Path) -> None:
    data, old, new = tmp_path / "data", os.urandom(32), os.urandom(32)
    with_old = {"CHIME_MASTER_KEY": base64.b64encode(old).decode()}
    with_both = {"CHIME_MASTER_KEY": base64.b64encode(new).decode(), "CHIME_MASTER_KEY_PREVIOUS": with_old[
        "CHIME_MASTER_KEY"]}
    with_new = {"CHIME_MASTER_KEY": base64.b64encode(new).decode()}
    chime(data, "init", "--email", "ada@example.com", "--name", "Ada", "--workspace", "Shop", extra=with_old)
    assert "CHIME_MASTER_KEY_PREVIOUS" in chime(data, "keys", "rotate", "--master", status=1, extra=with_old)
    with serving(data, extra=with_old) as program:
        found = chime(data, "keys", "rotate", "--master", extra=with_both)
        assert found["opened_by"] == [master_key_id(new)] and not found["moving"]
        assert program.get("/readyz")[0] == 200, "it works on with the keys it has"
        chime(data, "workspace", "create", "--name", "Second", extra=with_new)
        assert chime(data, "keys", "rotate", "--workspace", "Shop", extra=with_new)["generation"] == 2
        assert program.get("/readyz")[0] == 200
        # With the key it was not given nothing could be tried; with those it works on with it can.
        chime(data, "backup", "now", extra=with_new)
        tried = Shelf(data / "backups").result(CONTROL)
        assert tried.reason == "" and tried.good_at
        assert program.terminate() == 0
    assert wrapped_for(data) == (master_key_id(new),)
    with serving(data, extra=with_new) as program:
        assert program.get("/readyz")[0] == 200
    refused = processes.run([*CHIME, "serve", "--data", str(data)], extra=with_old)
    assert refused.returncode == 1 and "master key is not the one" in refused.stderr


def test_a_workspaces_keys_are_replaced_for_one_purpose(made: Path) -> None:
    found = chime(made, "keys", "rotate", "--workspace", "Shop", "--purpose", "file")
    [shop] = found["workspaces"]
    assert {row["purpose"]: row["version"] for row in shop["purposes"]} == {"field": 1, "file": 2, "media": 1}
    assert "no workspace" in chime(made, "keys", "rotate", "--workspace", "Nowhere", status=1)
    assert all(check["ok"] for check in chime(made, "doctor")["checks"] if check["name"].startswith("workspace"))


def test_a_workspace_is_suspended_resumed_and_erased(made: Path) -> None:
    made_second = chime(made, "workspace", "create", "--name", "Second")
    folder = made / "workspaces" / made_second["workspace_id"]
    key = chime(made, "api-key", "create", "--workspace", "Second", "--name", "n", "--scopes", "inbox:read")["key"]
    assert public_part(key)
    with serving(made) as program:
        def called() -> int:
            return program.get("/api/v1/conversations", {"Authorization": f"Bearer {key}"})[0]

        assert called() == 200
        assert chime(made, "workspace", "suspend", "Second")["state"] == "suspended"
        assert called() == 401
        assert chime(made, "workspace", "resume", "Second")["state"] == "active"
        assert called() == 200
        assert "in full" in chime(made, "workspace", "erase", "Second", "--yes-erase", "second", status=1)
        assert called() == 200 and folder.exists()
        assert chime(made, "workspace", "erase", "Second", "--yes-erase", "Second")["state"] == "erased"
        assert called() == 401
        for _ in range(100):
            if not folder.exists():
                break
            processes.time.sleep(0.1)
        assert not folder.exists(), "the appliance removes the files it had open"
    assert [row["name"] for row in chime(made, "workspace", "list")["items"]] == ["Shop"]
    chime(made, "workspace", "create", "--name", "Second")
    assert all(check["ok"] for check in chime(made, "doctor")["checks"] if check["name"].startswith("workspace"))


def test_api_keys_are_listed_and_revoked_at_the_shell(made: Path) -> None:
    key = chime(made, "api-key", "create", "--workspace", "Shop", "--name", "reports", "--scopes", "inbox:read",
                "--days", "30", "--address", "203.0.113.0/24")
    [row] = chime(made, "api-key", "list", "--workspace", "Shop")["items"]
    assert row["shown"] == f"chime_{public_part(key['key'])}_…" and row["addresses"] == ["203.0.113.0/24"]
    assert row["state"] == "works" and key["key"] not in str(row)
    assert chime(made, "api-key", "revoke", "--workspace", "Shop", "--key", "reports")["revoked"] == key["id"]
    assert chime(made, "api-key", "list", "--workspace", "Shop")["items"][0]["state"] == "revoked"
    assert "most 730" not in chime(made, "api-key", "create", "--workspace", "Shop", "--name", "n", "--scopes", "all",
                                   "--days", "731", status=1).replace("1 to 730", "")


def test_a_slip_of_the_pen_on_the_sheet_is_found() -> None:
    key = bytes(range(32))
    text = sheet(key, data_dir=Path("data"), public_url="", at=0)
    assert read_back(text) == key and base64.b64encode(key).decode() not in text
    with pytest.raises(ValueError, match="line 1"):
        read_back(text.replace("AAEC", "AAEB"))
