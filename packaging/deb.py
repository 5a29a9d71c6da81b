"""Writes chime_<version>_<arch>.deb: the single file, a small program to start it, units, examples and scripts.

    python packaging/deb.py DIST

Promises: made of nothing but `DIST/chime.pyz`, what lies beside it, this tree and SOURCE_DATE_EPOCH, and the same bytes
from the same; everything in it is root's and written by root alone; what a release consists of is no file of the
package, so that dpkg never takes the release before away.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
DOC = "usr/share/doc/chime"
CONTROL = """\
Package: chime
Version: {version}
Architecture: {architecture}
Maintainer: The Chime authors <chime@localhost.localdomain>
Installed-Size: {size}
Depends: python3 (>= 3.11~), python3 (<< 3.14), adduser, libc6 (>= 2.34), libgcc-s1
Recommends: ca-certificates
Suggests: caddy | nginx, rclone
Section: web
Priority: optional
Description: self-hosted WhatsApp Business CRM
 A shared inbox, contacts, campaigns and bots for WhatsApp Business on your own
 server: one service, one encrypted file per workspace, backups and upgrades
 that look after themselves.
 .
 Everything but Python itself is inside; nothing is fetched when it is
 installed.
"""

Files = dict[str, tuple[bytes, int]]
"""Content and mode by the path below the root."""


def release_of(archive: Path) -> dict[str, str]:
    """What the single file says of itself."""
    with zipfile.ZipFile(archive) as packed:
        found: dict[str, str] = json.loads(packed.read("release.json"))
    return found


def packed(text: bytes, *, level: int = 9) -> bytes:
    """gzip without a name and a time."""
    target = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=level, mtime=0) as file:
        file.write(text)
    return target.getvalue()


def changelog(version: str, at: int) -> bytes:
    """As dpkg reads it; what changed is told elsewhere."""
    moment = datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return (f"chime ({version}) stable; urgency=medium\n\n  * See README.md, and the help inside the program.\n\n"
            f" -- The Chime authors <chime@localhost.localdomain>  {moment}\n").encode()


def contents(dist: Path, version: str, at: int) -> Files:
    """Every file that dpkg puts somewhere."""
    def plain(path: Path) -> tuple[bytes, int]:
        return path.read_bytes(), 0o644

    found: Files = {
        "usr/bin/chime": ((HERE / "deb" / "chime").read_bytes(), 0o755),
        "usr/lib/chime/chime.pyz": ((dist / "chime.pyz").read_bytes(), 0o755),
        "usr/share/man/man8/chime.8.gz": (packed((HERE / "deb" / "chime.8").read_bytes()), 0o644),
        f"{DOC}/changelog.gz": (packed(changelog(version, at)), 0o644),
        f"{DOC}/copyright": plain(HERE / "deb" / "copyright"),
        "usr/share/lintian/overrides/chime": plain(HERE / "deb" / "lintian-overrides"),
        f"{DOC}/chime.cdx.json": plain(dist / "chime.cdx.json"),
        f"{DOC}/examples/chime.toml": plain(HERE / "deb" / "chime.toml"),
        f"{DOC}/examples/paths.conf": plain(HERE / "deb" / "paths.conf"),
        f"{DOC}/examples/Caddyfile": plain(HERE / "Caddyfile.example"),
        f"{DOC}/examples/nginx.conf": plain(HERE / "nginx.conf.example"),
    }
    for unit in sorted((ROOT / "systemd").iterdir()):
        found[f"usr/lib/systemd/system/{unit.name}"] = plain(unit)
    signature = dist / "chime.pyz.sig"
    if signature.exists():
        found["usr/lib/chime/chime.pyz.sig"] = plain(signature)
    return found


def control(files: Files, release: dict[str, str]) -> Files:
    """What dpkg reads about the package, and its scripts."""
    size = sum(len(data) // 1024 + 1 for data, _ in files.values())
    about = CONTROL.format(version=release["version"], architecture=ARCHITECTURES[release["machine"]], size=size)
    sums = "".join(f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {name}\n"
                   for name, (data, _) in sorted(files.items()))
    found: Files = {"control": (about.encode(), 0o644), "md5sums": (sums.encode(), 0o644),
                    "triggers": ((HERE / "deb" / "triggers").read_bytes(), 0o644)}
    for script in ("postinst", "prerm", "postrm"):
        found[script] = (HERE / "deb" / script).read_bytes(), 0o755
    return found


def tarred(files: Files, at: int) -> bytes:
    """A tar of the files and their folders, each by its name, all of them root's."""
    target = io.BytesIO()
    folders = {f"{parent}" for name in files for parent in Path(name).parents if parent.name}
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ["", *sorted([*files, *folders])]:
            entry = tarfile.TarInfo(f"./{name}")
            entry.mtime, entry.uname, entry.gname = at, "root", "root"
            if name in files:
                data, entry.mode = files[name]
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            else:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
    return target.getvalue()


def joined(members: list[tuple[str, bytes]], at: int) -> bytes:
    """The `ar` file that a package is."""
    parts = [b"!<arch>\n"]
    for name, data in members:
        parts += [f"{name:<16}{at:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode(), data,
                  b"\n" * (len(data) % 2)]
    return b"".join(parts)


def build(dist: Path, at: int) -> Path:
    """Write the package of `dist/chime.pyz`; its path."""
    release = release_of(dist / "chime.pyz")
    files = contents(dist, release["version"], at)
    # Hardly compressed: nearly all of it is already.
    members = [("debian-binary", b"2.0\n"), ("control.tar.gz", packed(tarred(control(files, release), at), level=1)),
               ("data.tar.gz", packed(tarred(files, at), level=1))]
    target = dist / f"chime_{release['version']}_{ARCHITECTURES[release['machine']]}.deb"
    target.write_bytes(joined(members, at))
    return target


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), int(os.environ.get("SOURCE_DATE_EPOCH", "0"))).name)
