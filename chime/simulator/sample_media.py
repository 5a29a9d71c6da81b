"""Sample files of every kind a phone sends, made in code: small, valid, and of nobody.

A picture is drawn pixel by pixel, the voice note is an Ogg of silent Opus frames, the sticker a lossless WebP, the
video a few uncompressed H.264 frames (`sample_video`). Each is below 20 KB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache

import msgspec

from chime.errors import Invalid
from chime.simulator.sample_video import mp4

Pixel = Callable[[int, int], tuple[int, int, int]]
# One 20 ms mono frame of silence: table-of-contents byte for full-band CELT, then an empty range-coder state.
_SILENCE = b"\xf8\xff\xfe"
_SAMPLES_PER_FRAME = 960
_FRAMES_PER_PAGE = 50


class Sample(msgspec.Struct, kw_only=True, frozen=True):
    """A file as a phone would send it."""

    content: bytes
    mime_type: str
    filename: str | None = None


@cache
def sample(kind: str) -> Sample:
    """The sample of a message type that carries a file."""
    if kind == "image":
        return Sample(content=png(160, 120, _landscape), mime_type="image/png")
    if kind == "video":
        return Sample(content=mp4(), mime_type="video/mp4")
    if kind == "audio":
        return Sample(content=voice(3), mime_type="audio/ogg; codecs=opus")
    if kind == "sticker":
        return Sample(content=webp_face(96), mime_type="image/webp")
    if kind == "document":
        return Sample(content=pdf("Purchase order 1042"), mime_type="application/pdf", filename="purchase-order.pdf")
    raise Invalid.field("type", "there is no sample of this kind")


def png(width: int, height: int, pixel: Pixel) -> bytes:
    """An 8-bit RGB picture."""
    rows = b"".join(
        b"\x00" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _landscape(x: int, y: int) -> tuple[int, int, int]:
    if (x - 120) ** 2 + (y - 28) ** 2 < 200:
        return 255, 214, 90
    if y > 80 + (x - 60) ** 2 // 160:
        return 62, 137, 92
    if y > 92 - x // 8:
        return 96, 168, 120
    return 120 + y // 2, 178 + y // 3, 235


def product_photo(red: int, green: int, blue: int) -> bytes:
    """A mug of the given colour on a table."""

    def pixel(x: int, y: int) -> tuple[int, int, int]:
        handle = 100 < (x - 112) ** 2 + (y - 62) ** 2 < 260 and x > 106
        if (52 <= x <= 106 and 34 <= y <= 92) or handle:
            shade = 24 if x < 62 else 0
            return max(red - shade, 0), max(green - shade, 0), max(blue - shade, 0)
        return (206, 186, 160) if y > 84 else (238, 240, 242)

    return png(160, 120, pixel)


def voice(seconds: int) -> bytes:
    """An Ogg with so many seconds of silent mono Opus, as a voice note is packed."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
    vendor = b"chime"
    tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0)
    pages = [_ogg_page(0, 0, 2, [head]), _ogg_page(1, 0, 0, [tags])]
    frames = seconds * 50
    for start in range(0, frames, _FRAMES_PER_PAGE):
        end = min(start + _FRAMES_PER_PAGE, frames)
        last = 4 if end == frames else 0
        pages.append(_ogg_page(len(pages), end * _SAMPLES_PER_FRAME, last, [_SILENCE] * (end - start)))
    return b"".join(pages)


def _ogg_page(number: int, granule: int, flags: int, packets: list[bytes]) -> bytes:
    sizes = bytes(len(packet) for packet in packets)
    start = b"OggS" + struct.pack("<BBqII", 0, flags, granule, 0x43484D45, number)
    rest = bytes([len(sizes)]) + sizes + b"".join(packets)
    checksum = _ogg_checksum(start + b"\x00\x00\x00\x00" + rest)
    return start + struct.pack("<I", checksum) + rest


def _ogg_checksum(data: bytes) -> int:
    """CRC-32 with polynomial 0x04C11DB7, not reflected, starting at 0: not the one of zlib."""
    register = 0
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = ((register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)) & 0xFFFFFFFF
    return register


def pdf(title: str) -> bytes:
    """One page with one line."""
    text = f"BT /F1 20 Tf 60 760 Td ({title}) Tj ET".encode("latin-1")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length " + str(len(text)).encode() + b">>stream\n" + text + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj".encode() + content + b"endobj\n"
    table = b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    size = len(objects) + 1
    tail = f"trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF\n".encode()
    return body + f"xref\n0 {size}\n0000000000 65535 f \n".encode() + table + tail


def webp_face(size: int) -> bytes:
    """A smiling face on nothing, as lossless WebP.

    Green and alpha have two values each and so cost one bit a pixel; red and blue have one and cost none.
    """
    bits: list[int] = []

    def put(value: int, count: int) -> None:
        bits.extend((value >> place) & 1 for place in range(count))

    # width, height, alpha used, version; then no transform, no colour cache, one group of prefix codes
    for value, count in ((size - 1, 14), (size - 1, 14), (1, 1), (0, 3), (0, 1), (0, 1), (0, 1)):
        put(value, count)
    for symbols in ((60, 205), (250,), (40,), (0, 255), (0,)):  # green, red, blue, alpha, distance
        for value, count in ((1, 1), (len(symbols) - 1, 1), (1, 1), *((symbol, 8) for symbol in symbols)):
            put(value, count)
    for y in range(size):
        for x in range(size):
            inside, dark = _face(x / size - 0.5, y / size - 0.5)
            put(0 if dark else 1, 1)
            put(1 if inside else 0, 1)
    bits += [0] * (-len(bits) % 8)
    packed = bytes(sum(bit << place for place, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))
    body = b"\x2f" + packed
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def _face(x: float, y: float) -> tuple[bool, bool]:
    inside = x * x + y * y < 0.23
    eye = (abs(x) - 0.16) ** 2 + (y + 0.12) ** 2 < 0.0035
    ring = 0.07 < x * x + (y - 0.02) ** 2 < 0.11
    return inside, eye or (ring and y > 0.06)
