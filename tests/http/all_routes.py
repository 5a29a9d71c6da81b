"""Every address of the product, filled in with names of nothing, for tests that ask all of them the same question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from chime.app import FEATURES

NOTHING = "z" * 26
# What a form may be asked for; most handlers say what is wrong with it, and that is an answer too.
FORM = {"text": "hello", "name": "vip"}


@dataclass(frozen=True)
class Address:
    """One route with one method."""

    name: str
    method: str
    path: str
    opt: dict[str, Any]

    @property
    def api(self) -> bool:
        return bool(self.opt.get("api"))

    @property
    def public(self) -> bool:
        return bool(self.opt.get("public"))

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD", "OPTIONS")


def addresses(slug: str) -> list[Address]:
    """All of them, each under the workspace `slug`."""
    found = []
    for _, handlers in FEATURES:
        for handler in handlers:
            for path in handler.paths:
                plain = re.sub(r"{(\w+):\w+}", r"{\1}", path).replace("{slug}", slug)
                found += [Address(handler.handler_name, getattr(method, "value", None) or str(method),
                                  re.sub(r"{\w+}", NOTHING, plain), dict(handler.opt))
                          for method in handler.http_methods]
    return sorted(found, key=lambda address: (address.path, address.method))
