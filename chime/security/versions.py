"""A key that can be replaced while it is in use: several versions to read with, one to write with."""

from __future__ import annotations

from collections.abc import Mapping

from chime.security.crypto import CannotOpen, seal, unseal, version_of


class KeyVersions:
    """The versions of one key. What is sealed names its version, and exactly that one is tried: AES-GCM does not commit
    to a key, so a value must never be tried with several."""

    __slots__ = ("_active", "_keys")

    def __init__(self, keys: Mapping[int, bytes], active: int) -> None:
        self._keys = dict(keys)
        self._active = active

    @property
    def active(self) -> int:
        """The version that new values are sealed with."""
        return self._active

    def adopt(self, other: KeyVersions) -> None:
        """Know from now on what `other` knows: whoever holds this object goes on with it."""
        self._keys, self._active = dict(other._keys), other._active

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        return seal(self._keys[self._active], plain, associated, key_version=self._active)

    def unseal(self, sealed: bytes, associated: bytes) -> bytes:
        """Raises CannotOpen, also when the version it names is destroyed."""
        key = self._keys.get(version_of(sealed))
        if key is None:
            raise CannotOpen("the key this value was sealed with is not there any more")
        return unseal(key, sealed, associated)

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed with the active version."""
        return version_of(sealed) == self._active

    def __repr__(self) -> str:
        return f"KeyVersions(active {self._active} of {sorted(self._keys)})"

    def __reduce__(self) -> str:
        raise TypeError("keys stay in their process")
