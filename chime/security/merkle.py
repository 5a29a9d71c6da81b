"""The Merkle tree over the audit rows (RFC 6962): a root that a signature can stand for, and short proofs against it.

A row that is added costs the tree nothing: roots are worked out when a checkpoint is signed. Every 1,024 leaves make a
tile whose root is kept, so that a checkpoint or a proof reads a tile or two and not the whole trail. A whole prefix of
tiles may lose its rows and keeps its roots: whatever is proved of the rest stays provable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

TILE = 1024
_TILE_LEVEL = 10
EMPTY = hashlib.sha256(b"").digest()
RangeRoot = Callable[[int, int], bytes]
"""The root over the leaves from the first (counted from 0) up to, and without, the second."""


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Peaks:
    """The perfect subtrees a tree is made of, the largest first: all that is needed to add to it and to know its root.
    """

    def __init__(self, peaks: Iterable[tuple[int, bytes]] = ()) -> None:
        self.peaks = list(peaks)

    @property
    def size(self) -> int:
        return sum(1 << level for level, _ in self.peaks)

    def push(self, subtree: bytes, level: int = 0) -> None:
        """Add a leaf, or a perfect subtree of 2^level leaves where the size so far is a multiple of that."""
        while self.peaks and self.peaks[-1][0] == level:
            subtree = node_hash(self.peaks.pop()[1], subtree)
            level += 1
        self.peaks.append((level, subtree))

    def root(self) -> bytes:
        return _folded([subtree for _, subtree in self.peaks])


def _folded(subtrees: Sequence[bytes]) -> bytes:
    if not subtrees:
        return EMPTY
    root = subtrees[-1]
    for subtree in reversed(subtrees[:-1]):
        root = node_hash(subtree, root)
    return root


class GrowingTree:
    """A tree that leaves are added to; `new_tiles` are those that became full since it was begun from `tiles`."""

    def __init__(self, tiles: Iterable[bytes] = ()) -> None:
        self._tiles = Peaks()
        self._count = 0
        self._last = Peaks()
        self._in_last = 0
        self.new_tiles: list[tuple[int, bytes]] = []
        for tile in tiles:
            self._tiles.push(tile, _TILE_LEVEL)
            self._count += 1

    @property
    def size(self) -> int:
        return self._count * TILE + self._in_last

    def add(self, leaf: bytes) -> None:
        self._last.push(leaf)
        self._in_last += 1
        if self._in_last == TILE:
            tile = self._last.root()
            self.new_tiles.append((self._count, tile))
            self._tiles.push(tile, _TILE_LEVEL)
            self._count, self._last, self._in_last = self._count + 1, Peaks(), 0

    def root(self) -> bytes:
        return _folded([subtree for _, subtree in (*self._tiles.peaks, *self._last.peaks)])

    def peaks(self) -> list[tuple[int, bytes]]:
        """What somebody needs to go on from here without the leaves so far."""
        return [*self._tiles.peaks, *self._last.peaks]


def tile_root(leaves: Iterable[bytes]) -> bytes:
    """The root of one full tile."""
    peaks = Peaks()
    for leaf in leaves:
        peaks.push(leaf)
    return peaks.root()


class Ranges:
    """Roots of ranges, from the roots of the tiles and the leaves of those few tiles a proof looks into."""

    def __init__(self, tiles: Sequence[bytes]) -> None:
        self._tiles = tiles
        self._leaves: dict[int, Sequence[bytes]] = {}
        self._known: dict[tuple[int, int], bytes] = {}

    def knows(self, tile: int) -> bool:
        """Whether the leaves of this tile are here."""
        return tile in self._leaves

    def put(self, tile: int, leaves: Sequence[bytes]) -> None:
        self._leaves[tile] = leaves

    def forget(self, tile: int) -> None:
        """Its leaves are needed no more."""
        self._leaves.pop(tile, None)
        self._known = {span: root for span, root in self._known.items() if span[1] - span[0] >= TILE}

    def root(self, start: int, end: int) -> bytes:
        if end - start == 1:
            return self._leaves[start // TILE][start % TILE]
        if end - start == TILE and start % TILE == 0 and start // TILE < len(self._tiles):
            return self._tiles[start // TILE]
        found = self._known.get((start, end))
        if found is None:
            middle = start + _split(end - start)
            found = self._known[start, end] = node_hash(self.root(start, middle), self.root(middle, end))
        return found


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, root_of: RangeRoot) -> list[bytes]:
    """That leaf `index` (from 0) is in the tree of `size` leaves: the roots beside its way up."""
    start, end = 0, size
    beside: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            beside.append(root_of(middle, end))
            end = middle
        else:
            beside.append(root_of(start, middle))
            start = middle
    return beside[::-1]


def root_by_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its proof lead to; None when the proof has the wrong length."""
    at, last, root = index, size - 1, leaf
    if not 0 <= index < size:
        return None
    for beside in proof:
        if last == 0:
            return None
        if at % 2 or at == last:
            root = node_hash(beside, root)
            while not at % 2 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, beside)
        at, last = at >> 1, last >> 1
    return root if last == 0 else None


def consistency_proof(old: int, size: int, root_of: RangeRoot) -> list[bytes]:
    """That the tree of `old` leaves is the beginning of that of `size`."""
    if not 0 < old < size:
        return []
    start, end, whole = 0, size, True
    beside: list[bytes] = []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            beside.append(root_of(middle, end))
            end = middle
        else:
            beside.append(root_of(start, middle))
            start, whole = middle, False
    return ([] if whole else [root_of(start, end)]) + beside[::-1]


def is_consistent(old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof leads from the old root to the new one (RFC 9162 2.1.4.2)."""
    if old == size:
        return not proof and old_root == root
    if not 0 < old < size or not proof:
        return False
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    at, last = old - 1, size - 1
    while at % 2:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for beside in path[1:]:
        if last == 0:
            return False
        if at % 2 or at == last:
            first, second = node_hash(beside, first), node_hash(beside, second)
            while not at % 2 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == root
