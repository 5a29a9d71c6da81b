"""What a release says of itself, and whether it may take another's place."""

from __future__ import annotations

import os
import re
import sys

import msgspec

from chime.errors import StartRefused

# They become names of folders.
_VERSION, _BUILD = re.compile(r"\d[0-9A-Za-z.+~]{0,39}"), re.compile(r"[0-9A-Za-z]{1,64}")


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """`release.json`. `serial` is the time of its sources: of two builds of one version the later has the greater."""

    version: str
    build: str
    machine: str
    pythons: tuple[str, ...]
    serial: int = 0

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.version}-{self.build}"

    def age(self) -> tuple[list[int], int]:
        """The older the smaller."""
        return [int(number) for number in re.findall(r"\d+", self.version)], self.serial

    def is_older_than(self, other: Release) -> bool:
        return self.age() < other.age()

    def must_run_here(self) -> None:
        """Raises StartRefused."""
        if self.machine != os.uname().machine:
            raise StartRefused(f"this file is for {self.machine} machines; this one is {os.uname().machine}")
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        if here not in self.pythons:
            raise StartRefused(f"this file runs on Python {', '.join(self.pythons)}; this machine's Chime runs on "
                               f"{here}")


def read_release(text: bytes) -> Release:
    """Raises StartRefused."""
    try:
        found = msgspec.json.decode(text, type=Release)
    except msgspec.MsgspecError as error:
        raise StartRefused("release.json of this file cannot be read: it is no release of Chime") from error
    if not _VERSION.fullmatch(found.version) or not _BUILD.fullmatch(found.build):
        raise StartRefused("release.json of this file has no sound version and build: it is no release of Chime")
    return found
