"""The pages of a PDF, however it is written; and of what is not to be trusted no number, soon."""

from __future__ import annotations

import time
import zlib

import pytest

from chime.inbox.pdf_pages import page_count
from chime.simulator import sample_media

HEAD = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def packed(number: int, *objects: tuple[int, bytes], extra: bytes = b"") -> bytes:
    """An object stream."""
    names, body = b"", b""
    for name, text in objects:
        names += b"%d %d " % (name, len(body))
        body += text + b"\n"
    content = zlib.compress(names + body)
    return (b"%d 0 obj\n<< /Type /ObjStm /N %d /First %d /Length %d /Filter /FlateDecode %s >>\nstream\r\n"
            % (number, len(objects), len(names), len(content), extra)) + content + b"\nendstream\nendobj\n"


CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
PLAIN = b"1 0 obj\n" + CATALOG + b"\nendobj\n"


def pages(count: object, *, number: int = 2, more: bytes = b"") -> bytes:
    return b"%d 0 obj\n<< /Kids [5 0 R] %s/Type /Pages /Count %s >>\nendobj\n" % (number, more, str(count).encode())


@pytest.mark.parametrize(("content", "expected"), [
    (sample_media.pdf("Receipt"), 1),
    (HEAD + PLAIN + pages(12) + pages(5, number=9, more=b"/Parent 2 0 R "), 12),
    (HEAD + packed(7, (1, CATALOG), (2, b"<</Count 36/Type/Pages/Kids[9 0 R]>>"), (9, b"<</Type/Pages/Count 4>>")), 36),
    (HEAD + pages(3) + PLAIN + b"%%EOF\n" + pages(4) + b"%%EOF\n", 4),
    (HEAD + PLAIN.replace(b"2 0 R", b"8 0 R") + pages(3) + pages(6, number=8), 6),
    (b"junk\n" + HEAD + PLAIN + b"2 0 obj<</Kids[" + b"5 0 R " * 20_000 + b"]/Type/Pages/Count 20000>>endobj", 20_000),
], ids=["ours", "a branch counts only its own", "compressed", "changed later", "another tree", "a long list"])
def test_the_root_of_the_tree_says_it(content: bytes, expected: int) -> None:
    assert page_count(content) == expected


@pytest.mark.parametrize("content", [
    b"", b"%PDF-1.4", b"GIF89a" + PLAIN + pages(3), HEAD + PLAIN, HEAD + pages(3), HEAD + PLAIN + pages("7 0 R"),
    HEAD + PLAIN + pages(0), HEAD + PLAIN + pages(9_999_999), HEAD + PLAIN + pages(10 ** 30), HEAD + PLAIN + pages(-3),
    HEAD + PLAIN + pages(3) + b"trailer << /Root 1 0 R /Encrypt 9 0 R >>",
    HEAD + packed(7, (1, CATALOG), (2, b"<</Type/Pages/Count 3>>"), extra=b"/DecodeParms <</Predictor 12>>"),
    (HEAD + packed(7, (1, CATALOG), (2, b"<</Type/Pages/Count 3>>")))[:90],
    HEAD + b"7 0 obj<</Type/ObjStm/N 999999/First 999999999/Filter/FlateDecode>>stream\n" + zlib.compress(b"/Pages"),
])
def test_what_does_not_say_it_has_no_count(content: bytes) -> None:
    assert page_count(content) is None


BOMB = packed(7, (2, b" " * 40_000_000 + b"<</Type/Pages/Count 3>>"))


@pytest.mark.parametrize("content", [
    HEAD + PLAIN + pages(3) + BOMB, HEAD + PLAIN + pages(3) + b"/Pages " * 500_000,
    HEAD + PLAIN + b"2 0 obj<</Type" + b" " * 4_000_000 + b"/Pages/Count 3>>endobj",
    HEAD + PLAIN + pages(3) + b"9 0 obj<<" + b"/ObjStm stream\n" * 300_000,
    HEAD + PLAIN + b"1" * 4_000_000 + b" 0 obj/Pages",
    HEAD + PLAIN + (b"2 0 obj<</Type/Pages" + b" " * 200_000 + b">>") * 20], ids=[
    "bomb", "many places", "far apart", "many streams", "a long number", "large objects"])
def test_what_is_made_to_keep_us_busy_does_not(content: bytes) -> None:
    began = time.thread_time()
    page_count(content)
    assert time.thread_time() - began < 3


def test_a_bomb_has_no_count() -> None:
    assert page_count(HEAD + PLAIN + pages(3) + BOMB) is None
