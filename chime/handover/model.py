"""What a workspace's file says of itself and of the workspace. Pure.

    CHIMEWS1                 eight bytes
    length, header           in clear: what it is, of which workspace, how the passphrase becomes a key
    length, sealed key       the file's own key, sealed with what comes of the passphrase; bound to the header
    pieces of 64 KiB         sealed with the file's key; bound to the header, their number and whether they are the last

Inside the pieces: parts, each with its name, size and SHA-256, and last the manifest that lists them.
"""

from __future__ import annotations

import hashlib
import struct

import msgspec

from chime.errors import ChimeError
from chime.security.crypto import context
from chime.security.passphrases import Stretching

MAGIC = b"CHIMEWS1"
FORM = 1
PIECE = 64 * 1024
LENGTH = struct.Struct(">I")
LONGEST_HEADER = 16 * 1024
# The description grows with people and teams, the manifest with tables; neither with customers.
LONGEST_TEXT = 64 * 1024 * 1024
DESCRIPTION, WORKSPACE, JOURNAL, MANIFEST = "description", "workspace.db", "journal.db", "manifest"
FILES = "media/"


class NotTaken(ChimeError):
    """The file can't be taken in: why, and what to do. Nothing was changed."""

    status = 422
    title = "This file cannot be imported"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`schemas`: how many steps the files have, by kind; `needs`: how many a program must know to work with them."""

    form: int
    export_id: str
    made_at: int
    workspace_id: str
    workspace_name: str
    chime: str
    schemas: dict[str, int]
    needs: dict[str, int]
    stretching: Stretching


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How a part begins."""

    name: str
    size: int


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A part in the manifest; `rows` by table, of a database."""

    name: str
    size: int
    sha256: str
    rows: dict[str, int] = {}


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """All stored files together: there may be millions, so they stand in the manifest as one digest over the names,
    sizes and digests of all."""

    count: int
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    parts: tuple[Listed, ...]
    files: Files


class Tally:
    """The digest over all stored files, in their order."""

    def __init__(self) -> None:
        self.count = self.size = 0
        self._hashed = hashlib.sha256()

    def add(self, name: str, size: int, digest: bytes) -> None:
        self._hashed.update(context("file", name, size, digest.hex()))
        self.count += 1
        self.size += size

    @property
    def files(self) -> Files:
        return Files(count=self.count, size=self.size, sha256=self._hashed.hexdigest())


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A member with what they are here. Passwords, second factors and sessions stay where they are."""

    id: str
    email: str
    name: str
    locale: str
    time_zone: str
    role: str
    state: str
    created_at: int
    modules_off: str
    channels_text: str | None
    masked: int


class Team(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    created_at: int
    members: tuple[str, ...]


class CustomRole(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    grants_text: str
    created_at: int


class App(msgspec.Struct, frozen=True, kw_only=True):
    """A Meta app with its secrets open: inside the sealed pieces and nowhere else."""

    id: str
    app_id: str
    app_key: str
    secret: str
    previous_secret: str | None
    verify_token: str

    def __repr__(self) -> str:
        return f"App({self.app_id})"


class RootKey(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the workspace's root key."""

    version: int
    secret: bytes
    callbacks: bytes
    created_at: int
    retired_at: int | None

    def __repr__(self) -> str:
        return f"RootKey({self.version})"


class KeyUse(msgspec.Struct, frozen=True, kw_only=True):
    purpose: str
    version: int


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was erased and must stay so."""

    erasure_id: str
    contact_id: str
    mark: bytes
    opted_out: int
    at: int


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What control.db knows of a workspace and what goes with it. `is_final`: it was handed over before, so nothing
    happened to it since; `handed_to` is the code of the server it was handed over to. API keys, invitations and support
    access do not go with it."""

    name: str
    time_zone: str
    created_at: int
    is_final: bool
    policy_text: str | None
    owner_policy_text: str | None
    people: tuple[Person, ...]
    teams: tuple[Team, ...]
    roles: tuple[CustomRole, ...]
    apps: tuple[App, ...]
    roots: tuple[RootKey, ...]
    uses: tuple[KeyUse, ...]
    forgotten: tuple[Forgotten, ...]
    audit_key: bytes | None
    handed_to: str = ""

    def __repr__(self) -> str:
        return f"Description({self.name})"


def bound_to(header: bytes) -> str:
    """What everything in the file is bound to."""
    return hashlib.sha256(MAGIC + header).hexdigest()


def of_key(bound: str) -> bytes:
    """The associated data of the file's key."""
    return context("workspace file key", bound)


def of_piece(bound: str, index: int, *, last: bool) -> bytes:
    """The associated data of a piece."""
    return context("workspace file", bound, index, int(last))
