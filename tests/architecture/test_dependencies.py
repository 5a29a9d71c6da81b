"""What we stand on: each dependency has a reason and a use, a pinned hash, and a licence we may ship."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, chime, migrations

RUNTIME = ROOT / "packaging" / "requirements.lock"
DEVELOPMENT = ROOT / "packaging" / "requirements-dev.lock"
# Distribution -> what is imported of it, where the names differ.
IMPORTED_AS = {"sqlite-utils": "sqlite_utils"}
FREE = re.compile(r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|0BSD|Unlicense|zlib)\b",
                  re.IGNORECASE)
COPYLEFT = re.compile(r"\b(A?GPL|LGPL|Affero|General Public|SSPL|Business Source|Commons Clause)", re.IGNORECASE)
READ_BY_HAND = tomllib.loads((ROOT / "packaging" / "licences.toml").read_text("utf-8"))


def _pinned(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", text, re.MULTILINE))


def _project() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {"runtime": project["dependencies"], "dev": project["optional-dependencies"]["dev"]}


def test_locks_hold_what_the_project_asks_for() -> None:
    runtime, development = _pinned(RUNTIME.read_text("utf-8")), _pinned(DEVELOPMENT.read_text("utf-8"))
    wanted = _project()
    assert not set(wanted["runtime"]) - runtime.keys(), "run packaging/lock"
    assert not set(wanted["dev"]) - development.keys(), "run packaging/lock"
    assert runtime.items() <= development.items(), "what is tested must be what is shipped: run packaging/lock"


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT], ids=lambda path: path.name)
def test_locks_are_hashes_of_exact_releases_and_nothing_else(lock: Path) -> None:
    text = lock.read_text("utf-8")
    odd = [line for line in text.splitlines()
           if line and not line.startswith("#")
           and not re.fullmatch(r"[a-z0-9-]+==[\w.]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line)]
    assert not odd, f"no index, no path, no marker belongs here: {odd}"
    assert "/" not in "".join(line for line in text.splitlines() if line.startswith("#"))


def test_each_dependency_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    for name in (*_project()["runtime"], *_project()["dev"]):
        assert re.search(rf'^\s+"{name}",\s+# \S', text, re.MULTILINE), f"{name}: say in a comment what it is for"


def test_each_runtime_dependency_is_used() -> None:
    """Imported, or named to uvicorn, which takes its event loop and its parser by name."""
    used = {found.library for module in (*chime(), *migrations()) for found in module.imports}
    text = "\n".join(module.text for module in chime())
    idle = [name for name in _project()["runtime"]
            if IMPORTED_AS.get(name, name) not in used and f'"{name}"' not in text]
    assert not idle, f"nothing uses {idle}"


def _licence(name: str) -> str:
    about = importlib.metadata.metadata(name)
    if expression := READ_BY_HAND.get(name) or (about.get_all("License-Expression") or [""])[0]:
        return str(expression)
    classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    return " ".join(classifiers) or (about.get_all("License") or [""])[0].partition("\n")[0]


@pytest.mark.parametrize("name", sorted(_pinned(DEVELOPMENT.read_text("utf-8"))))
def test_each_licence_lets_us_ship_it(name: str) -> None:
    licence = _licence(name)
    assert FREE.search(licence) and not COPYLEFT.search(licence), f"{name}: {licence!r}"
