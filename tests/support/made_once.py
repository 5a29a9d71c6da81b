"""What is the same in every world of a process is made once, not in every world.

That are the texts of the templates, the list of certificate authorities (read anew by each HTTP client, and none of
them is asked on this machine), the answer that a password is right for what is stored of it, and the simulator's
application, which two worlds never have at the same time.

Promise: nothing of a world is in what is shared.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
from litestar import Litestar

import chime.app
from chime import resources
from chime.security.passwords import Passwords
from chime.simulator import Simulator
from chime.simulator import create_app as create_simulator_app

_right: set[tuple[bytes, str, str]] = set()
_free: list[tuple[_Stand, Litestar]] = []


def keep() -> None:
    """From now on what is made in this process is made once."""
    cast(Any, chime.app).Passwords = _Passwords
    names, sources = resources.template_names, resources.template_source
    cast(Any, resources).template_names = functools.cache(lambda: tuple(names()))
    cast(Any, resources).template_source = functools.cache(sources)
    clients = cast(Any, httpx)._transports.default
    clients.create_ssl_context = _Authorities(clients.create_ssl_context)


class _Passwords(Passwords):
    """What was found right once is right again, for the same key, password and stored text. All else is worked out."""

    def _verify(self, password: str, stored: str) -> bool:
        place = (self._pepper, password, stored)
        if place not in _right and super()._verify(password, stored):
            _right.add(place)
        return place in _right


class _Stand(Simulator):
    """Where the simulator of a world stands while it runs: its application was made for whoever stands here."""

    def __init__(self) -> None:
        self.give(None)

    def give(self, simulator: Simulator | None) -> None:
        object.__setattr__(self, "standing", simulator)

    def __getattribute__(self, name: str) -> Any:
        if name in ("give", "__class__"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "standing"), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(object.__getattribute__(self, "standing"), name, value)


@contextmanager
def simulator_app(simulator: Simulator) -> Iterator[Litestar]:
    """The application of this simulator. It goes to the next one afterwards."""
    if not _free:
        stand = _Stand()
        _free.append((stand, create_simulator_app(stand)))
    stand, app = _free.pop()
    stand.give(simulator)
    try:
        yield app
    finally:
        stand.give(None)
        _free.append((stand, app))


class _Authorities:
    """The context of a client that says nothing about certificates; any other is made as ever."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._usual: dict[bool, Any] = {}

    def __call__(self, verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
        if verify is not True or cert is not None:
            return self._make(verify=verify, cert=cert, trust_env=trust_env)
        if trust_env not in self._usual:
            self._usual[trust_env] = self._make(trust_env=trust_env)
        return self._usual[trust_env]
