"""Writes the bill of materials of dist/chime.pyz as CycloneDX JSON: every wheel that went in and every vendored file.

    python packaging/sbom.py WHEELS > dist/chime.cdx.json

Promise: it is read from the very wheels that were packed, not from a list that may differ; the same wheels and
SOURCE_DATE_EPOCH give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tomllib
import uuid
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from archive import LEFT_OUT

ROOT = Path(__file__).resolve().parent.parent
VENDORED = ROOT / "tools" / "vendor.lock.json"
READ_BY_HAND = tomllib.loads((ROOT / "packaging" / "licences.toml").read_text("utf-8"))


def metadata(wheel: Path) -> Message:
    """What a wheel says about itself."""
    with zipfile.ZipFile(wheel) as content:
        name = next(name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(content.read(name))


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(about: Message) -> list[dict[str, Any]]:
    """The licence as an SPDX expression where the wheel gives one or we read it, else in the wheel's own words."""
    if expression := about.get("License-Expression") or READ_BY_HAND.get(normal(str(about["Name"]))):
        return [{"expression": expression}]
    classifiers = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License")]
    words = classifiers or [about.get("License", "").partition("\n")[0]]
    return [{"license": {"name": word}} for word in words if word]


def component(wheels: list[Path]) -> dict[str, Any]:
    """One distribution, with the digest of each of its wheels (one a Python when it is compiled)."""
    about = metadata(wheels[0])
    name, version = normal(str(about["Name"])), str(about["Version"])
    return {
        "type": "application" if name == "chime" else "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "licenses": licence(about),
        "properties": [
            {"name": f"chime:wheel:{wheel.name}", "value": "sha256:" + hashlib.sha256(wheel.read_bytes()).hexdigest()}
            for wheel in wheels
        ],
    }


def python_components(wheels: Path) -> list[dict[str, Any]]:
    """Every distribution in the archive, by name; chime itself is one of them."""
    found: dict[str, list[Path]] = defaultdict(list)
    for wheel in sorted(wheels.glob("*.whl")):
        found[normal(wheel.name.split("-")[0])].append(wheel)
    return [component(files) for name, files in sorted(found.items()) if name not in LEFT_OUT]


def vendored_components() -> list[dict[str, Any]]:
    """What goes to the browser from other projects."""
    packages = json.loads(VENDORED.read_text("utf-8"))["packages"]
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:npm/{package['name']}@{package['version']}",
            "name": package["name"],
            "version": package["version"],
            "purl": f"pkg:npm/{package['name']}@{package['version']}",
            "licenses": [{"expression": package["license"]}],
            "properties": [{"name": f"chime:file:{file['to']}", "value": file["integrity"]}
                           for file in package["files"]],
        }
        for package in packages
        if any(not file["to"].startswith("tests/") for file in package["files"])  # what only tests use is not shipped
    ]


def bill(wheels: Path) -> dict[str, Any]:
    """The whole document."""
    python = python_components(wheels)
    chime = next(entry for entry in python if entry["name"] == "chime")
    components = [entry for entry in python if entry is not chime] + vendored_components()
    body = json.dumps([chime, components], sort_keys=True)
    built = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, body)}",
        "version": 1,
        "metadata": {"timestamp": built.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": chime},
        "components": components,
        "dependencies": [
            {"ref": chime["bom-ref"], "dependsOn": [entry["bom-ref"] for entry in components]},
        ],
    }


if __name__ == "__main__":
    json.dump(bill(Path(sys.argv[1])), sys.stdout, indent=1, sort_keys=True)
    print()
