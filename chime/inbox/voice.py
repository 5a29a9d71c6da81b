"""A browser's recording (Opus in WebM) as WhatsApp's voice note (Opus in Ogg): the same packets, other box.

No audio is decoded. Input is bounded by the caller and anything unexpected is `NotARecording`. Formats: Matroska
element ids as in RFC 9559, Ogg pages as in RFC 3533, Opus in Ogg as in RFC 7845, packet lengths by RFC 6716 3.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MASTERS = {0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xE1, 0xA0}  # Segment, Cluster, Tracks, TrackEntry, Audio, Group
_CODEC_ID, _CODEC_PRIVATE, _SIMPLE_BLOCK, _BLOCK = 0x86, 0x63A2, 0xA3, 0xA1
_FIRST, _LAST = 2, 4
_SERIAL = 0x43484D45
_PACKETS_A_PAGE = 50
_SEGMENTS_A_PAGE = 255
_LONGEST_SAMPLES = 15 * 60 * 48_000


class NotARecording(Exception):
    """The bytes are no Opus recording in WebM."""


def ogg_from_webm(webm: bytes) -> bytes:
    """The Ogg file. Raises NotARecording."""
    try:
        head, packets = _read(webm)
        if head is None or not packets:
            raise NotARecording("no Opus sound in it")
        return _write(head, packets)
    except (IndexError, struct.error, RecursionError) as error:
        raise NotARecording("the file ends early, or boxes lie in boxes without end") from error


def _number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int, bool]:
    """A variable-length number, where it ends, and whether it says "unknown"."""
    length = 1
    while length <= 8 and not data[at] & (0x80 >> (length - 1)):
        length += 1
    value = data[at] if keep_marker else data[at] & ((0x80 >> (length - 1)) - 1 if length <= 8 else 0)
    for offset in range(1, length):
        value = value << 8 | data[at + offset]
    return value, at + length, not keep_marker and value == (1 << (7 * length)) - 1


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    while at < end:
        element, at, _ = _number(data, at, keep_marker=True)
        size, at, unknown = _number(data, at, keep_marker=False)
        stop = end if unknown else min(at + size, end)
        if element in _MASTERS:
            yield from _elements(data, at, stop)
        else:
            yield element, data[at:stop]
        at = stop


def _read(webm: bytes) -> tuple[bytes | None, list[bytes]]:
    head: bytes | None = None
    packets: list[bytes] = []
    for element, content in _elements(webm, 0, len(webm)):
        if element == _CODEC_ID and not content.startswith(b"A_OPUS"):
            raise NotARecording("another codec")
        if element == _CODEC_PRIVATE and content.startswith(b"OpusHead"):
            head = content
        if element in (_SIMPLE_BLOCK, _BLOCK):
            _, at, _ = _number(content, 0, keep_marker=False)
            if content[at + 2] & 0x06:
                raise NotARecording("laced blocks")
            packets.append(content[at + 3:])
    return head, [packet for packet in packets if packet]


def _samples(packet: bytes) -> int:
    """How many samples at 48 kHz a packet holds."""
    configuration = packet[0] >> 3
    if configuration < 12:
        frame = (480, 960, 1920, 2880)[configuration % 4]
    elif configuration < 16:
        frame = (480, 960)[configuration % 2]
    else:
        frame = (120, 240, 480, 960)[configuration % 4]
    code = packet[0] & 3
    if code == 3:
        return frame * (packet[1] & 63)
    return frame * (1 if code == 0 else 2)


def _write(head: bytes, packets: list[bytes]) -> bytes:
    tags = b"OpusTags" + struct.pack("<I", 5) + b"Chime" + struct.pack("<I", 0)
    pages = [_page([head], 0, 0, _FIRST), _page([tags], 0, 1, 0)]
    granule = 0
    batch: list[bytes] = []
    segments = 0
    for packet in packets:
        needed = len(packet) // 255 + 1
        if batch and (len(batch) == _PACKETS_A_PAGE or segments + needed > _SEGMENTS_A_PAGE):
            pages.append(_page(batch, granule, len(pages), 0))
            batch, segments = [], 0
        batch.append(packet)
        segments += needed
        granule += _samples(packet)
        if granule > _LONGEST_SAMPLES:
            raise NotARecording("longer than 15 minutes")
    pages.append(_page(batch, granule, len(pages), _LAST))
    return b"".join(pages)


def _page(packets: list[bytes], granule: int, number: int, flags: int) -> bytes:
    table = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    if len(table) > _SEGMENTS_A_PAGE:
        raise NotARecording("a packet larger than a page")
    page = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, _SERIAL, number, 0, len(table))
    page += table + b"".join(packets)
    return page[:22] + struct.pack("<I", _checksum(page)) + page[26:]


def _table() -> tuple[int, ...]:
    found = []
    for index in range(256):
        value = index << 24
        for _ in range(8):
            value = (value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1
        found.append(value & 0xFFFFFFFF)
    return tuple(found)


_CRC = _table()


def _checksum(page: bytes) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRC[(value >> 24) ^ byte]
    return value
