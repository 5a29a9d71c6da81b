"""The Debian package under a systemd that runs; `packaging/try-systemd` and `packaging/trial` have the steps."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.package.conftest import ROOT
from tests.support.processes import run

pytestmark = [pytest.mark.package, pytest.mark.release, pytest.mark.timeout(2400)]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(shutil.which("debootstrap") is None, reason="debootstrap is not on this machine")
@pytest.mark.skipif(shutil.which("systemd-nspawn") is None, reason="systemd-nspawn is not on this machine")
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_set_up_used_upgraded_broken_gone_back_and_purged(dist: Path, suite: str) -> None:
    answer = run([str(ROOT / "packaging" / "try-systemd"), suite], timeout=2300)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stderr.splitlines()[-1] == f"== {suite}: all well"
    # Every upgrade, refusal and way back has webhooks of its own.
    assert len(re.findall(r"\d+ webhooks, none refused, all in effect once", answer.stderr)) == 6
    print(answer.stderr)
