"""Lays a release out in a folder of its own: `chime.pyz --lay-out RELEASES`. Goes into the archive as `_layout`.

What a service runs has to lie there already, compiled and owned by root: it must neither write code nor wait for it.
Promises: a release appears under its name whole or not at all, whatever kills this; one that is there already is not
written anew, only compiled for another Python when that has come; the standard library is all it needs.
"""

from __future__ import annotations

import compileall
import contextlib
import fcntl
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PREFIX = "site-packages/"
UNFINISHED = ".new-"
# Run with what was just laid out: templates are kept compiled the way modules are.
_TEMPLATES = "import sys; sys.path.insert(0, sys.argv[1]); from chime.web import compile_templates as c; c.main()"


def about(archive: Path) -> dict[str, Any]:
    """What a release says of itself: version, build, serial, machine, pythons."""
    with zipfile.ZipFile(archive) as packed:
        found: dict[str, Any] = json.loads(packed.read("release.json"))
    return found


def lay_out(archive: Path, releases: Path) -> Path:
    """Lay `archive` out below `releases`; the folder it is in then."""
    releases.mkdir(mode=0o755, parents=True, exist_ok=True)
    release = about(archive)
    target = releases / f"{release['version']}-{release['build']}"
    with _alone(releases):
        for left in releases.glob(UNFINISHED + "*"):  # of one that was killed
            shutil.rmtree(left)
        if not target.exists():
            _make(archive, target)
        elif not _compiled_mark(target).exists():
            _compile(target, target)
    return target


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else lays out here meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(archive: Path, target: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=target.parent))
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            if entry.filename.startswith(PREFIX):
                _write(fresh / "site", entry.filename.removeprefix(PREFIX), packed.read(entry))
        _write(fresh, "release.json", packed.read("release.json"))
        _write(fresh, "run.py", packed.read("_run.py"))
    _compile(fresh, target)
    for folder in (fresh, *(path for path in fresh.rglob("*") if path.is_dir())):
        folder.chmod(0o755)  # whatever the umask
    os.sync()  # thousands of files; the name must not reach the disk before them
    fresh.rename(target)


def _write(root: Path, name: str, data: bytes) -> None:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name}: a file of a release lies inside its folder")
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(0o644)


def _compiled_mark(release: Path) -> Path:
    return release / f"compiled-{sys.implementation.cache_tag}"


def _compile(folder: Path, final: Path) -> None:
    """Compile modules and templates for this Python. Both work without: a file that does not compile is no failure."""
    # The files never change again, so nobody needs to compare times at each start.
    compileall.compile_dir(folder / "site", quiet=2, workers=os.cpu_count() or 1, stripdir=str(folder),
                           prependdir=str(final), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    subprocess.run([sys.executable, "-I", "-S", "-c", _TEMPLATES, str(folder / "site")], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    mark = _compiled_mark(folder)
    mark.touch()
    for path in (mark, *folder.rglob("__pycache__/*")):
        path.chmod(0o644)


def main(arguments: list[str]) -> None:
    """`--lay-out RELEASES` of the archive that runs: prints the folder."""
    if len(arguments) != 1:
        sys.exit("chime: --lay-out takes the folder that holds releases, as /usr/lib/chime/releases")
    os.umask(0o022)
    try:
        print(lay_out(Path(sys.argv[0]).absolute(), Path(arguments[0]).absolute()))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(f"chime: cannot lay the release out in {arguments[0]}: {error}")
