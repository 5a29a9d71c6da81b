"""What is kept for how long: every few seconds for two days, every hour for a week, every day for five weeks.

Merging keeps the last version of each page, so an hour or a day is as large as what changed in it. What is thinned out
is only what a longer piece, which was read again after it was written, stands for; and no base goes that the oldest
kept moment needs. A longer piece never reaches over a base, so that every base can be gone on from.
"""

from __future__ import annotations

from array import array
from itertools import pairwise

from chime.backups.chain import opened
from chime.backups.pieces import Header, Name, Piece, PieceWriter, Proofs
from chime.backups.shelf import Place
from chime.clock import DAY, HOUR
from chime.db.following import PAGE

FINE_KEPT = 2 * DAY
HOURS_KEPT = 7 * DAY
KEPT = 35 * DAY
WEEK = 7 * DAY
_LEVELS = (("segment", "hour", HOUR), ("hour", "day", DAY))


def merge(place: Place, proofs: Proofs, now: int) -> int:
    """Make the hours and days that are over; how many pieces. Raises BackupRefused."""
    made = 0
    for epoch in place.epochs():
        for finer, longer, length in _LEVELS:
            for group in _groups(place.names(epoch), finer, longer, length, now):
                made += _merged(place, epoch, proofs, group, longer)
    return made


def _groups(names: list[Name], finer: str, longer: str, length: int, now: int) -> list[list[Name]]:
    """Neighbours of one stretch of time that is over and has no longer piece yet; none reaches over a base."""
    done = max([name.number_to for name in names if name.kind == longer], default=0)
    bases = {name.number_to for name in names if name.kind == "base"}
    groups: list[list[Name]] = []
    for name in names:
        if name.kind != finer or name.number_from <= done:
            continue
        if name.time_to // length >= now // length:
            break
        last = groups[-1][-1] if groups else None
        if last is None or last.number_to in bases or last.time_to // length != name.time_to // length:
            groups.append([])
        groups[-1].append(name)
    return groups


def _merged(place: Place, epoch: str, proofs: Proofs, names: list[Name], kind: str) -> int:
    """One piece and a few of its pages are in hand at a time, however many there are: which piece has the last version
    of each page is known from their indexes before."""
    first = place.piece(names[0], epoch, proofs).header
    last = place.piece(names[-1], epoch, proofs).header
    newest = array("I", bytes(array("I").itemsize * (last.size + 1)))  # counted from one
    for at, piece in enumerate(opened(place, epoch, names, proofs), 1):
        for number in piece.numbers:
            if number <= last.size:
                newest[number] = at
    header = Header(owner=first.owner, file=first.file, epoch=epoch, kind=kind, number_from=first.number_from,
                    number_to=last.number_to, time_from=first.time_from, time_to=last.time_to, before=first.before,
                    link=last.link, size=last.size, pages=len(newest) - newest.count(0), key_version=proofs.current)
    writer = PieceWriter(place.folder / epoch, header, proofs.key(proofs.current, header.name))
    try:
        for at, piece in enumerate(opened(place, epoch, names, proofs), 1):
            for numbers, read in piece.pages():
                places = [index for index, number in enumerate(numbers)
                          if number <= last.size and newest[number] == at]
                writer.add([numbers[index] for index in places],
                           b"".join([read[index * PAGE:(index + 1) * PAGE] for index in places]))
        path = writer.finish()
    except BaseException:
        writer.give_up()
        raise
    Piece(path, proofs).check()
    return 1


def thin(place: Place, now: int, *, tight: bool = False) -> int:
    """Remove what is not kept any more; how many pieces. `tight`: there is little room, so the fine ones go as soon as
    an hour stands for them."""
    gone, epochs = 0, place.epochs()
    for epoch in epochs:
        names = place.names(epoch)
        is_newest = epoch == epochs[-1]
        if not is_newest and _is_over(epochs, epoch, now):
            gone += len(names)
            for path in (place.folder / epoch).iterdir():
                path.unlink()
            (place.folder / epoch).rmdir()
            continue
        for name in _not_kept(names, now, tight=tight):
            name.path.unlink(missing_ok=True)
            gone += 1
    return gone


def _is_over(epochs: list[str], epoch: str, now: int) -> bool:
    """Whether the one after it began before the oldest kept moment."""
    following = dict(pairwise(epochs))[epoch]
    return int(following.partition("-")[0]) < now - KEPT


def _not_kept(names: list[Name], now: int, *, tight: bool) -> list[Name]:
    bases = [name for name in names if name.kind == "base"]
    kept = _kept_bases(bases, now)
    if not kept:
        return []
    oldest = min(base.number_to for base in kept)
    out = [base for base in bases if base not in kept]
    upto = {"segment": max(oldest, _stood_for(names, "hour", now - (HOUR if tight else FINE_KEPT))),
            "hour": max(oldest, _stood_for(names, "day", now - HOURS_KEPT)), "day": oldest}
    return out + [name for name in names if name.kind in upto and name.number_to <= upto[name.kind]]


def _stood_for(names: list[Name], kind: str, before: int) -> int:
    """The number up to which pieces of this kind stand for the finer ones: by those that ended `before` then. Finer
    ones go together, for a moment in the middle cannot be had from half of them."""
    return max([name.number_to for name in names if name.kind == kind and name.time_to < before], default=0)


def _kept_bases(bases: list[Name], now: int) -> list[Name]:
    """Those of a week, then the first of each week; always the newest, and the one the oldest kept moment needs."""
    old = [base for base in bases if base.time_to < now - KEPT]
    kept, weeks = old[-1:], set()
    for base in bases:
        if base.time_to < now - KEPT:
            continue
        week = base.time_to // WEEK
        if base.time_to >= now - WEEK or week not in weeks or base == bases[-1]:
            kept.append(base)
        weeks.add(week)
    return kept
