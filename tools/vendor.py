"""Brings the few third-party files that go to a browser into the tree, and proves that they are the pinned ones.

For developers only: the files are committed, so neither an installation nor the tests need this script or a network.
`tools/vendor.lock.json` pins each npm package by version and by the sha512 of its tarball, and each copied file by its
own sha512. Promise: nothing is written before the whole tarball has been checked.

    python tools/vendor.py                  fetch with the npm client and copy
    python tools/vendor.py --tarballs DIR   copy from tarballs that are here already
    python tools/vendor.py --check          only compare the committed files with the lock
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = Path(__file__).resolve().parent / "vendor.lock.json"


def packages() -> list[dict[str, Any]]:
    """The pinned packages, as the lock tells them."""
    found: list[dict[str, Any]] = json.loads(LOCK.read_text("utf-8"))["packages"]
    return found


def integrity(data: bytes) -> str:
    """The sha512 of some bytes, written as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def tarball(package: dict[str, Any], directory: Path) -> bytes:
    """A pinned package's tarball from a directory, fetched into it when absent. Exits when it is not the pinned one."""
    path = directory / f"{package['name']}-{package['version']}.tgz"
    if not path.exists():
        command = ["npm", "pack", f"{package['name']}@{package['version']}", "--pack-destination", str(directory)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    data = path.read_bytes()
    if integrity(data) != package["integrity"]:
        sys.exit(f"{path.name}: not the pinned tarball; nothing was written")
    return data


def member(data: bytes, name: str) -> bytes:
    """One file of a tarball; npm puts everything below `package/`."""
    with tarfile.open(fileobj=BytesIO(data), mode="r:gz") as archive:
        stream = archive.extractfile(f"package/{name}")
        if stream is None:
            sys.exit(f"{name}: not a file of the package")
        return stream.read()


def wrong_files() -> list[str]:
    """The committed files that are missing or differ from the lock."""
    wrong = []
    for package in packages():
        for file in package["files"]:
            path = ROOT / file["to"]
            if not path.is_file() or integrity(path.read_bytes()) != file["integrity"]:
                wrong.append(file["to"])
    return wrong


def copy_all(directory: Path) -> None:
    """Copy every pinned file out of its tarball."""
    for package in packages():
        data = tarball(package, directory)
        for file in package["files"]:
            path = ROOT / file["to"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member(data, file["from"]))


def main() -> None:
    """Copy or check, as asked."""
    parser = argparse.ArgumentParser(description="vendor the pinned browser files")
    parser.add_argument("--tarballs", type=Path, help="a directory that holds the tarballs")
    parser.add_argument("--check", action="store_true", help="write nothing, compare with the lock")
    options = parser.parse_args()
    if not options.check:
        with tempfile.TemporaryDirectory() as temporary:
            copy_all(options.tarballs or Path(temporary))
    wrong = wrong_files()
    if wrong:
        sys.exit("not as the lock says: " + ", ".join(wrong))


if __name__ == "__main__":
    main()
