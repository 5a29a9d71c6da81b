"""QR codes as the path of an SVG: the template draws it, so no markup is made from text here."""

from __future__ import annotations

import msgspec
import segno


class Qr(msgspec.Struct, frozen=True):
    """`size` squares each way, the quiet zone of four included; `path` are the dark ones."""

    size: int
    path: str


def qr(text: str) -> Qr:
    """A code that a phone's camera reads from a screen (error correction M)."""
    rows = segno.make(text, error="m", micro=False).matrix
    quiet = 4
    squares: list[str] = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            length = 0
            while x + length < len(row) and row[x + length]:
                length += 1
            if length:
                squares.append(f"M{x + quiet} {y + quiet}h{length}v1h-{length}z")
            x += length + 1
    return Qr(len(rows) + 2 * quiet, "".join(squares))
