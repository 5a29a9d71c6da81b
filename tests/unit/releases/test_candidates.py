"""Which files may become a release: only those that a trusted key signed, whole, and made for this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from chime.errors import StartRefused
from chime.releases.candidate import examined, trusted_keys
from chime.releases.release import read_release
from chime.releases.shelf import Shelf
from chime.security.release_signature import ReleaseKey, read_key
from tests.unit.releases.release_files import Signer, about, archive, package


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "root").mkdir()
    return Shelf(tmp_path / "root")


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def file(tmp_path: Path, signer: Signer) -> Path:
    made = archive(tmp_path / "chime.pyz", "1.2.0")
    signer.sign(made)
    return made


def _refused(file: Path, shelf: Shelf, keys: dict[str, ReleaseKey], *, from_package: bool = False) -> str:
    with pytest.raises(StartRefused) as told, examined(file, shelf, keys, from_package=from_package):
        raise AssertionError("it was taken")
    assert not list(shelf.root.glob(".incoming*")), "the copy is removed"
    assert "\n" not in str(told.value)
    return str(told.value)


def test_a_signed_file_is_taken_as_a_copy_of_our_own(file: Path, shelf: Shelf, signer: Signer) -> None:
    with examined(file, shelf, signer.keys, from_package=False) as candidate:
        assert (candidate.release.name, candidate.signed_by) == ("1.2.0-b1", signer.id)
        file.write_bytes(b"exchanged meanwhile")
        assert candidate.archive.read_bytes() != b"exchanged meanwhile"
        assert candidate.archive.stat().st_mode & 0o777 == 0o600
    assert not list(shelf.root.glob(".incoming*"))


def test_an_unsigned_file_is_refused_unless_the_package_manager_brought_it(
        file: Path, shelf: Shelf, signer: Signer) -> None:
    file.with_name("chime.pyz.sig").unlink()
    assert "not signed" in _refused(file, shelf, signer.keys)
    with examined(file, shelf, signer.keys, from_package=True) as candidate:
        assert candidate.signed_by == "the package manager"


def test_a_wrong_signature_is_refused_whoever_brought_the_file(file: Path, shelf: Shelf, signer: Signer) -> None:
    signature = file.with_name("chime.pyz.sig")
    lines = signature.read_text("ascii").splitlines()
    lines[3] = "signature: " + "A" * 86 + "=="
    signature.write_text("\n".join(lines), "ascii")
    for from_package in (False, True):
        assert "signature is not good" in _refused(file, shelf, signer.keys, from_package=from_package)


def test_another_key_under_the_id_of_a_trusted_one_is_refused(file: Path, shelf: Shelf, signer: Signer) -> None:
    stranger = Signer()
    stranger.id = signer.id
    stranger.sign(file)
    assert "signature is not good" in _refused(file, shelf, signer.keys)


def test_a_key_that_nobody_trusts_is_named_as_such(file: Path, shelf: Shelf) -> None:
    assert "does not trust" in _refused(file, shelf, Signer().keys)
    assert "does not trust" in _refused(file, shelf, {})


@pytest.mark.parametrize("text", ["", "chime-signature: 2\n", "nonsense", "chime-signature: 1\nkey: x\n", "\udcff"])
def test_whatever_stands_in_the_signature_it_is_refused_in_one_line(
        file: Path, shelf: Shelf, signer: Signer, text: str) -> None:
    file.with_name("chime.pyz.sig").write_bytes(text.encode("utf-8", "surrogateescape"))
    _refused(file, shelf, signer.keys)


def test_every_cut_and_every_changed_byte_is_refused(file: Path, shelf: Shelf, signer: Signer) -> None:
    whole = file.read_bytes()
    for size in range(0, len(whole), 97):
        file.write_bytes(whole[:size])
        assert "cut short or was changed" in _refused(file, shelf, signer.keys)
    for place in range(0, len(whole), 61):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        assert "cut short or was changed" in _refused(file, shelf, signer.keys)


def test_signed_but_no_release(tmp_path: Path, shelf: Shelf, signer: Signer) -> None:
    for content in (b"", b"PK\5\6" + bytes(18), b"#!/bin/sh\n"):
        odd = tmp_path / "odd.pyz"
        odd.write_bytes(content)
        signer.sign(odd)
        assert "no release of Chime" in _refused(odd, shelf, signer.keys)


def test_the_archive_is_taken_out_of_a_package(file: Path, tmp_path: Path, shelf: Shelf, signer: Signer) -> None:
    made = package(tmp_path / "chime_1.2.0_amd64.deb", file)
    signer.sign(made)
    with examined(made, shelf, signer.keys, from_package=False) as candidate:
        assert candidate.release.version == "1.2.0"
        assert candidate.archive.read_bytes() == file.read_bytes()


def test_odd_packages_are_refused_in_one_line(file: Path, tmp_path: Path, shelf: Shelf, signer: Signer) -> None:
    whole = package(tmp_path / "whole.deb", file).read_bytes()
    other = package(tmp_path / "other.deb", file, inside="./usr/bin/other").read_bytes()
    for content in (b"", b"!<arch>\n", whole[:70], whole[:400], other, whole.replace(b"data.tar ", b"moredata ")):
        odd = tmp_path / "odd.deb"
        odd.write_bytes(content)
        signer.sign(odd)
        assert ".deb" in _refused(odd, shelf, signer.keys)


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path, shelf: Shelf, signer: Signer) -> None:
    assert "neither a chime.pyz nor a .deb" in _refused(tmp_path / "chime.zip", shelf, signer.keys)
    assert "cannot be read" in _refused(tmp_path / "gone.pyz", shelf, signer.keys)


@pytest.mark.parametrize(("other", "word"), [({"machine": "sparc"}, "sparc machines"),
                                             ({"pythons": ["3.8"]}, "runs on Python 3.8")])
def test_a_release_for_elsewhere_says_so(other: dict[str, object], word: str) -> None:
    with pytest.raises(StartRefused, match=word):
        read_release(about("1.0", **other)).must_run_here()


@pytest.mark.parametrize("version", ["../../etc", "", "v1", "1/2", "1" * 50])
def test_a_version_is_no_path(version: str) -> None:
    with pytest.raises(StartRefused):
        read_release(about(version))


def test_versions_are_compared_as_numbers() -> None:
    def older(first: str, second: str) -> bool:
        return read_release(about(first)).is_older_than(read_release(about(second)))

    assert older("1.9.0", "1.10.0") and older("0.1.0", "1.0") and not older("1.10.0", "1.9.9")
    assert read_release(about("1.0", serial=1)).is_older_than(read_release(about("1.0", serial=2)))


def test_keys_are_those_of_the_package_and_the_operators(tmp_path: Path, signer: Signer) -> None:
    (tmp_path / "own.pub").write_bytes(signer.pem)
    (tmp_path / "odd.pub").write_text("no key", "ascii")
    assert signer.id in trusted_keys(tmp_path)
    assert signer.id not in trusted_keys(tmp_path / "elsewhere")
    assert read_key(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n") is None
