"""What somebody who looked after things says of one of them: how it is, in plain words, and what to do about it.

The words are fixed texts with places for values, so that a page can say them in its reader's language and the command
line in English. No value is a customer's word, a phone number or a secret: what is said here is kept and mailed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

Value = str | int


class State(StrEnum):
    """From good to bad; `skipped` says nothing either way."""

    SKIPPED = "skipped"
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {State.SKIPPED: 0, State.OK: 0, State.WARN: 1, State.FAIL: 2}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `where` is the page on which it is mended: a path of ours (below the workspace's
    address when the check is about one), or an address of Meta's."""

    name: str
    state: State
    said: str
    advice: str = ""
    where: str = ""
    values: dict[str, Value] = {}

    @property
    def ok(self) -> bool:
        """Whether it may stay as it is for now."""
        return self.state is not State.FAIL

    @property
    def detail(self) -> str:
        return filled(self.said, self.values)

    @property
    def what_to_do(self) -> str:
        return filled(self.advice, self.values)

    def named(self, subject: str) -> Check:
        """The same, naming what it is about: for a list of the checks of many things."""
        return msgspec.structs.replace(self, name=f"{subject}: {self.name}")

    def told(self) -> dict[str, Any]:
        """As the command line answers in JSON."""
        return {"name": self.name, "ok": self.ok, "state": self.state.value, "detail": self.detail,
                "what_to_do": self.what_to_do, "where": self.where}


def filled(text: str, values: dict[str, Value]) -> str:
    return text % values if values else text


def words(text: str) -> str:
    """A fixed text that a page says in its reader's language: found by `tools/messages.py`."""
    return text


def good(name: str, said: str, advice: str = "", *, where: str = "", **values: Value) -> Check:
    """In order. With `advice`: it could be better all the same."""
    return Check(name=name, state=State.OK, said=said, advice=advice, where=where, values=values)


def doubtful(name: str, said: str, advice: str, *, where: str = "", **values: Value) -> Check:
    """It works, and somebody should look at it."""
    return Check(name=name, state=State.WARN, said=said, advice=advice, where=where, values=values)


def bad(name: str, said: str, advice: str, *, where: str = "", **values: Value) -> Check:
    return Check(name=name, state=State.FAIL, said=said, advice=advice, where=where, values=values)


def skipped(name: str, said: str, **values: Value) -> Check:
    """There is nothing to look at, or no way to."""
    return Check(name=name, state=State.SKIPPED, said=said, values=values)
