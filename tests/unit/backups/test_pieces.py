"""A piece counts only when every bit of it is as it was written, and where it belongs."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from chime.backups.chain import chosen, opened
from chime.backups.laying import lay_file
from chime.backups.levels import FINE_KEPT, HOURS_KEPT, KEPT, merge, thin
from chime.backups.pieces import BackupRefused, Header, Name, Piece, Proofs, write_piece
from chime.backups.shelf import Place, Shelf, made
from chime.clock import DAY, HOUR, MINUTE
from chime.db.following import PAGE

KEY = b"k" * 32
PROOFS = Proofs({1: KEY}, 1)
EPOCH = "0000000000001-abcdef"
START = 20_000 * DAY


def _page(content: int) -> bytes:
    return content.to_bytes(8, "big") * (PAGE // 8)


def _write(place: Place, number: int, at: int, pages: dict[int, bytes], *, kind: str = "segment", size: int = 4,
           owner: str = "", key: bytes = KEY) -> Path:
    header = Header(owner=owner or place.owner, file=place.file, epoch=EPOCH, kind=kind, number_from=number,
                    number_to=number, time_from=at, time_to=at, before=f"link {number - 1}" if number else "",
                    link=f"link {number}", size=size, pages=len(pages), key_version=1)
    return write_piece(made(place.folder / EPOCH), header, key, pages)


def _shelf(folder: Path) -> Place:
    """A base and three segments; page 1 tells which state it is."""
    place = Shelf(folder).place("acme", "workspace.db")
    _write(place, 0, START, {number: _page(0) for number in range(1, 5)}, kind="base")
    for number in range(1, 4):
        _write(place, number, START + number * 5_000, {1: _page(number), 1 + number % 4: _page(number)})
    return place


def _state(place: Place, target: Path, at: int | None = None) -> int:
    target.unlink(missing_ok=True)
    lay_file(place, PROOFS, at, target)
    return int.from_bytes(target.read_bytes()[:8], "big")


def test_every_bit_counts(tmp_path: Path) -> None:
    place = _shelf(tmp_path)
    names = place.names(EPOCH)
    assert _state(place, tmp_path / "out") == 3
    for name in names:
        whole = name.path.read_bytes()
        # Every byte of what is not a page, and some of each page: flipped, the state is refused, not laid differently.
        places = [*range(700), *range(700, len(whole) - 40, 257), *range(len(whole) - 40, len(whole))]
        for at in places:
            name.path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:])
            with pytest.raises(BackupRefused):
                lay_file(place, PROOFS, None, tmp_path / "out")
            (tmp_path / "out").unlink(missing_ok=True)
        name.path.write_bytes(whole)
    assert _state(place, tmp_path / "out") == 3


def _cut(place: Place) -> None:
    path = place.names(EPOCH)[2].path
    path.write_bytes(path.read_bytes()[:-PAGE])


def _grown(place: Place) -> None:
    path = place.names(EPOCH)[2].path
    path.write_bytes(path.read_bytes() + b"x")


def _swapped(place: Place) -> None:
    first, second = (place.names(EPOCH)[number].path for number in (1, 2))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def _missing(place: Place) -> None:
    place.names(EPOCH)[2].path.unlink()


def _of_another_workspace(place: Place) -> None:
    path = place.names(EPOCH)[2].path
    path.unlink()
    _write(place, 2, START + 10_000, {1: _page(9)}, owner="globex")


def _under_another_key(place: Place) -> None:
    place.names(EPOCH)[2].path.unlink()
    _write(place, 2, START + 10_000, {1: _page(9)}, key=b"o" * 32)


def _of_another_chain(place: Place) -> None:
    """As if the shelf had been put back to an older time and gone on from there."""
    other = Shelf(place.shelf.folder / "other").place(place.owner, place.file)
    header = Header(owner=place.owner, file=place.file, epoch=EPOCH, kind="segment", number_from=2, number_to=2,
                    time_from=START, time_to=START + 10_000, before="another link", link="link 2", size=4, pages=1,
                    key_version=1)
    path = write_piece(made(other.folder / EPOCH), header, KEY, {1: _page(9)})
    shutil.copy(path, place.folder / EPOCH / path.name)


def _renamed(place: Place) -> None:
    path = place.names(EPOCH)[3].path
    path.rename(path.with_name(f"segment-{3:010d}-{3:010d}-{START}"))


@pytest.mark.parametrize("harm", [_cut, _grown, _swapped, _missing, _of_another_workspace, _under_another_key,
                                  _of_another_chain, _renamed])
def test_what_does_not_belong_is_refused_with_its_reason(tmp_path: Path, harm: Callable[[Place], None]) -> None:
    place = _shelf(tmp_path)
    harm(place)
    with pytest.raises(BackupRefused, match=r"\w{4}"):
        lay_file(place, PROOFS, None, tmp_path / "out")


def test_half_a_piece_does_not_count(tmp_path: Path) -> None:
    place = _shelf(tmp_path)
    path = place.names(EPOCH)[3].path
    path.rename(path.with_name(f"{path.name}.partial"))
    assert _state(place, tmp_path / "out") == 2
    place.clear_up()
    assert not list((place.folder / EPOCH).glob("*.partial"))


def test_hours_and_days_keep_the_last_of_each_page(tmp_path: Path) -> None:
    place = Shelf(tmp_path).place("acme", "workspace.db")
    _write(place, 0, START, {number: _page(0) for number in range(1, 5)}, kind="base")
    for number, minute in enumerate(range(10, 3 * 24 * 60, 20), 1):
        _write(place, number, START + minute * MINUTE, {1: _page(number), 2 + number % 3: _page(number)})
    now = START + 3 * DAY + 1
    expected = {at: _state(place, tmp_path / "out", at)
                for at in (name.time_to for name in place.names(EPOCH)[::17])}
    assert merge(place, PROOFS, now) == 72 + 3
    assert merge(place, PROOFS, now) == 0, "once"
    assert {at: _state(place, tmp_path / "out", at) for at in expected} == expected
    days = [name for name in place.names(EPOCH) if name.kind == "day"]
    assert [Piece(day.path, PROOFS).header.pages for day in days] == [4, 4, 4], "each page once"
    names = chosen(place.names(EPOCH), None)
    assert [name.kind for name in names] == ["base", "day", "day", "day"]
    assert len(list(opened(place, EPOCH, names, PROOFS))) == 4


def test_merging_holds_a_few_pages_however_many_changed(tmp_path: Path) -> None:
    place = Shelf(tmp_path).place("acme", "workspace.db")
    _write(place, 0, START, {number: _page(0) for number in range(1, 5)}, kind="base")
    for number in range(1, 31):
        pages = {page: _page(number) for page in range(number * 256, number * 256 + 512)}  # half of them once more
        _write(place, number, START + number * MINUTE, pages, size=10_000)
    tracemalloc.start()
    try:
        assert merge(place, PROOFS, START + 3 * HOUR) == 1
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (hour,) = [Piece(name.path, PROOFS) for name in place.names(EPOCH) if name.kind == "hour"]
    assert sorted(hour.numbers) == list(range(256, 256 * 32))
    assert most < hour.bytes / 4


def _ages(place: Place, kind: str, now: int) -> list[int]:
    return sorted((now - name.time_to) // DAY for name in place.names(EPOCH) if name.kind == kind)


def test_thinning_leaves_every_kept_moment(tmp_path: Path) -> None:
    """Fifty days of an hourly change, with a base a day, looked after every six hours."""
    place = Shelf(tmp_path).place("acme", "workspace.db")
    _write(place, 0, START, {number: _page(0) for number in range(1, 5)}, kind="base")
    now = START
    for hour in range(1, 50 * 24):
        now = START + hour * HOUR + 30 * MINUTE
        _write(place, hour, now, {1: _page(hour), 2: _page(hour)})
        if hour % 24 == 0:
            header = Header(owner="acme", file="workspace.db", epoch=EPOCH, kind="base", number_from=hour,
                            number_to=hour, time_from=now, time_to=now + 1, before="", link=f"link {hour}", size=4,
                            pages=4, key_version=1)
            write_piece(place.folder / EPOCH, header, KEY, {1: _page(hour), **{n: _page(hour) for n in (2, 3, 4)}})
        if hour % 6 == 0:
            merge(place, PROOFS, now)
            thin(place, now)
    for back in range(0, FINE_KEPT, HOUR):
        assert _state(place, tmp_path / "out", now - back) == (now - back - START - 30 * MINUTE) // HOUR
    for day in range(3, KEPT // DAY):
        found = _state(place, tmp_path / "out", now - day * DAY)
        wanted = (now - day * DAY - START - 30 * MINUTE) // HOUR
        assert wanted - 24 <= found <= wanted, "no more than a day older"
    assert max(_ages(place, "segment", now)) <= FINE_KEPT // DAY
    assert max(_ages(place, "hour", now)) <= HOURS_KEPT // DAY + 1
    assert len(_ages(place, "base", now)) <= 7 + 1 + 6
    assert max(_ages(place, "day", now)) <= (KEPT + 8 * DAY) // DAY


def test_every_moment_of_the_last_weeks_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written every twenty minutes, thinned out every hour: what goes together is gone together, whatever is asked."""
    monkeypatch.setattr("chime.backups.pieces.os.fsync", lambda descriptor: None)
    place = Shelf(tmp_path).place("acme", "workspace.db")
    _write(place, 0, START, {number: _page(0) for number in range(1, 5)}, kind="base")
    now = START
    for number in range(1, 9 * 24 * 3):
        now = START + number * 20 * MINUTE
        _write(place, number, now, {1: _page(number)})
        if number % 3 == 0:
            merge(place, PROOFS, now)
            thin(place, now)
            names = place.names(EPOCH)
            for at in range(now - 8 * DAY, now, 7 * HOUR + 5 * MINUTE):
                found = chosen(names, at)
                longest = 20 * MINUTE if at > now - FINE_KEPT else HOUR if at > now - HOURS_KEPT else DAY
                assert not found or at - found[-1].time_to <= longest + HOUR, (at, found[-1])
    assert {name.kind for name in names} == {"base", "segment", "hour", "day"}


