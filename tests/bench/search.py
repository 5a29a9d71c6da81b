"""Full text over a million messages, as the page asks for it, also narrowed by sender, kind, file and day. The
yardstick is the list page in the same run."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from tests.bench.browser import Browser, spread
from tests.bench.inbox import CONVERSATIONS, LIST, MESSAGES
from tests.bench.installation import install, served
from tests.bench.options import Options
from tests.bench.seeding import Speech, fill, learn

ROUNDS = 60
KINDS = ("rare_word", "common_word", "two_common_words", "common_and_rare_word", "two_rare_words", "two_letters",
         "three_letters", "phrase", "nothing", "person")
# What narrows a search, in an address. No message of this past has a picture, so the last two look through all of it.
NARROWED = {
    "customer": "from=customer", "team": "from=team", "month": "first={month}", "day": "first={day}&last={day}",
    "customer_in_a_month": "from=customer&first={month}", "picture": "type=image", "file": "has_file=1"}


def measure(options: Options) -> dict[str, object]:
    conversations, count = (200, 4_000) if options.quick else (CONVERSATIONS, MESSAGES)
    rounds = 5 if options.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        speech = asyncio.run(fill(installed, conversations, count))
        seconds = asyncio.run(learn(installed))
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process, Browser(process.port) as browser:
            if "<mark>" not in browser.read(_address(speech.words[0]), fragment=True):
                raise RuntimeError("the search does not find the most common word")
            found = {kind: [browser.timed(_address(text), fragment=True) for text in _texts(speech, kind, rounds)]
                     for kind in KINDS}
            found |= {f"{name}_{kind}": [browser.timed(_address(text, narrowed), fragment=True)
                                         for text, narrowed in zip(_texts(speech, kind, rounds), _days(filters, rounds),
                                                                   strict=True)]
                      for name, filters in NARROWED.items() for kind in ("no_word", "common_word", "rare_word")}
            lists = [browser.timed(LIST) for _ in range(rounds)]
    figures = {name: value for kind, times in found.items() for name, value in spread(kind, times).items()}
    worst = max(value for name, value in figures.items() if name.endswith("_p95_ms"))
    listed = statistics.median(lists)
    return {"messages": count, **figures, "worst_p95_ms": worst, "baseline_list_page_p50_ms": round(listed, 1),
            "ratio": round(worst / listed, 1), "indexed_messages_per_second": round(count / seconds),
            "must": {"worst_p95_ms": 100}, "reached": worst <= 100}


def _address(typed: str, narrowed: str = "") -> str:
    return f"/w/acme/inbox/list?v=all&q={quote(typed)}&{narrowed}"


def _days(filters: str, count: int) -> list[str]:
    """The filters with days of the past year."""
    luck, today = random.Random(filters), datetime.now(UTC).date()
    days = [today - timedelta(days=luck.randrange(1, 360)) for _ in range(count)]
    return [filters.format(day=day, month=today - timedelta(days=30)) for day in days]


def _texts(speech: Speech, kind: str, count: int) -> list[str]:
    """What is typed. The words of a speech stand in their order, the most common first."""
    luck, words = random.Random(kind), speech.words

    def one() -> str:
        common, rare = luck.choice(words[:20]), luck.choice(words[10_000:])
        return {"rare_word": rare, "common_word": common, "two_common_words": f"{common} {luck.choice(words[:200])}",
                "common_and_rare_word": f"{common} {rare}", "two_rare_words": f"{rare} {luck.choice(words[10_000:])}",
                "two_letters": luck.choice(words)[:2], "three_letters": luck.choice(words)[:3],
                "phrase": f'"{common} {luck.choice(words[:50])}"', "no_word": "",
                "nothing": f"zzyx{luck.randrange(10_000)}", "person": f"customer {luck.randrange(10_000)}"}[kind]

    return [one() for _ in range(count)]
