"""Which pieces together make a file as it was at a moment."""

from __future__ import annotations

from collections.abc import Iterator

from chime.backups.pieces import BackupRefused, Header, Name, Piece, Proofs
from chime.backups.shelf import Place


def chosen(names: list[Name], at: int | None) -> list[Name]:
    """A base and the segments after it, up to the newest state not after `at`: the longest pieces that fit. Where the
    finer ones were thinned out, that is the state before the longer piece that stands for them. Empty when there is no
    base of that time. Raises BackupRefused when one is missing."""
    until = max([name.time_to for name in names], default=0) if at is None else at
    in_time = [name for name in names if name.time_to <= until]
    bases = [name for name in in_time if name.kind == "base"]
    if not bases:
        return []
    base = max(bases)
    found, number = [base], base.number_to
    segments = [name for name in in_time if name.kind != "base"]
    last = max([name.number_to for name in segments], default=0)
    by_start: dict[int, Name] = {}
    for name in sorted(segments):
        by_start[name.number_from] = name
    while number < last:
        following = by_start.get(number + 1)
        if following is None:
            if any(name.number_from == number + 1 and name.kind != "base" for name in names if name.time_to > until):
                break
            raise BackupRefused(f"a piece after number {number} is missing")
        found.append(following)
        number = following.number_to
    return found


def opened(place: Place, epoch: str, names: list[Name], proofs: Proofs) -> Iterator[Piece]:
    """The pieces, one after the other, each proven to follow the one before. Raises BackupRefused."""
    before: Header | None = None
    for name in names:
        piece = place.piece(name, epoch, proofs)
        if before and (piece.header.before, piece.header.number_from) != (before.link, before.number_to + 1):
            raise BackupRefused(f"{name.filename} does not follow the one before it")
        before = piece.header
        yield piece


def tags(place: Place, epoch: str, proofs: Proofs) -> dict[int, bytes]:
    """The last bytes of each page as the newest state of an epoch has it. Raises BackupRefused."""
    names = chosen(place.names(epoch), None)
    if not names:
        raise BackupRefused("there is no base yet")
    found: dict[int, bytes] = {}
    for piece in opened(place, epoch, names, proofs):
        found.update(piece.index)
    return found
