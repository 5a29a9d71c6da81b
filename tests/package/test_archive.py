"""The built file itself, started as a person would: what works in a checkout only is found here."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path
from urllib.parse import urljoin

import pytest

import chime
from tests.package.conftest import ROOT, Archive, load_tool
from tests.support.processes import run, serving

pytestmark = [pytest.mark.package, pytest.mark.timeout(300)]
KEY = base64.b64encode(bytes(range(100, 132))).decode()
LARGEST = 60_000_000
LEFT_OUT = load_tool("archive").LEFT_OUT


@pytest.fixture(scope="module")
def data(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that this very archive has initialised with KEY."""
    folder = tmp_path_factory.mktemp("archive") / "data"
    password = folder.with_name("password")
    password.write_text("correct horse battery staple\n", "utf-8")
    answer = archive.run("init", "--data", str(folder), "--email", "alice@acme.example", "--name", "Alice",
                         "--workspace", "Acme", "--password-file", str(password), "--json", CHIME_MASTER_KEY=KEY)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout).keys() >= {"workspace_id", "user_id"}
    return folder


_IMPORT_ALL = """
import importlib, pkgutil, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import chime, sqlite_utils, migrations
names = [module.name for package in (chime, migrations) for module in pkgutil.walk_packages(package.__path__,
         package.__name__ + ".") if not module.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def _contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_version(archive: Archive) -> None:
    answer = archive.run("version")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert chime.__version__ in answer.stdout


def test_a_second_init_refuses_politely(archive: Archive, data: Path) -> None:
    before = _contents(data)
    answer = archive.run("init", "--data", str(data), "--email", "mallory@globex.example", "--name", "Mallory",
                         "--workspace", "Globex", CHIME_MASTER_KEY=KEY)
    assert answer.returncode == 1
    assert len(answer.stderr.strip().splitlines()) == 1
    assert _contents(data) == before


def test_it_serves_pages_and_files_and_ends_when_asked(archive: Archive, data: Path) -> None:
    with serving(data, command=archive.command, extra={**archive.environment, "CHIME_MASTER_KEY": KEY}) as program:
        status, headers, _ = program.get("/")
        while status in (302, 303, 307):
            place = urljoin("/", headers["location"].removeprefix(program.address))
            status, headers, body = program.get(place)
        assert status == 200 and headers["content-type"].startswith("text/html")
        assert b'type="password"' in body
        files = set(re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js|svg))"', body.decode()))
        assert any(name.endswith(".css") for name in files)
        for name in files:
            assert program.get(name)[0] == 200, name
        assert program.terminate(20) == 0
        assert "Traceback" not in program.output()


@pytest.mark.parametrize("key", [
    pytest.param(None, id="none"),
    pytest.param(base64.b64encode(bytes(range(32))).decode(), id="another"),
    pytest.param(base64.b64encode(b"sixteen bytes...").decode(), id="short"),
    pytest.param("no base64 at all", id="garbled"),
])
def test_without_the_right_key_it_says_so_and_touches_nothing(archive: Archive, data: Path, key: str | None) -> None:
    before = _contents(data)
    settings = {} if key is None else {"CHIME_MASTER_KEY": key}
    answer = archive.run("serve", "--data", str(data), "--bind", "127.0.0.1:0", **settings)
    assert answer.returncode == 1
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    assert "key" in answer.stderr.lower()
    assert key is None or key not in answer.stderr
    assert _contents(data) == before


def test_it_holds_every_file_of_the_tree(dist: Path) -> None:
    packed = {name.removeprefix("site-packages/") for name in zipfile.ZipFile(dist / "chime.pyz").namelist()}
    wanted = {str(path.relative_to(ROOT)) for room in ("chime", "migrations", "templates")
              for path in (ROOT / room).rglob("*")
              if path.is_file() and path.suffix not in (".po", ".pot")
              and not any(part == "__pycache__" or part.startswith(".") for part in path.relative_to(ROOT).parts)}
    missing = sorted(wanted - packed)
    assert not missing, "add the ending to [tool.setuptools.package-data]"


def test_it_stays_small(dist: Path) -> None:
    size = (dist / "chime.pyz").stat().st_size
    assert size <= LARGEST, f"{size} bytes: see packaging/archive.py for what is left out"


def test_it_says_what_it_is(dist: Path) -> None:
    told = json.loads(zipfile.ZipFile(dist / "chime.pyz").read("release.json"))
    assert told["version"] == chime.__version__ and told["pythons"] == ["3.11", "3.12", "3.13"]
    assert re.fullmatch("[0-9a-f]{12}", told["build"]) and told["serial"] > 0 and told["machine"] == os.uname().machine


def test_every_module_finds_what_it_imports(release: Path) -> None:
    """What was left out of the wheels is asked for by nothing."""
    answer = run([sys.executable, "-I", "-S", "-c", _IMPORT_ALL, str(release / "site")])
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stderr
    assert int(answer.stdout) > 200


def test_checksums_are_those_of_the_files(dist: Path) -> None:
    lines = (dist / "SHA256SUMS").read_text("utf-8").splitlines()
    (package,) = dist.glob("chime_*.deb")
    assert {line.split("  ")[1] for line in lines} == {"chime.pyz", "chime.cdx.json", package.name}
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest


def test_the_bill_of_materials_names_what_is_inside(dist: Path) -> None:
    bill = json.loads((dist / "chime.cdx.json").read_text("utf-8"))
    named = {component["purl"] for component in bill["components"]}
    lock = (ROOT / "packaging" / "requirements.lock").read_text("utf-8")
    releases = re.findall(r"^([a-z0-9-]+)==(\S+) ", lock, re.MULTILINE)
    pinned = {f"pkg:pypi/{name}@{version}" for name, version in releases if name not in LEFT_OUT}
    assert {purl for purl in named if purl.startswith("pkg:pypi/")} == pinned
    assert any(purl.startswith("pkg:npm/htmx.org@") for purl in named)
    assert all(component["licenses"] for component in bill["components"])
    assert bill["metadata"]["component"]["version"] == chime.__version__


@pytest.mark.release
@pytest.mark.timeout(1_800)
def test_two_builds_are_equal(dist: Path, tmp_path: Path) -> None:
    copy = tmp_path / "another place"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", "dist", "__pycache__", ".mypy_cache", "chime-*"))
    built = run(["sh", "-c", 'umask 077; exec "$0"', str(copy / "packaging" / "build")], timeout=900)
    assert built.returncode == 0, built.stderr
    assert (copy / "dist" / "SHA256SUMS").read_text("utf-8") == (dist / "SHA256SUMS").read_text("utf-8")
