"""The Debian package installed for real in bare systems of each supported Debian; `packaging/try-deb` has the steps."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.package.conftest import ROOT
from tests.support.processes import run

pytestmark = [pytest.mark.package, pytest.mark.nightly, pytest.mark.timeout(900)]


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("debootstrap") is None, reason="needs root and debootstrap")
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_installed_used_removed_purged_and_installed_again(dist: Path, suite: str) -> None:
    answer = run([str(ROOT / "packaging" / "try-deb"), suite], timeout=800)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stderr.splitlines()[-1] == f"== {suite}: all well"
