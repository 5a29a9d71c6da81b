"""Other versions of a built package, to upgrade between: an older one, newer ones, and some that are no good.

What is in them is `dist/chime.pyz` itself; only what it calls itself is another, perhaps with one more migration or a
fault. Promise: they are laid out, signed and packed by the very programs that make a real one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import deb
import sign

STEP = "def apply(db):\n    db.executescript('CREATE TABLE of_a_trial (id INTEGER PRIMARY KEY) STRICT;')\n"
# Put before the first line that a release runs.
FAULTS = {
    "ends soon after it was ready": "import os, sys, threading\nif 'serve' in sys.argv:\n"
                                    "    threading.Timer(6, lambda: os._exit(3)).start()\n",
    "never answers": "import sys, time\nif 'serve' in sys.argv:\n    time.sleep(3600)\n",
    "does not start": "import sys\nif 'serve' in sys.argv:\n    sys.exit(1)\n",
}
_FUTURE = "from __future__ import annotations\n"


def version_of(dist: Path) -> str:
    """What `dist` holds."""
    return deb.release_of(dist / "chime.pyz")["version"]


def make(dist: Path, folder: Path, version: str, *, key: Path, fault: str = "", step: bool = False) -> Path:
    """A signed package of that version in a folder of its own below `folder`."""
    own = folder / version
    own.mkdir(parents=True)
    _write(dist / "chime.pyz", own / "chime.pyz", version, FAULTS[fault] if fault else "", step)
    shutil.copy(dist / "chime.cdx.json", own)
    package = deb.build(own, 0)
    (own / "chime.pyz").unlink()
    sign.sign(sign.read_key(key), package)
    return package


def _write(source: Path, target: Path, version: str, fault: str, step: bool) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        before = json.loads(old.read("release.json"))
        build = hashlib.sha256(f"{before['build']} {version} {fault} {step}".encode()).hexdigest()[:12]
        for entry in old.infolist():
            new.writestr(entry, _changed(entry.filename, old.read(entry), before, version, build, fault))
        if step:
            new.writestr(_next_step(old.namelist()), STEP)


def _changed(name: str, data: bytes, before: dict[str, str], version: str, build: str, fault: str) -> bytes:
    if name == "release.json":
        return json.dumps({**before, "version": version, "build": build}).encode()
    if name == "site-packages/chime/__init__.py":
        changed = data.replace(f'__version__ = "{before["version"]}"'.encode(), f'__version__ = "{version}"'.encode())
        assert changed != data, "the version stands elsewhere now"
        return changed
    if name == "_run.py" and fault:
        changed = data.replace(_FUTURE.encode(), f"{_FUTURE}{fault}".encode(), 1)
        assert changed != data, "the first line of a release is another now"
        return changed
    return data


def _next_step(names: list[str]) -> str:
    folder = "site-packages/migrations/workspace/"
    numbers = [int(name.removeprefix(f"{folder}m")[:4]) for name in names
               if name.startswith(f"{folder}m") and name.endswith(".py")]
    return f"{folder}m{max(numbers) + 1:04d}_of_a_trial.py"
