"""Who has which conversation on the screen, and who is writing in it, at this moment.

It lives in memory and nowhere else: it is true for a minute, changes every few seconds for everybody who works, and
nobody needs to know it tomorrow; in a file it would be the most frequent write of all and an audit trail of glances.
After a restart it is complete again when every open tab has said once more where it is. One process serves a workspace
(D1), so one memory is enough.

How often a tab says so is bounded by an idle inbox's two requests a minute: every 40 s while somebody is at it, so what
was said holds for 90 s, and longer only for who goes on looking. Who writes says so at most every three seconds, and
that holds for seven.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import NamedTuple

import msgspec

LOOKS_FOR, WRITES_FOR = 90.0, 7.0
# More than anybody has open; beyond it the oldest of a workspace is forgotten.
MOST_TABS = 5_000
MOST_OF_ONE = 20


class Mode(StrEnum):
    """What somebody does with a conversation; the later ones count for more."""

    VIEW = "view"
    NOTE = "note"
    TYPE = "type"


_RANK = {mode: rank for rank, mode in enumerate(Mode)}


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is there; `left` seconds from now it is no longer known."""

    id: str
    name: str
    mode: Mode
    left: int


class _Tab(NamedTuple):
    name: str
    mode: Mode
    writes_until: float
    until: float


class Presence:
    """Of all workspaces. `now` is a steady clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # workspace -> (conversation, user, tab)
        self._tabs: dict[str, dict[tuple[str, str, str], _Tab]] = {}

    def enter(self, workspace_id: str, conversation_id: str, *, user_id: str, name: str, tab: str, mode: Mode
              ) -> list[str]:
        """Somebody says where they are. A tab is in one conversation; those it left for this one."""
        now, place = self._now(), (conversation_id, user_id, tab)
        tabs = self._tabs.setdefault(workspace_id, {})
        self._forget_old(tabs, now)
        gone = [key for key in tabs if key[1:] == place[1:] and key != place]
        for key in (*gone, place):
            tabs.pop(key, None)
        tabs[place] = _Tab(name, mode, now + WRITES_FOR, now + LOOKS_FOR)
        if len(tabs) > MOST_TABS:
            del tabs[next(iter(tabs))]
        return [key[0] for key in gone]

    def leave(self, workspace_id: str, *, user_id: str, tab: str = "") -> list[str]:
        """A tab is gone, or without its name all of a person's; the conversations it was in."""
        tabs = self._tabs.get(workspace_id, {})
        gone = [key for key in tabs if key[1] == user_id and tab in ("", key[2])]
        for key in gone:
            del tabs[key]
        return [key[0] for key in gone]

    def here(self, workspace_id: str, conversation_id: str) -> list[Person]:
        """Who is in a conversation, by name."""
        return self.everywhere(workspace_id, {conversation_id}).get(conversation_id, [])

    def everywhere(self, workspace_id: str, conversation_ids: Collection[str] | None = None) -> dict[str, list[Person]]:
        """Who is in which conversation, of all or of these."""
        now, found = self._now(), dict[str, dict[str, Person]]()
        for (conversation_id, user_id, _), tab in self._tabs.get(workspace_id, {}).items():
            if tab.until <= now or (conversation_ids is not None and conversation_id not in conversation_ids):
                continue
            mode = tab.mode if tab.writes_until > now else Mode.VIEW
            left = (tab.writes_until if mode is not Mode.VIEW else tab.until) - now
            person = Person(id=user_id, name=tab.name, mode=mode, left=round(left) + 1)
            people = found.setdefault(conversation_id, {})
            if user_id not in people or _RANK[people[user_id].mode] <= _RANK[mode]:
                people[user_id] = person
        return {conversation_id: sorted(people.values(), key=lambda one: (one.name, one.id))[:MOST_OF_ONE]
                for conversation_id, people in found.items()}

    @staticmethod
    def _forget_old(tabs: dict[tuple[str, str, str], _Tab], now: float) -> None:
        # The dict is in the order of the last word, so the old ones stand first.
        for key in list(tabs):
            if tabs[key].until > now:
                break
            del tabs[key]
