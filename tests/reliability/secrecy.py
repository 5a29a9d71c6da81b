"""I12: no secret, no word of a message, no name and no number of a customer in a log or plainly in a file.

Everything that is stored is encrypted and what is not, the queue, holds ids alone. Left out is only the index of a
write-ahead log: it holds numbers of frames and pages, and where one page is written again and again these count up by
one as the bytes of the tests' master key do. Asked of the folder of a scenario when it is over, whatever it was about.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from tests.reliability.outbox import OUR_WORDS, THEIR_NAMES, person
from tests.reliability.traffic import NAMES, WORDS, customer
from tests.support.canary_search import NUMBER, SECRET, Canary, standing_in_text
from tests.support.canary_search import WORDS as SAID
from tests.support.world import ACCESS_TOKEN, APP_SECRET, MASTER_KEY, PASSWORD, VERIFY_TOKEN

# Of each kind of people so many are looked for; all of them write or are written to, and every look costs time.
PEOPLE = 3
API_KEY = re.compile(rb"chime_[0-9a-z]{8}_[0-9A-Za-z_-]{30,}")
# Files are read in pieces that overlap by more than the longest form of anything.
PIECE, OVERLAP = 1 << 24, 4_096


@functools.cache
def canaries() -> tuple[Canary, ...]:
    secrets = {"the access token": ACCESS_TOKEN, "the app's secret": APP_SECRET, "the verify token": VERIFY_TOKEN,
               "Alice's password": PASSWORD, "the master key as configured": base64.b64encode(MASTER_KEY).decode()}
    words = {"a customer's words": WORDS, "our words": OUR_WORDS, "a customer's name": NAMES, "a name": THEIR_NAMES}
    phones = [customer(index).phone or "" for index in range(PEOPLE)] + [person(index) for index in range(PEOPLE)]
    return (*(Canary(what, plain.encode(), SECRET) for what, plain in secrets.items()),
            Canary("the master key", MASTER_KEY, SECRET),
            *(Canary(what, plain.encode(), SAID) for what, plain in words.items()),
            *(Canary("a customer's number", phone.encode(), NUMBER) for phone in phones))


@functools.cache
def _forms() -> tuple[tuple[str, bytes], ...]:
    """For the files, of which there are many megabytes: a search for each is quicker here than one for all."""
    return tuple((canary.what, form) for canary in canaries() for form in canary.forms())


def told_in(folder: Path) -> list[str]:
    """What stands in the logs and in the files of every installation below a folder."""
    faults = []
    for log in sorted(folder.rglob("serve.log")):
        faults += _told(log, folder, is_text=True)
    for control in sorted(folder.rglob("control.db")):
        for path in sorted(control.parent.rglob("*")):
            faults += [f"{what} is the name of {path.relative_to(folder)}"
                       for what in _standing(path.name.encode(), is_text=True)]
            if path.is_file() and not path.name.endswith("-shm"):
                faults += _told(path, folder, is_text=False)
    return sorted(set(faults))


def _told(path: Path, folder: Path, *, is_text: bool) -> list[str]:
    return [f"{what} can be read in {path.relative_to(folder)}"
            for piece in _pieces(path) for what in _standing(piece, is_text=is_text)]


def _standing(content: bytes, *, is_text: bool) -> set[str]:
    found = ({canary.what for canary in standing_in_text(content, canaries())} if is_text
             else {what for what, form in _forms() if form in content})
    return found | ({"an API key"} if API_KEY.search(content) else set())


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        before = b""
        while fresh := file.read(PIECE):
            piece = before + fresh
            if piece.count(0) < len(piece):  # the space that is kept for a full disk is nothing but zeros
                yield piece
            before = piece[-OVERLAP:]
