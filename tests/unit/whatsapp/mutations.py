"""Breaks JSON at random places in the ways payloads are broken in the wild; the seed makes it repeatable."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

ODDITIES: list[Any] = [None, "", "x", 0, -1, 1.5, 10**30, True, [], {}, [None], [[]], {"id": None}, "\x00", "9" * 400,
                       "US.", "@", "wamid.\ud83d", "x" * 5000]


def mutate(body: Any, chance: random.Random) -> None:
    """Take away or replace one to four parts of `body`."""
    for _ in range(chance.randint(1, 4)):
        found = list(_places(body))
        if not found:
            return
        container, key = chance.choice(found)
        if chance.random() < 0.5:
            del container[key]
        else:
            container[key] = copy.deepcopy(chance.choice([*ODDITIES, container]))


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a node."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])
