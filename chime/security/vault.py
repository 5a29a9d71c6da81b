"""The credential store: a value sealed for one workspace, table, row and column, and for nowhere else."""

from __future__ import annotations

from typing import Any, NoReturn

from chime.security.crypto import context, same
from chime.security.versions import KeyVersions


class Secret:
    """A secret in memory. It has no text form, no JSON form and can't be pickled, so it can't slip into a log, a page,
    an error or a file."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value; call it only where it leaves for its one destination."""
        return self._value

    @property
    def last_four(self) -> str:
        """What may be shown of it: its end, and nothing of one that is short."""
        return self._value[-4:] if len(self._value) >= 12 else ""

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, form: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and same(self._value, other._value)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret stays in its process")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        self.__reduce__()


class Vault:
    """Seals and opens the credentials of one scope (a workspace's id, or `control`)."""

    def __init__(self, keys: KeyVersions, scope: str) -> None:
        self.keys = keys
        self._scope = scope

    def seal(self, value: str, *, table: str, row: str, column: str) -> bytes:
        return self.keys.seal(value.encode(), context(self._scope, table, row, column))

    def open(self, sealed: bytes, *, table: str, row: str, column: str) -> Secret:
        """Raises CannotOpen when the value was moved, damaged or sealed under another key."""
        return Secret(self.keys.unseal(sealed, context(self._scope, table, row, column)).decode())

    def seal_again(self, sealed: bytes, *, table: str, row: str, column: str) -> bytes:
        """The same value under the newest key. Raises CannotOpen."""
        associated = context(self._scope, table, row, column)
        return self.keys.seal(self.keys.unseal(sealed, associated), associated)
