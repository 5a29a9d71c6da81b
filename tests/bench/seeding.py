"""A workspace with a past: contacts, conversations and messages, written straight into the file.

Messages of all conversations lie mixed in it, as they came, so those of one thread are far from each other. One
conversation in a hundred is long, and the first is very long.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from typing import Any

from chime.clock import Clock
from chime.db.connection import open_connection
from chime.ids import Ids
from chime.inbox import search_queries
from chime.inbox.search_index import index_contacts, index_messages
from chime.setup import opened
from tests.bench.installation import Installed, config_for

WORDS_IN_A_MESSAGE = 9
LONG_EVERY = 100
YEAR = 365 * 86_400_000
AT_ONCE = 20_000

_CONTACT = "INSERT INTO contact (id, profile_name, phone, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
_IDENTITY = "INSERT INTO contact_identity (kind, value, contact_id, created_at) VALUES ('phone', ?, ?, ?)"
_CONVERSATION = """
    INSERT INTO conversation (id, channel_id, contact_id, state, unread_count, last_message_at, window_expires_at,
        created_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?)
"""
_MESSAGE = """
    INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, wamid, text, author_name, at,
        created_at) VALUES (?, ?, ?, ?, ?, 'text', ?, ?, ?, ?, ?, ?)
"""
_LAST = "UPDATE conversation SET last_message_at = ?, last_message_id = ? WHERE id = ?"


class Speech:
    """Sentences of 20,000 made-up words, some of them in nearly every sentence and most of them rare, as in speech."""

    def __init__(self, seed: int = 5) -> None:
        self._luck = random.Random(seed)
        syllables = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il")]
        self.words = sorted({"".join(self._luck.choices(syllables, k=self._luck.choice((2, 3, 3, 4))))
                             for _ in range(21_000)})[:20_000]
        self._luck.shuffle(self.words)
        # The n-th word is heard 1/n as often as the first.
        self._weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(self.words))))

    def sentence(self) -> str:
        return " ".join(self._luck.choices(self.words, cum_weights=self._weights, k=WORDS_IN_A_MESSAGE))


async def fill(installed: Installed, conversations: int, messages: int) -> Speech:
    """One contact for each conversation, and a year of messages. Nothing else may have the files open."""
    async with opened(config_for(installed.data_dir)) as (_, registry):
        async with registry.use(installed.workspace_id) as workspace:
            channel_id = await workspace.db.value("SELECT id FROM channel")
            path = workspace.folder / "workspace.db"
        key = (await registry.keys(installed.workspace_id)).workspace_file
    speech = Speech()
    connection = open_connection(path, key, writes=True)
    try:
        # Nobody would miss this file, and how long it takes to write it is none of the figures.
        for setting in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.execute("BEGIN")
        _write(connection, channel_id, conversations, messages, speech)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    finally:
        connection.close()
    return speech


async def learn(installed: Installed) -> float:
    """Make the search know the past, as the product's job does but without its pauses; the seconds it took."""
    begun = time.monotonic()
    async with opened(config_for(installed.data_dir)) as (_, registry), \
            registry.use(installed.workspace_id) as workspace:
        while await search_queries.waiting(workspace.db):
            async with workspace.ingest("search") as tx:
                await index_contacts(tx)
                await index_messages(tx)
    return time.monotonic() - begun


def _write(connection: Any, channel_id: str, conversations: int, messages: int, speech: Speech) -> None:
    ids, now = Ids(), Clock().now()
    begin = now - YEAR
    people = [ids.new(begin) for _ in range(conversations)]
    threads = [ids.new(begin) for _ in range(conversations)]
    connection.executemany(_CONTACT, ((person, f"Customer {number}", _phone(number), begin, begin)
                                      for number, person in enumerate(people)))
    connection.executemany(_IDENTITY, ((_phone(number), person, begin) for number, person in enumerate(people)))
    connection.executemany(_CONVERSATION, (
        (threads[number], channel_id, person, "closed" if number % 2 else "open", 0 if number % 2 else number % 3,
         now + 80_000_000, begin) for number, person in enumerate(people)))
    newest: dict[str, tuple[int, str]] = {}
    rows = _messages(ids, channel_id, threads, messages, begin, speech, newest)
    while batch := list(itertools.islice(rows, AT_ONCE)):
        connection.executemany(_MESSAGE, batch)
    connection.executemany(_LAST, ((*last, thread) for thread, last in newest.items()))


def _phone(number: int) -> str:
    return f"1666{number:07d}"


def _messages(ids: Ids, channel_id: str, threads: list[str], messages: int, begin: int, speech: Speech,
              newest: dict[str, tuple[int, str]]) -> Iterator[tuple[Any, ...]]:
    """The oldest first. `newest` is told the last of each thread."""
    luck, step = random.Random(3), YEAR // messages
    for number in range(messages):
        at = begin + number * step
        thread, message_id = threads[_whose(luck, number, len(threads))], ids.new(at)
        newest[thread] = (at, message_id)
        side = (("in", "customer", "received"), ("out", "agent", "read"))[number % 2]
        yield (message_id, thread, channel_id, *side, f"wamid.past.{number}", speech.sentence(),
               "Alice" if number % 2 else "", at, at)


def _whose(luck: random.Random, number: int, threads: int) -> int:
    """Everybody has written once before anybody writes again."""
    if number < threads:
        return number
    drawn = luck.random()
    if drawn < 0.01:
        return 0
    if drawn < 0.2:
        return luck.randrange(0, threads, LONG_EVERY)
    return luck.randrange(threads)
