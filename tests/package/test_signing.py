"""What `packaging/sign.py` writes, `chime upgrade` takes: the two were written apart and must mean the same."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from chime.errors import StartRefused
from chime.releases import candidate
from chime.security.release_signature import read_key
from tests.package.conftest import ROOT, load_tool
from tests.support.processes import run


@pytest.fixture(scope="module")
def signing() -> ModuleType:
    return load_tool("sign")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "chime.pyz"
    made.write_bytes(b"a release")
    return made


def _verified(file: Path, public: Path) -> str:
    key = read_key(public.read_bytes())
    assert key is not None
    return candidate._verify(file, hashlib.sha512(file.read_bytes()).digest(), {key.id: key}, may_lack=False)


def test_a_signed_file_is_taken(signing: ModuleType, file: Path, tmp_path: Path) -> None:
    key = signing.new_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    signing.sign(signing.read_key(tmp_path / "key"), file)
    assert _verified(file, tmp_path / "key.pub") == signing.key_id(key.public_key())


@pytest.mark.parametrize("change", ["file", "signature", "key"])
def test_anything_else_is_not(signing: ModuleType, file: Path, tmp_path: Path, change: str) -> None:
    signing.new_key(tmp_path / "another")
    signing.sign(signing.new_key(tmp_path / "key"), file)
    signature = file.with_name("chime.pyz.sig")
    if change == "file":
        file.write_bytes(b"another release")
    elif change == "signature":
        text = signature.read_text("ascii")
        place = text.index("signature: ", 20) + 11
        signature.write_text(text[:place] + ("B" if text[place] == "A" else "A") + text[place + 1:], "ascii")
    with pytest.raises(StartRefused):
        _verified(file, tmp_path / ("another.pub" if change == "key" else "key.pub"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_a_key_that_openssl_made_will_do(signing: ModuleType, file: Path, tmp_path: Path) -> None:
    for command in ("genpkey -algorithm ed25519 -out key", "pkey -in key -pubout -out pub"):
        assert run(["openssl", *command.split()], cwd=tmp_path).returncode == 0
    signing.sign(signing.read_key(tmp_path / "key"), file)
    assert _verified(file, tmp_path / "pub")


def test_a_key_is_never_written_over(signing: ModuleType, tmp_path: Path) -> None:
    signing.new_key(tmp_path / "key")
    with pytest.raises(FileExistsError):
        signing.new_key(tmp_path / "key")


def test_what_is_no_key_is_said_in_one_line(signing: ModuleType, file: Path) -> None:
    with pytest.raises(SystemExit, match="is no signing key"):
        signing.read_key(file)


def test_the_build_refuses_a_key_that_is_not_there() -> None:
    answer = run([str(ROOT / "packaging" / "build"), "--sign-with", "/no/such/key"])
    assert answer.returncode == 1 and answer.stderr.splitlines()[-1] == "the signing key: no such file"
