"""`control.key`: the installation's own keys, wrapped by the master key, in a small file beside control.db.

The master key opens this file and nothing else, so replacing it is one atomic rename, at whatever moment the machine
stops. The keys inside (of control.db, of its credentials, of what wraps the workspaces' root keys) come in generations
which are replaced with it: until everything has moved to the newer one the file holds both, wrapped by both master
keys.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from chime.db import StorageUnavailable
from chime.errors import StartRefused
from chime.ids import Ids
from chime.security.crypto import CannotOpen, context, derive, master_key_id, seal, unseal
from chime.workspaces.files import flush_names

NAME = "control.key"
_FORM = 1


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that are replaced together. `wrapped_by` is the master key's id that stands in the associated data of
    root keys which were wrapped before this file existed."""

    number: int
    made_at: int
    control_file: bytes
    field: bytes
    parked: bytes
    links: bytes
    wrap: bytes
    wrapped_by: str = ""

    def __repr__(self) -> str:
        return f"Generation({self.number})"

    def __rich_repr__(self) -> Any:
        yield self.number


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds. `generations` the oldest first; `lasting` is what outlives every rotation (signatures that
    must stay checkable), and so is the pepper, without which no password could be checked any more."""

    generations: tuple[Generation, ...]
    pepper: bytes
    lasting: bytes

    @property
    def newest(self) -> Generation:
        return self.generations[-1]

    def __repr__(self) -> str:
        return f"Bundle({[generation.number for generation in self.generations]})"


class _Entry(msgspec.Struct, frozen=True):
    master_key_id: str
    sealed: bytes


class _File(msgspec.Struct, frozen=True):
    form: int
    entries: tuple[_Entry, ...]


def new_generation(ids: Ids, *, number: int, at: int) -> Generation:
    return Generation(number=number, made_at=at, control_file=ids.random(32), field=ids.random(32),
                      parked=ids.random(32), links=ids.random(32), wrap=ids.random(32))


def new_bundle(ids: Ids, *, at: int) -> Bundle:
    """The keys of a new installation."""
    return Bundle(generations=(new_generation(ids, number=1, at=at),), pepper=ids.random(32), lasting=ids.random(32))


def bundle_of_before(master: bytes, ids: Ids) -> Bundle:
    """The keys of an installation from before this file: they were all derived from the master key. Written down as
    they are, so that no file has to change at that moment; the first rotation replaces them."""
    links = derive(master, "links")
    return Bundle(
        generations=(Generation(
            number=1, made_at=0, control_file=derive(master, "control-file"), field=derive(master, "control-field"),
            parked=links, links=links, wrap=derive(master, "wrap"), wrapped_by=master_key_id(master)),),
        pepper=derive(master, "password-pepper"), lasting=ids.random(32))


def wrapped_for(data_dir: Path) -> tuple[str, ...]:
    """The ids of the master keys that open the file; none when there is no file. Raises StartRefused."""
    file = _read(data_dir)
    return tuple(entry.master_key_id for entry in file.entries) if file else ()


def clear_up(data_dir: Path) -> None:
    """Remove what a process left that was killed while it wrote. Not while another one may be writing."""
    (data_dir / f"{NAME}.new").unlink(missing_ok=True)


def is_left_over(data_dir: Path) -> bool:
    return (data_dir / f"{NAME}.new").exists()


def stamp(data_dir: Path) -> object:
    """Another one whenever the file was written anew."""
    try:
        found = (data_dir / NAME).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def read(data_dir: Path, masters: Sequence[bytes]) -> tuple[Bundle, bytes] | None:
    """What is in the file and the master key that opened it, the first of `masters` that can; None when there is no
    file. Raises StartRefused when none can or the file is damaged."""
    file = _read(data_dir)
    if file is None:
        return None
    entries = {entry.master_key_id: entry.sealed for entry in file.entries}
    for master in masters:
        name = master_key_id(master)
        if name not in entries:
            continue
        try:
            return msgspec.json.decode(unseal(_key(master), entries[name], _associated(name)), type=Bundle), master
        except (CannotOpen, msgspec.MsgspecError) as error:
            raise StartRefused(f"{NAME} is damaged; put it back from a backup") from error
    given = " or ".join(master_key_id(master) for master in masters)
    raise StartRefused(f"the master key is not the one this data folder was made with: {NAME} wants "
                       f"{' or '.join(entries)}, configured is {given}")


def write(data_dir: Path, bundle: Bundle, masters: Sequence[bytes], *, only_if_new: bool = False) -> None:
    """Put it down for these master keys, the one to use from now on first; whole or not at all. Raises FileExistsError
    when `only_if_new` and another process was faster, StorageUnavailable when the disk refuses."""
    plain = msgspec.json.encode(bundle)
    entries = [_Entry(name := master_key_id(master), seal(_key(master), plain, _associated(name)))
               for master in masters]
    written = msgspec.json.format(msgspec.json.encode(_File(_FORM, tuple(entries))), indent=1) + b"\n"
    try:
        _put(data_dir, written, only_if_new=only_if_new)
    except FileExistsError:
        raise
    except OSError as error:
        raise StorageUnavailable(f"{NAME} cannot be written: {error.strerror}") from error


def _put(data_dir: Path, written: bytes, *, only_if_new: bool) -> None:
    path, partial = data_dir / NAME, data_dir / f"{NAME}.new"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(written)
        file.flush()
        os.fsync(file.fileno())
    if only_if_new:
        try:
            os.link(partial, path)
        finally:
            partial.unlink()
    else:
        partial.replace(path)
    flush_names(data_dir)


def _read(data_dir: Path) -> _File | None:
    try:
        file = msgspec.json.decode((data_dir / NAME).read_bytes(), type=_File)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StartRefused(f"{NAME} cannot be read; put it back from a backup") from error
    if file.form != _FORM:
        raise StartRefused(f"{NAME} was written by a newer Chime; install that version or a later one")
    return file


def _key(master: bytes) -> bytes:
    return derive(master, "control-key")


def _associated(name: str) -> bytes:
    return context(NAME, name)
