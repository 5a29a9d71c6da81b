"""Makes the single-file program: wheels -> one site folder -> shiv's archive with our own first lines.

    python packaging/archive.py WHEELS SITE MACHINE TARGET

Compiled modules carry the interpreter in their name (`_core.cpython-312-x86_64-linux-gnu.so`), so wheels of several
Pythons fit into one folder. Promise: two wheels never silently disagree about a file; the archive depends on nothing
but the wheels, this folder and SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
# sqlite-utils wants pip for its own command line's `install`, Litestar a colourful command line and made-up examples
# for its documents: an appliance never runs these.
LEFT_OUT = ("pip", "faker", "polyfactory", "rich", "rich-click", "pygments", "markdown-it-py", "mdurl")
# Languages the dashboard speaks (`chime/locale`, and English); Babel knows a thousand, of 10 MB.
SPOKEN = ("en", *sorted(path.stem for path in (HERE.parent / "chime" / "locale").glob("*.mo")))
# Files of wheels that nothing reads: towns and carriers of phone numbers, tests, sources of compiled modules.
_UNREAD = re.compile(r"phonenumbers/(geodata|carrierdata|tzdata)/.*|.*/tests?/.*|.*/_testcapi\..*\.so|"
                     r".*\.(pyi|pyx|pxd|pxi|c|h)")
_LOCALE = re.compile(r"babel/locale-data/([a-z]+)[_.].*")
# What starts the file, lays it out, and starts it once laid out; a change of these is another build too.
OWN_PARTS = {"_layout.py": "layout.py", "_run.py": "run.py"}
PYTHONS = ("3.11", "3.12", "3.13")


def unpack(wheels: Path, site: Path) -> None:
    """Lay every wheel into one folder. Raises ValueError when two bring different files of one name."""
    for wheel in sorted(wheels.glob("*.whl")):
        if wheel.name.split("-")[0].lower().replace("_", "-") in LEFT_OUT:
            continue
        with zipfile.ZipFile(wheel) as content:
            for name in content.namelist():
                if not name.endswith("/") and is_needed(name):
                    _place(site, name, content.read(name), wheel.name)


def is_needed(name: str) -> bool:
    """Whether a wheel's file has a reader in the appliance."""
    locale = _LOCALE.fullmatch(name)
    return locale[1] in ("root", *SPOKEN) if locale else not _UNREAD.fullmatch(name)


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


def complete(archive: Path, parts: dict[str, bytes]) -> None:
    """Put our launcher in the place of shiv's `__main__.py` and add our own parts. The modes of shiv's own files are
    those of the umask this environment was made with, so they are set anew."""
    with archive.open("rb") as old:
        shebang = old.readline()
    fresh = archive.with_suffix(".new")
    with zipfile.ZipFile(archive) as source, fresh.open("wb") as target:
        target.write(shebang)
        moment = source.infolist()[0].date_time
        with zipfile.ZipFile(target, "w") as written:
            kept = [(entry, source.read(entry)) for entry in source.infolist() if entry.filename not in parts]
            own = [(zipfile.ZipInfo(name, moment), data) for name, data in sorted(parts.items())]
            for entry, data in kept + own:
                entry.external_attr = (stat.S_IFREG | 0o644) << 16
                written.writestr(entry, data, compress_type=zipfile.ZIP_DEFLATED)
    fresh.chmod(0o755)
    fresh.replace(archive)


def release(archive: Path, wheels: Path, machine: str, parts: dict[str, bytes]) -> dict[str, object]:
    """What the archive says of itself. `serial` only grows from one release to the next."""
    with zipfile.ZipFile(archive) as packed:
        modules = json.loads(packed.read("environment.json"))["build_id"]
    contents = hashlib.sha256(modules.encode())
    for _, data in sorted(parts.items()):
        contents.update(hashlib.sha256(data).digest())
    (chime,) = wheels.glob("chime-*.whl")
    return {"version": chime.name.split("-")[1], "build": contents.hexdigest()[:12],
            "serial": int(os.environ.get("SOURCE_DATE_EPOCH", "0")), "machine": machine, "pythons": PYTHONS}


def main(wheels: Path, site: Path, machine: str, target: Path) -> None:
    """Build `target` from the wheels."""
    unpack(wheels, site)
    # -I: neither the caller's folder, PYTHON* variables nor a user's own packages come before Chime's modules.
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "shiv.cli", "--site-packages", str(site),
         "--reproducible", "--entry-point", "chime.cli:main", "--python", "/usr/bin/env -S python3 -I",
         "--output-file", str(target)],
        check=True)
    parts = {name: (HERE / file).read_bytes() for name, file in OWN_PARTS.items()}
    launcher = Template((HERE / "launcher.py").read_text("utf-8")).substitute(machine=machine)
    parts["__main__.py"] = launcher.encode()
    told = release(target, wheels, machine, parts)
    complete(target, parts | {"release.json": json.dumps(told, indent=1).encode() + b"\n"})
    shutil.rmtree(site)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
