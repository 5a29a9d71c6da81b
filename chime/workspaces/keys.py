"""From the master key to every other key.

The master key opens `control.key`; the keys in there open control.db and wrap a random root key per workspace and
version; file, field and media keys are derived from that root. So a workspace is shredded by deleting its rows in
control.db, and no key but the master itself is known outside.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from chime.clock import Clock
from chime.db import Key
from chime.db.rekey import fits, fitting
from chime.errors import StartRefused
from chime.ids import Ids
from chime.security.crypto import context, derive, is_first_form, master_key_id, unseal
from chime.security.vault import Vault
from chime.security.versions import KeyVersions
from chime.workspaces import control_key
from chime.workspaces.control_key import Bundle
from chime.workspaces.files import flush_names

SERVICE_DATA = Path("/var/lib/chime")
SERVICE_KEY = Path("/etc/chime/master.key")


class KeyRing:
    """The installation's own keys, opened. One object for the life of the process: a rotation changes what is in it."""

    def __init__(self, data_dir: Path, bundle: Bundle, opened_by: bytes, masters: Sequence[bytes]) -> None:
        self.data_dir = data_dir
        self.masters = tuple(masters)
        self._lay_beside = opened_by in _keys_beside(data_dir)
        self._opened_by = opened_by
        self._bundle = bundle
        self.parked = _versions(bundle, "parked")
        self._field = _versions(bundle, "field")
        self._wrap = _versions(bundle, "wrap")
        self.control_file = Key(b"")
        self._stamp: object = None
        self.fit()

    def refresh(self) -> None:
        """What another process did since this was read, when nothing is open yet."""
        self.take_over()
        self.fit()

    def fit(self) -> None:
        """Have `control_file` be the key that control.db has now."""
        newest_first = reversed(self._bundle.generations)
        self.control_file = fitting(self.data_dir / "control.db", [Key(one.control_file) for one in newest_first])

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    @property
    def master_key_id(self) -> str:
        """Of the master key that opened the file."""
        return master_key_id(self._opened_by)

    @property
    def opened_by(self) -> bytes:
        """That key itself: for the recovery sheet and nothing else."""
        return self._opened_by

    @property
    def primary_id(self) -> str:
        """Of the one that shall open it from now on."""
        return master_key_id(self.masters[0])

    @property
    def newest_control_file(self) -> Key:
        return Key(self._bundle.newest.control_file)

    @property
    def pepper(self) -> bytes:
        return self._bundle.pepper

    @property
    def links(self) -> bytes:
        """Signs what travels through a browser: CSRF tokens and cookies."""
        return self._bundle.newest.links

    def lasting(self, purpose: str) -> bytes:
        """A secret that no rotation changes, for signatures that must stay checkable."""
        return derive(self._bundle.lasting, purpose)

    def control_vault(self) -> Vault:
        """The credential store of control.db."""
        return Vault(self._field, "control")

    def take_over(self) -> bool:
        """Read the file again, which another process may have written; whether it holds something else now. Raises
        StartRefused when it can't be opened any more."""
        stamp = control_key.stamp(self.data_dir)
        if stamp == self._stamp:
            return False
        try:
            found = control_key.read(self.data_dir, self.masters)
        except StartRefused:
            # The rotation that we moved everything for was finished by the command that knows the newer master key.
            found = self._opened_from_beside()
            if found is None and not self.is_left_behind:
                raise
            if found is None:
                self._bundle = msgspec.structs.replace(self._bundle, generations=self._bundle.generations[-1:])
                self._stamp = stamp
                return True
        self._stamp = stamp
        if found is None or (found[0] == self._bundle and found[1] == self._opened_by):
            return False
        self._bundle, self._opened_by = found
        for versions, name in ((self.parked, "parked"), (self._field, "field"), (self._wrap, "wrap")):
            versions.adopt(_versions(self._bundle, name))
        return True

    def _opened_from_beside(self) -> tuple[Bundle, bytes] | None:
        """What is in the file, by the master key beside the data folder: where ours lay, the newer one lies now."""
        if not self._lay_beside:
            return None
        newer = _keys_beside(self.data_dir)
        try:
            found = control_key.read(self.data_dir, newer)
        except StartRefused:
            return None
        self.masters = newer
        return found

    @property
    def wants_new_master(self) -> bool:
        """Whether another master key is to open the file from now on than the one that does."""
        return (self._opened_by != self.masters[0] and not self.is_left_behind
                and self.primary_id not in control_key.wrapped_for(self.data_dir))

    @property
    def is_left_behind(self) -> bool:
        """Whether the file wants a master key now that this process was not given: it works on with the keys it has,
        and must be given the newer one before it starts again."""
        return not {master_key_id(master) for master in self.masters} & set(control_key.wrapped_for(self.data_dir))

    @property
    def is_moving(self) -> bool:
        """Whether there is an older generation that something may still have."""
        return len(self._bundle.generations) > 1

    @property
    def may_finish(self) -> bool:
        """Whether the master key that shall open the file from now on is ours to write it with. An appliance that was
        started with the older one only leaves the last step to the command that has both."""
        return control_key.wrapped_for(self.data_dir)[:1] == (self.primary_id,)

    def begin(self, ids: Ids, at: int) -> None:
        """Write down a new generation, to be opened by the primary master key as well as by the one until now. Nothing
        but this file changes; a second call while one is under way adds the master key only."""
        self.take_over()
        bundle = self._bundle
        if not self.is_moving:
            newer = control_key.new_generation(ids, number=bundle.newest.number + 1, at=at)
            bundle = msgspec.structs.replace(bundle, generations=(*bundle.generations, newer))
        control_key.write(self.data_dir, bundle, tuple(dict.fromkeys((self.masters[0], self._opened_by))))
        self.take_over()

    def finish(self) -> None:
        """Everything has the newest generation: forget the older one, and the older master key."""
        bundle = msgspec.structs.replace(self._bundle, generations=self._bundle.generations[-1:])
        control_key.write(self.data_dir, bundle, self.masters[:1])
        self.take_over()
        coming = coming_key_file(self.data_dir)
        if coming.exists() and _read_key(coming) == self.masters[0]:
            coming.replace(key_file(self.data_dir))
            flush_names(coming.parent)

    def wrap(self, root: Root, workspace_id: str, version: int) -> bytes:
        """A root key under the newest generation."""
        return self._wrap.seal(root.secret + root.callbacks, _root_context(workspace_id, version))

    def unwrap(self, wrapped: bytes, workspace_id: str, version: int) -> WorkspaceKeys:
        """The keys that come of one version. Raises CannotOpen when the row was moved or something else wrapped it."""
        return WorkspaceKeys({version: self.root(wrapped, workspace_id, version)}, workspace_id)

    def root(self, wrapped: bytes, workspace_id: str, version: int) -> Root:
        """Raises CannotOpen."""
        if is_first_form(wrapped):
            first = self._bundle.generations[0]
            plain = unseal(first.wrap, wrapped, context("wrap", workspace_id, version, first.wrapped_by))
        else:
            plain = self._wrap.unseal(wrapped, _root_context(workspace_id, version))
        return Root(plain[:32], plain[32:] or derive(plain[:32], "callbacks"))

    def is_newest_wrap(self, wrapped: bytes) -> bool:
        return not is_first_form(wrapped) and self._wrap.is_current(wrapped)

    def __repr__(self) -> str:
        return f"KeyRing({self._bundle!r})"


