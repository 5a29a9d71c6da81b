"""Litestar reads the signature of each handler anew for each application, and each test makes one: here what it read of
a function once is kept for the rest of the run. A third of the time of a test went there."""

from __future__ import annotations

from typing import Any, cast

from litestar.utils.signature import ParsedSignature

_read = ParsedSignature.from_fn
_known: dict[tuple[str, str], ParsedSignature] = {}


def _known_signature(kind: type[ParsedSignature], fn: Any, signature_namespace: dict[str, Any]) -> ParsedSignature:
    # What is made within a function of ours may mean something else each time.
    if "<locals>" in getattr(fn, "__qualname__", "<locals>") and not fn.__module__.startswith("litestar."):
        return _read(fn, signature_namespace)
    key = (fn.__module__, fn.__qualname__)
    if key not in _known:
        _known[key] = _read(fn, signature_namespace)
    return _known[key]


def keep() -> None:
    """For the rest of the process."""
    cast(Any, ParsedSignature).from_fn = classmethod(_known_signature)