def test_what_an_earlier_release_thinned_by_halves_stops_at_the_gap(tmp_path: Path) -> None:
    place = Shelf(tmp_path).place("acme", "workspace.db")
    _write(place, 0, START, {number: _page(0) for number in range(1, 5)}, kind="base")
    for number in range(1, 13):
        _write(place, number, START + number * 10 * MINUTE, {1: _page(number)})
    assert merge(place, PROOFS, START + 2 * HOUR + 30 * MINUTE) == 2
    pieces = {(name.kind, name.number_from): name for name in place.names(EPOCH)}
    second_hour = pieces["hour", 6]
    for number in (6, 7, 8):
        pieces["segment", number].path.unlink()
    assert _state(place, tmp_path / "out", START + 100 * MINUTE) == 5
    assert _state(place, tmp_path / "out", second_hour.time_to) == second_hour.number_to
    pieces["segment", 3].path.unlink()
    with pytest.raises(BackupRefused, match="missing"):
        chosen(place.names(EPOCH), START + 45 * MINUTE)


def test_the_only_base_stays_for_ever(tmp_path: Path) -> None:
    place = _shelf(tmp_path)
    assert thin(place, START + 400 * DAY) == 0
    assert _state(place, tmp_path / "out") == 3


def test_an_older_epoch_goes_when_no_kept_moment_is_in_it(tmp_path: Path) -> None:
    place = _shelf(tmp_path)
    newer = place.folder / f"{START + DAY:013d}-abcdef"
    shutil.copytree(place.folder / EPOCH, newer)
    assert thin(place, START + 20 * DAY) == 0
    assert thin(place, START + DAY + KEPT + 1) == 4
    assert place.epochs() == [newer.name]


def test_names_that_are_none_are_passed_over(tmp_path: Path) -> None:
    assert Name.of("there", "state.json") is None
    assert Name.of("there", "segment-1-2-x") is None
    assert Name.of("there", "segment-1-2-5") is None, "not as we write them"
    assert Name.of("there", "segment-0000000001-0000000002-5") is not None
