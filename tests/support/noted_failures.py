"""Which tests failed, written down for packaging/test, which runs a few of them once more, alone.

`-p tests.support.noted_failures --note-failures=FILE` adds a line for each test that failed. A run that went wrong in
another way adds NOT_ONLY_TESTS instead: a worker that died, a file that could not be collected, a fault of pytest
itself. What did that is not found by running the tests that failed once more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NOT_ONLY_TESTS = "!"
_STEPS = ("setup", "call", "teardown")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--note-failures", metavar="FILE", help="add the tests that failed to this file")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--note-failures")
    if path is not None and not hasattr(config, "workerinput"):  # the workers' reports come to where they were started
        config.pluginmanager.register(Noted(Path(path)))


class Noted:
    """What a run says of itself, in `path` when it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failed: dict[str, None] = {}
        self._only_tests = True

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self._failed[report.nodeid] = None
            # The report about a worker that died has no step.
            self._only_tests &= report.when in _STEPS

    def pytest_collectreport(self, report: Any) -> None:
        self._only_tests &= not report.failed

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        usual = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        told = list(self._failed) if self._only_tests and usual else [NOT_ONLY_TESTS]
        with self._path.open("a") as file:
            file.writelines(f"{line}\n" for line in told)
