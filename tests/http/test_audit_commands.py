"""`chime audit verify|export|verifier|accept`, and the verifier as a process of its own with nothing but Python."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chime import cli
from tests.support.processes import environment
from tests.support.world import MASTER_KEY

Say = Callable[..., str]


@pytest.fixture
def data(installation: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(installation, tmp_path / "data"))


@pytest.fixture
def chime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command as `main` does and tells what it says. In this process: a new one takes a second to start."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CHIME_AUDIT_ANCHOR_FILE", str(tmp_path / "anchors.jsonl"))
    monkeypatch.setattr("chime.log.configure", lambda form, level: None)

    def say(data: Path, *words: str, status: int = 0) -> str:
        capsys.readouterr()
        # A command takes it out of its environment.
        monkeypatch.setenv("CHIME_MASTER_KEY", base64.b64encode(MASTER_KEY).decode())
        left = cli.run(["audit", *words, "--data", str(data)])
        said = capsys.readouterr()
        assert left == status, said
        return said.out or said.err

    return say


def alone(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The verifier's file in an empty folder: no site packages, no environment, nothing of the checkout."""
    done = subprocess.run((sys.executable, "-I", "-S", "verifier.py", *words, "--json"), cwd=folder, env={}, text=True,
                          capture_output=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"said": done.stderr}


def test_export_and_verify_on_another_machine(chime: Say, data: Path, tmp_path: Path) -> None:
    there = tmp_path / "auditor"
    there.mkdir()
    export = there / "trail.jsonl"
    chime(data, "export", "--workspace", "Acme", "--out", str(export))
    chime(data, "verifier", str(there / "verifier.py"))
    key = json.loads(export.read_text("utf-8").partition("\n")[0])["key"]
    shutil.copy(tmp_path / "anchors.jsonl", there)
    status, told = alone(there, "trail.jsonl", "--key", key, "--anchor", "anchors.jsonl")
    assert status == 0 and told["ok"] and told["rows"] == told["proven"] and told["key_given"], told
    # The same by the command, with no installation anywhere.
    offline = json.loads(chime(tmp_path / "none", "verify", str(export), "--json"))
    assert {name: offline[name] for name in ("ok", "rows", "head", "first_bad")} == {
        "ok": True, "rows": told["rows"], "head": told["head"], "first_bad": None}
    assert not (tmp_path / "none").exists()

    lines = export.read_text("utf-8").splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if '"sequence":1,' in line)
    export.write_text("".join([*lines[:place], lines[place].replace("channel.connected", "channel.removed"),
                               *lines[place + 1:]]), "utf-8")
    status, told = alone(there, "trail.jsonl", "--key", key)
    assert status == 1 and not told["ok"] and told["first_bad"] == 1
    assert json.loads(chime(data, "verify", str(export), "--json", status=1))["first_bad"] == 1
    other = base64.b64encode(bytes(32)).decode()
    export.write_text("".join(lines), "utf-8")
    status, told = alone(there, "trail.jsonl", "--key", other)
    assert status == 1 and not told["ok"]
    assert alone(there, "verifier.py")[0] == 2


def test_the_verifier_takes_nothing_but_an_export(chime: Say, data: Path, tmp_path: Path) -> None:
    chime(data, "verifier", str(tmp_path / "verifier.py"))
    assert (tmp_path / "verifier.py").read_text("utf-8") == chime(data, "verifier")
    assert len((tmp_path / "verifier.py").read_text("utf-8").splitlines()) < 330
    head = '{"format":"chime-audit/1","origin":"a","key":"' + base64.b64encode(bytes(32)).decode() + '"'
    for text in ("", "{}", "[]", "null", "\x00", "{", head + "}", head + ',"whole":true,"peaks":7,"cut_to":0}',
                 head + ',"whole":true,"peaks":[],"cut_to":0}\n[]', head + ',"whole":true,"peaks":[],"cut_to":0}\n{}'):
        (tmp_path / "odd.jsonl").write_text(text, "utf-8")
        status, told = alone(tmp_path, "odd.jsonl")
        assert status == 2 and "Traceback" not in str(told), (text, told)


def test_verify_in_place_knows_every_trail_and_what_is_kept_elsewhere(chime: Say, data: Path, tmp_path: Path
                                                                      ) -> None:
    chime(data, "export", "--workspace", "Acme", "--out", str(tmp_path / "a.jsonl"))
    chime(data, "export", "--out", str(tmp_path / "i.jsonl"))
    told = json.loads(chime(data, "verify", "--json"))
    assert told["ok"] and told["first_bad"] is None
    assert [trail["name"] for trail in told["trails"]] == ["installation", "Acme", "Globex"]
    assert told["rows"] == sum(trail["rows"] for trail in told["trails"])
    one = json.loads(chime(data, "verify", "--workspace", "Acme", "--json"))
    assert one["ok"] and len(one["trails"]) == 1 and one["head"] == told["trails"][1]["head"]
    assert "ok   Acme" in chime(data, "verify")
    # Somebody puts the whole data folder back to what it was; the operator's file outside remembers.
    shutil.copytree(data, tmp_path / "older")
    chime(data, "export", "--workspace", "Acme", "--out", str(tmp_path / "b.jsonl"))
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "older", data)
    bad = json.loads(chime(data, "verify", "--workspace", "Acme", "--json", status=1))
    assert not bad["ok"] and bad["first_bad"] == bad["rows"] + 1 and "missing at the end" in bad["reason"]
    assert "BAD  Acme: first bad row" in chime(data, "verify", status=1)
    said = chime(data, "verify", "--workspace", "nobody", status=1)
    assert "there is no workspace" in said and "Traceback" not in said


def test_what_was_kept_elsewhere_has_to_be_there(chime: Say, data: Path, tmp_path: Path) -> None:
    assert json.loads(chime(data, "verify", "--json"))["ok"], "nothing was signed yet"
    chime(data, "export", "--workspace", "Acme", "--out", str(tmp_path / "a.jsonl"))
    told = json.loads(chime(data, "verify", "--json"))
    assert told["anchors"] == 1 and "1 checkpoints kept elsewhere compared" in chime(data, "verify")
    kept = (tmp_path / "anchors.jsonl").rename(tmp_path / "kept.jsonl")
    assert "BAD  CHIME_AUDIT_ANCHOR_FILE" in chime(data, "verify", status=1)
    told = json.loads(chime(data, "verify", "--json", status=1))
    assert not told["ok"] and told["first_bad"] is None and str(tmp_path) in told["reason"]
    shutil.copy(kept, tmp_path / "anchors.jsonl")
    said = chime(data, "verify", "--workspace", "Globex", "--anchor", str(kept), status=1)
    assert "none of the checkpoints" in said and "ok   Globex" in said


def test_a_break_is_accepted_with_a_reason(chime: Say, data: Path) -> None:
    chime(data, "export", "--workspace", "Acme")
    assert json.loads(chime(data, "accept", "--workspace", "Acme", "--reason", "a test", "--json"))["size"] > 1
    chime(data, "accept", "--workspace", "Acme", "--reason", " ", status=1)
