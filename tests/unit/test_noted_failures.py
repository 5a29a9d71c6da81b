"""What packaging/test runs once more: tests that failed, and never what went wrong otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Without the plugins that happen to be installed: they take longer to start than all of this.
ALONE = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
GOOD = "def test_good(): pass\n"
CASES = {
    "nothing failed": (GOOD, ""),
    "a test and a parameter": (
        GOOD + "import pytest\n@pytest.mark.parametrize('x', ['a b'])\ndef test_bad(x): assert not x\n",
        "test_a.py::test_bad[a b]\n"),
    "before and after a test": (
        "import pytest\n@pytest.fixture\ndef early(): assert 0\n@pytest.fixture\ndef late():\n yield\n assert 0\n"
        "def test_early(early): pass\ndef test_late(late): pass\n",
        "test_a.py::test_early\ntest_a.py::test_late\n"),
    "a file that cannot be read": ("import nothing_of_that_name\n", "!\n"),
    "a process that dies": (GOOD + "import os\ndef test_dies(): os._exit(3)\n", "!\n"),
    "no test at all": ("", "!\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_noted(name: str, tmp_path: Path) -> None:
    text, expected = CASES[name]
    (tmp_path / "test_a.py").write_text(text)
    # With a worker, as the tests that share the machine are run, and as they are run alone.
    for number, options in enumerate((["-p", "xdist.plugin", "-n", "1"], [])):
        if not options and "dies" in name:
            continue  # it takes pytest with it: the status says so
        noted = tmp_path / f"noted-{number}"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.noted_failures", f"--note-failures={noted}",
             *options, "--rootdir", str(tmp_path), "test_a.py"],
            cwd=tmp_path, env=ALONE, capture_output=True, check=False)
        assert noted.read_text() == expected, options
