"""A video made from nothing: a few H.264 frames of plain samples (I_PCM macroblocks) in an MP4.

No encoder is needed for frames that are not compressed; what remains is the headers. Each frame is a key frame, the
index stands before the data, as WhatsApp wants it.
"""

from __future__ import annotations

import struct

WIDTH = HEIGHT = 48
FRAME_MILLISECONDS = 800
# Luma, blue difference, red difference of each frame.
_COLOURS = ((150, 90, 150), (170, 120, 100))
_START_CODE_GUARD = b"\x03"


def mp4() -> bytes:
    """The file."""
    samples = [_length_prefixed(_frame(index, colour)) for index, colour in enumerate(_COLOURS)]
    brands = _box(b"ftyp", b"isom" + struct.pack(">I", 512) + b"isomavc1mp41")
    # The offset of the data is known once the length of the index is: it does not depend on the value.
    start = len(brands) + len(_movie(samples, 0)) + 8
    return brands + _movie(samples, start) + _box(b"mdat", b"".join(samples))


class _Bits:
    """A bit string, written from the highest bit on."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def put(self, value: int, count: int) -> _Bits:
        self._bits.extend((value >> place) & 1 for place in range(count - 1, -1, -1))
        return self

    def golomb(self, *values: int) -> _Bits:
        """Unsigned Exp-Golomb codes."""
        for value in values:
            length = (value + 1).bit_length()
            self.put(value + 1, 2 * length - 1)
        return self

    def align(self) -> _Bits:
        return self.put(0, -len(self._bits) % 8)

    def raw(self, data: bytes) -> _Bits:
        for byte in data:
            self.put(byte, 8)
        return self

    def stop(self) -> bytes:
        """End with the stop bit and pack."""
        self.put(1, 1).align()
        return bytes(
            sum(bit << (7 - place) for place, bit in enumerate(self._bits[at : at + 8]))
            for at in range(0, len(self._bits), 8)
        )


def _unit(kind: int, payload: bytes) -> bytes:
    """A NAL unit: no three bytes inside may look like a start code."""
    guarded, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            guarded += _START_CODE_GUARD
            zeros = 0
        guarded.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes([0x60 | kind]) + bytes(guarded)


def _sequence_parameters() -> bytes:
    bits = _Bits().put(66, 8).put(0xC0, 8).put(10, 8)  # baseline, constrained, level 1
    # id, log2 of frame numbers - 4, picture order type 2 (order of decoding), one reference frame, no gaps
    bits.golomb(0, 0, 2, 1).put(0, 1)
    bits.golomb(WIDTH // 16 - 1, HEIGHT // 16 - 1)
    return _unit(7, bits.put(1, 1).put(1, 1).put(0, 1).put(0, 1).stop())


def _picture_parameters() -> bytes:
    # ids 0 and 0, no CABAC, no order flag, one slice group, reference counts, no weights, quantisers 0, flags 0
    bits = _Bits().golomb(0, 0).put(0, 1).put(0, 1).golomb(0, 0, 0).put(0, 1).put(0, 2).golomb(0, 0, 0)
    return _unit(8, bits.put(0, 3).stop())


def _frame(index: int, colour: tuple[int, int, int]) -> bytes:
    luma, blue, red = colour
    # first macroblock 0, slice type 7 (all intra), parameters 0; frame number 0; picture id; no reference marking
    bits = _Bits().golomb(0, 7, 0).put(0, 4).golomb(index).put(0, 2).golomb(0)
    for block in range((WIDTH // 16) * (HEIGHT // 16)):
        bits.golomb(25).align()
        shade = max(16, luma - 10 * (block % 4))
        bits.raw(bytes([shade] * 256 + [blue] * 64 + [red] * 64))
    return _unit(5, bits.stop())


def _length_prefixed(unit: bytes) -> bytes:
    return struct.pack(">I", len(unit)) + unit


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def _full_box(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _movie(samples: list[bytes], offset: int) -> bytes:
    length = FRAME_MILLISECONDS * len(samples)
    movie = struct.pack(">IIIIIHHII", 0, 0, 1000, length, 0x10000, 0x100, 0, 0, 0) + _MATRIX + bytes(24)
    track = struct.pack(">IIIIIIIHHHH", 0, 0, 1, 0, length, 0, 0, 0, 0, 0, 0) + _MATRIX
    track += struct.pack(">II", WIDTH << 16, HEIGHT << 16)
    handler = bytes(4) + b"vide" + bytes(12) + b"Video\x00"
    reference = _full_box(b"url ", flags=1)
    information = _box(
        b"minf",
        _full_box(b"vmhd", bytes(8), flags=1),
        _box(b"dinf", _full_box(b"dref", struct.pack(">I", 1), reference)),
        _sample_table(samples, offset),
    )
    media = _box(
        b"mdia",
        _full_box(b"mdhd", struct.pack(">IIIIHH", 0, 0, 1000, length, 0x55C4, 0)),
        _full_box(b"hdlr", handler),
        information,
    )
    next_track = struct.pack(">I", 2)
    only_track = _box(b"trak", _full_box(b"tkhd", track, flags=3), media)
    return _box(b"moov", _full_box(b"mvhd", movie, next_track), only_track)


def _sample_table(samples: list[bytes], offset: int) -> bytes:
    sequence, picture = _sequence_parameters(), _picture_parameters()
    configuration = _box(
        b"avcC",
        bytes([1, sequence[1], sequence[2], sequence[3], 0xFF, 0xE1]),
        struct.pack(">H", len(sequence)) + sequence,
        b"\x01" + struct.pack(">H", len(picture)) + picture,
    )
    entry = _box(
        b"avc1",
        bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HHII", WIDTH, HEIGHT, 0x480000, 0x480000),
        bytes(4) + struct.pack(">H", 1) + bytes(32) + struct.pack(">HH", 24, 0xFFFF),
        configuration,
    )
    sizes = b"".join(struct.pack(">I", len(sample)) for sample in samples)
    count = len(samples)
    return _box(
        b"stbl",
        _full_box(b"stsd", struct.pack(">I", 1), entry),
        _full_box(b"stts", struct.pack(">III", 1, count, FRAME_MILLISECONDS)),
        _full_box(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
        _full_box(b"stsz", struct.pack(">II", 0, count), sizes),
        _full_box(b"stco", struct.pack(">II", 1, offset)),
    )
