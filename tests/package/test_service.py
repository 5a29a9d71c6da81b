"""The systemd unit: as closed as one process can be that listens and calls Meta."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.package.conftest import ROOT
from tests.support.processes import run

UNIT = ROOT / "systemd" / "chime.service"
# Ten times the score that `systemd-analyze security` gives; what is left are the network and the file system root.
MOST_EXPOSURE = "12"


def _settings(unit: Path = UNIT) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_its_exposure_stays_low() -> None:
    answer = run(["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSURE}",
                  str(UNIT)])
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr


def test_it_gives_what_the_contract_promises() -> None:
    settings = _settings()
    assert settings["Type"] == ["notify"] and settings["WatchdogSec"] == ["30"]
    assert settings["ExecStart"] == ["/usr/bin/chime serve"]
    assert settings["StateDirectory"] == ["chime"] and settings["StateDirectoryMode"] == ["0700"]
    assert "CHIME_DATA_DIR=/var/lib/chime" in settings["Environment"]
    assert settings["LoadCredential"] == ["master_key:/etc/chime/master.key"]
    assert settings["User"] == ["chime"] and "DynamicUser" not in settings, "the command line works as this user too"
    assert settings["Wants"] == settings["After"] == ["network-online.target chime.socket"]
    assert int(settings["TimeoutStopSec"][0]) > 20, "a drain may take 20 s"
    assert int(settings["LimitNOFILE"][0]) >= 16384


def test_the_socket_listens_where_the_service_would() -> None:
    from chime.config import load

    (address,) = _settings(UNIT.with_suffix(".socket"))["ListenStream"]
    found = load(environment={})
    assert address == f"{found.bind_host}:{found.bind_port}"
