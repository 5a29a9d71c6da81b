"""Makes the single-file program: wheels -> one site folder -> shiv's archive with our own first lines.

    python packaging/archive.py WHEELS SITE MACHINE TARGET

Compiled modules carry the interpreter in their name (`_core.cpython-312-x86_64-linux-gnu.so`), so wheels of several
Pythons fit into one folder. Promise: two wheels never silently disagree about a file; the archive depends on nothing
but the wheels, this folder and SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
# sqlite-utils wants pip for its own command line's `install`; an appliance has no use for an installer.
LEFT_OUT = ("pip",)


def unpack(wheels: Path, site: Path) -> None:
    """Lay every wheel into one folder. Raises ValueError when two bring different files of one name."""
    for wheel in sorted(wheels.glob("*.whl")):
        if wheel.name.split("-")[0] in LEFT_OUT:
            continue
        with zipfile.ZipFile(wheel) as content:
            for name in content.namelist():
                if not name.endswith("/"):
                    _place(site, name, content.read(name), wheel.name)


def _place(site: Path, name: str, data: bytes, wheel: str) -> None:
    folder, _, rest = name.partition("/")
    if folder.endswith(".data"):
        return  # console scripts and C headers: nothing imports them
    target = site / folder / rest
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o644)
    elif not folder.endswith(".dist-info") and target.read_bytes() != data:
        raise ValueError(f"{wheel} brings another {name} than the wheel before it")


def replace_launcher(archive: Path, launcher: str) -> None:
    """Put our launcher in the place of shiv's `__main__.py`. The modes of shiv's own files are those of the umask this
    environment was made with, so they are set anew."""
    with archive.open("rb") as old:
        shebang = old.readline()
    fresh = archive.with_suffix(".new")
    with zipfile.ZipFile(archive) as source, fresh.open("wb") as target:
        target.write(shebang)
        with zipfile.ZipFile(target, "w") as written:
            for entry in source.infolist():
                data = launcher.encode() if entry.filename == "__main__.py" else source.read(entry)
                entry.external_attr = (stat.S_IFREG | 0o644) << 16
                written.writestr(entry, data, compress_type=zipfile.ZIP_DEFLATED)
    fresh.chmod(0o755)
    fresh.replace(archive)


def main(wheels: Path, site: Path, machine: str, target: Path) -> None:
    """Build `target` from the wheels."""
    unpack(wheels, site)
    # -I: neither the caller's folder, PYTHON* variables nor a user's own packages come before Chime's modules.
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "shiv.cli", "--site-packages", str(site),
         "--reproducible", "--entry-point", "chime.cli:main", "--python", "/usr/bin/env -S python3 -I",
         "--output-file", str(target)],
        check=True)
    launcher = Template((HERE / "launcher.py").read_text("utf-8")).substitute(machine=machine)
    replace_launcher(target, launcher)
    shutil.rmtree(site)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
