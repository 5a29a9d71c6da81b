"""How many pages a PDF has: read from its page tree, without following anything else in it.

The catalogue names the tree's root, and the root says how many pages hang on it; either may stand in a compressed
"object stream". Promise: whatever the bytes are, this ends soon and takes little memory, for it looks at a bounded
number of places and unpacks a bounded number of bytes; what is encrypted, broken or too much has no count.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

MOST_PAGES = 100_000
_MOST_PLACES = 4_000
_MOST_LOOKED_AT = 64 * 1024 * 1024  # bytes around those places
_MOST_UNPACKED = 32 * 1024 * 1024
_REACH = 256 * 1024  # how far from its type an object begins and ends
_STEP = 1024 * 1024  # looked through at a time, so that other threads get their turn
_SPACE = rb"[\x00\t\n\f\r ]"

_PLACE = re.compile(rb"/(?:Catalog|Pages|ObjStm|Encrypt)(?![A-Za-z0-9])")
_LONGEST_PLACE = 8
_NUMBER = re.compile(rb"([0-9]{1,10})" + _SPACE + rb"{1,4}[0-9]{1,5}" + _SPACE + rb"{0,4}$")
_IS = {kind: re.compile(rb"/Type" + _SPACE + rb"{0,8}/" + kind + rb"(?![A-Za-z0-9])")
       for kind in (b"Catalog", b"Pages", b"ObjStm")}
_ROOT = re.compile(rb"/Pages" + _SPACE + rb"{1,8}([0-9]{1,10})" + _SPACE + rb"{1,8}[0-9]{1,5}" + _SPACE + rb"{1,8}R")
_COUNT = re.compile(rb"/Count" + _SPACE + rb"{0,8}([0-9]{1,7})(?![0-9]|" + _SPACE + rb"{1,4}[0-9]{1,5}" + _SPACE
                    + rb"{1,4}R)")
_HELD = re.compile(rb"/N" + _SPACE + rb"{1,8}([0-9]{1,6})(?![0-9])")
_FIRST = re.compile(rb"/First" + _SPACE + rb"{1,8}([0-9]{1,9})(?![0-9])")
_IS_DEFLATED = re.compile(rb"/Filter" + _SPACE + rb"{0,8}(?:\[" + _SPACE + rb"{0,8})?/FlateDecode(?![A-Za-z0-9])")
_IS_FURTHER_CODED = re.compile(rb"/DecodeParms|/(?:ASCIIHex|ASCII85|LZW|RunLength)Decode|/Crypt")
_BODY = re.compile(rb"stream(?:\r\n|\n|\r)")


class _TooMuch(Exception):
    """It is made to keep somebody busy, or too large to be told."""


def page_count(content: bytes) -> int | None:
    """The number of pages, None when it cannot be told."""
    if b"%PDF-" not in content[:1024]:
        return None
    try:
        return _Tree().read(content)
    except _TooMuch:
        return None


class _Tree:
    """What was found so far. An object that is defined again counts as it was defined last."""

    def __init__(self) -> None:
        self.root: int | None = None
        self.counts: dict[int, int | None] = {}
        self.looked_at = 0
        self.unpacked = 0

    def read(self, content: bytes) -> int | None:
        for number, place in enumerate(_places(content)):
            if number >= _MOST_PLACES:
                raise _TooMuch
            if not self._look(content, place):
                return None
        found = self.counts.get(self.root) if self.root is not None else None
        return found if found is not None and 0 < found <= MOST_PAGES else None

    def _look(self, content: bytes, place: int) -> bool:
        """False when it is encrypted."""
        if content.startswith(b"/Encrypt", place):
            return False
        start = content.rfind(b"obj", max(0, place - _REACH), place)
        if start < 0:
            return True
        end = content.find(b"endobj", place, place + _REACH)
        text = content[start:end if end >= 0 else place + _REACH]
        self.looked_at += len(text)
        if self.looked_at > _MOST_LOOKED_AT:
            raise _TooMuch
        if content.startswith(b"/ObjStm", place):
            self._unpack(text.partition(b"stream")[0], content, content.find(b"stream", place, place + _REACH))
        elif (named := _NUMBER.search(content, max(0, start - 24), start)) is not None:
            self._learn(int(named[1]), text)
        return True

    def _learn(self, number: int, text: bytes) -> None:
        """An object, which may be the catalogue or a node of the tree."""
        if _IS[b"Catalog"].search(text) and (root := _ROOT.search(text)) is not None:
            self.root = int(root[1])
        elif _IS[b"Pages"].search(text):
            count = _COUNT.search(text)
            self.counts[number] = int(count[1]) if count is not None else None

    def _unpack(self, head: bytes, content: bytes, at: int) -> None:
        """The objects of a stream: first their numbers and places, then they themselves."""
        held, first, begin = _HELD.search(head), _FIRST.search(head), _BODY.match(content, at) if at >= 0 else None
        if (held is None or first is None or begin is None or not _IS[b"ObjStm"].search(head)
                or not _IS_DEFLATED.search(head) or _IS_FURTHER_CODED.search(head)):
            return
        packed = content[begin.end():max(begin.end(), content.find(b"endstream", begin.end()))]
        self.looked_at += len(packed)
        try:
            text = zlib.decompressobj().decompress(packed, _MOST_UNPACKED - self.unpacked + 1)
        except zlib.error:
            return
        self.unpacked += len(text)
        if self.unpacked > _MOST_UNPACKED or self.looked_at > _MOST_LOOKED_AT:
            raise _TooMuch
        if b"/Pages" not in text:
            return
        named = text[:int(first[1])].split()[:2 * int(held[1])]
        if not all(word.isdigit() and len(word) < 11 for word in named):
            return
        places = [int(first[1]) + int(word) for word in named[1::2]]
        for number, start, end in zip(named[::2], places, [*places[1:], len(text)], strict=False):
            self._learn(int(number), text[start:end])


def _places(content: bytes) -> Iterator[int]:
    """Where something of the tree may stand, in order."""
    for begin in range(0, len(content), _STEP):
        for found in _PLACE.finditer(content, begin, min(begin + _STEP + _LONGEST_PLACE, len(content))):
            if found.start() < begin + _STEP:
                yield found.start()