def _versions(bundle: Bundle, name: str) -> KeyVersions:
    return KeyVersions({one.number: getattr(one, name) for one in bundle.generations}, bundle.newest.number)


def _root_context(workspace_id: str, version: int) -> bytes:
    return context("root", workspace_id, version)


class Root:
    """A root key. `callbacks` signs the tokens that go out with sends and come back within weeks: it is handed on from
    version to version, or a rotation would leave lost answers unsettled."""

    __slots__ = ("callbacks", "secret")

    def __init__(self, secret: bytes, callbacks: bytes) -> None:
        self.secret = secret
        self.callbacks = callbacks


def new_root(ids: Ids, before: Root | None = None) -> Root:
    return Root(ids.random(32), before.callbacks if before else ids.random(32))


class Purpose(StrEnum):
    """What of a workspace can get a new key by itself."""

    FIELD = "field"
    FILE = "file"
    MEDIA = "media"


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Which version a purpose has; `target` while everything is being moved to another."""

    version: int = 1
    target: int | None = None

    @property
    def writes_with(self) -> int:
        return self.version if self.target is None else self.target


class WorkspaceKeys:
    """The keys of one workspace, one for each purpose and version. `identity` is the id that its files, sealed values
    and stored files are bound to; a copy's (`is_copy`) is its original's, and of its files nobody knows which version
    they have: they are of another moment."""

    def __init__(self, roots: Mapping[int, Root], identity: str, uses: Mapping[Purpose, Use] | None = None, *,
                 is_copy: bool = False) -> None:
        newest = max(roots)
        self.identity = identity
        self.is_copy = is_copy
        self.roots = dict(roots)
        self.uses = {purpose: (uses or {}).get(purpose) or Use(version=newest if uses is None else 1)
                     for purpose in Purpose}
        self.callbacks = roots[newest].callbacks
        self.media = self._of(Purpose.MEDIA, "media")
        self.vault = Vault(self._of(Purpose.FIELD, "field"), identity)
        self.workspace_files = self._files("workspace-file")
        self.journal_files = self._files("journal-file")
        self.workspace_file, self.journal_file = self.workspace_files[0], self.journal_files[0]

    def _of(self, purpose: Purpose, name: str) -> KeyVersions:
        return KeyVersions({version: derive(root.secret, name) for version, root in self.roots.items()},
                           self.uses[purpose].writes_with)

    def _files(self, name: str) -> tuple[Key, ...]:
        """The key a file gets, and before it the one it may still have while that is going on."""
        use = self.uses[Purpose.FILE]
        versions = [use.writes_with] if use.target is None else [use.target, use.version]
        if self.is_copy:
            versions = sorted(self.roots, reverse=True)
        return tuple(Key(derive(self.roots[version].secret, name)) for version in versions if version in self.roots)

    def fit(self, folder: Path) -> WorkspaceKeys:
        """Have `workspace_file` and `journal_file` be the keys the files in `folder` have now."""
        self.workspace_file = fitting(folder / "workspace.db", self.workspace_files)
        self.journal_file = fitting(folder / "journal.db", self.journal_files)
        return self

    def adopt(self, other: WorkspaceKeys) -> None:
        """Go on with what another reading of control.db found; the open files keep the keys they have."""
        self.roots, self.uses = other.roots, other.uses
        self.workspace_files, self.journal_files = other.workspace_files, other.journal_files
        self.media.adopt(other.media)
        self.vault.keys.adopt(other.vault.keys)


def key_file(data_dir: Path) -> Path:
    """Where a key that nobody configured is kept: beside the data folder, so that a copy of the folder alone
    tells nothing."""
    folder = data_dir.absolute()
    return folder.with_name(f"{folder.name}.master-key")


def service_key_file(data_dir: Path) -> Path | None:
    """Where the service that the package set up reads its key, at each start; None for any other installation. The
    one that is to be replaced lies beside it, and is read by commands alone."""
    return SERVICE_KEY if data_dir == SERVICE_DATA and SERVICE_KEY.parent.is_dir() else None


def coming_key_file(data_dir: Path) -> Path:
    """Where the key that is to follow it waits until everything has moved to it."""
    path = key_file(data_dir)
    return path.with_name(f"{path.name}.next")


def find_masters(data_dir: Path, configured: bytes | None, previous: bytes | None = None) -> tuple[bytes, ...]:
    """The master keys at hand, the one to use from now on first: those configured, else those beside the data folder.
    Raises StartRefused when there is none."""
    found = [key for key in (configured, previous) if key is not None]
    if not found:
        found = [_read_key(path) for path in (coming_key_file(data_dir), key_file(data_dir)) if path.exists()]
    if not found:
        raise StartRefused(f"no master key: set CHIME_MASTER_KEY, or put it back at {key_file(data_dir)}")
    return tuple(dict.fromkeys(found))


def _keys_beside(data_dir: Path) -> tuple[bytes, ...]:
    """Those in the files beside the data folder. In this order: when the first is gone, the second holds it by now."""
    found: dict[bytes, None] = {}
    for path in (coming_key_file(data_dir), key_file(data_dir)):
        with suppress(OSError, StartRefused):
            found[_read_key(path)] = None
    return tuple(found)


def _read_key(path: Path) -> bytes:
    mode = path.stat().st_mode
    if mode & 0o077:
        raise StartRefused(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        key = base64.b64decode(path.read_text("ascii").strip(), validate=True)
    except (OSError, ValueError) as error:
        raise StartRefused(f"{path} does not hold a master key (base64 of 32 bytes)") from error
    if len(key) != 32:
        raise StartRefused(f"{path} does not hold a master key: {len(key)} bytes instead of 32")
    return key


def make_master_key(path: Path, key: bytes) -> Path:
    """Write a new key down, durably, whole or not at all; where it is. Never overwrites one: raises FileExistsError.
    Raises StartRefused where nothing can be written."""
    partial = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # Under its name at once and whole: an empty file there would be a wrong key for ever.
            os.link(partial, path)
        finally:
            partial.unlink()
        flush_names(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise StartRefused(f"the master key cannot be written to {path} ({error.strerror}): set CHIME_MASTER_KEY to "
                           "one from `openssl rand -base64 32`") from error
    return path


def open_keys(data_dir: Path, *masters: bytes, create: bool = False) -> KeyRing:
    """The key ring of an installation. One from before `control.key` gets that file now; `create` makes new keys where
    there is no installation yet. Raises StartRefused when no master key fits."""
    found = control_key.read(data_dir, masters)
    if found is None:
        bundle, master = _first_bundle(data_dir, masters, create=create)
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was faster, with the same keys or new ones
            control_key.write(data_dir, bundle, [master], only_if_new=True)
        found = control_key.read(data_dir, masters)
    if found is None:
        raise StartRefused(f"{control_key.NAME} could not be written")
    return KeyRing(data_dir, *found, masters)


def _first_bundle(data_dir: Path, masters: Sequence[bytes], *, create: bool) -> tuple[Bundle, bytes]:
    ids = Ids()
    path = data_dir / "control.db"
    if not path.exists() or path.stat().st_size == 0:
        if not create:
            raise StartRefused(f"{data_dir} is no Chime data folder yet; run `chime init` first")
        return control_key.new_bundle(ids, at=Clock().now()), masters[0]
    for master in masters:
        bundle = control_key.bundle_of_before(master, ids)
        key = Key(bundle.newest.control_file)
        if fits(path, key):
            return bundle, master
    raise StartRefused("the master key is not the one this data folder was made with")
