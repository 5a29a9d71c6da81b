"""Which files WhatsApp takes, by kind: media types and sizes.

Checked before an upload, because Meta refuses late (131053 comes after `sent`) and names neither limit nor cure.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

MediaKind = Literal["image", "video", "audio", "document", "sticker"]

_KB: Final = 1024
_MB: Final = 1024 * 1024


class MediaRule(Struct, frozen=True, kw_only=True):
    """What one kind accepts. `mime_types` is empty where Meta takes any (documents, in practice)."""

    mime_types: tuple[str, ...]
    max_bytes: int
    advice: str


MEDIA_RULES: Final[dict[str, MediaRule]] = {
    "image": MediaRule(
        mime_types=("image/jpeg", "image/png"), max_bytes=5 * _MB, advice="Use a JPEG or PNG picture."
    ),
    "video": MediaRule(
        mime_types=("video/mp4", "video/3gpp"), max_bytes=16 * _MB, advice="Use an MP4 video with H.264 and AAC."
    ),
    "audio": MediaRule(
        mime_types=("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), max_bytes=16 * _MB,
        advice="Use MP3, M4A, AAC, AMR or OGG with the Opus codec.",
    ),
    "document": MediaRule(mime_types=(), max_bytes=100 * _MB, advice="Use a PDF, an Office file or plain text."),
    # 500 KB is the limit of animated stickers; that of still ones, 100 KB, shows only inside the file.
    "sticker": MediaRule(
        mime_types=("image/webp",), max_bytes=500 * _KB, advice="Use a WebP picture of 512 × 512 pixels."
    ),
}
VOICE_NOTE_MIME: Final = "audio/ogg"


def check_media(kind: str, mime_type: str, size: int) -> str | None:
    """Why WhatsApp would not take this file as `kind`, in words with the cure, or None."""
    rule = MEDIA_RULES.get(kind)
    if rule is None:
        return f"“{kind}” is not a kind of file: use one of {', '.join(MEDIA_RULES)}."
    declared = _bare(mime_type)
    if rule.mime_types and declared not in rule.mime_types:
        return f"WhatsApp does not take {declared or 'a file of unknown type'} as {kind}. {rule.advice}"
    if "/" not in declared:
        return f"The file's type is missing. {rule.advice}"
    if size <= 0:
        return "The file is empty."
    if size > rule.max_bytes:
        return f"The {kind} has {_amount(size)}; WhatsApp's limit is {_amount(rule.max_bytes)}."
    return None


def kind_for_mime(mime_type: str) -> MediaKind:
    """The kind under which a file of this type is best sent. What is no picture, film or sound for WhatsApp goes as a
    document; webp too, since a picture somebody attaches is hardly meant as a sticker."""
    declared = _bare(mime_type)
    kinds: tuple[MediaKind, ...] = ("image", "video", "audio")
    return next((kind for kind in kinds if declared in MEDIA_RULES[kind].mime_types), "document")


def _bare(mime_type: str) -> str:
    """`audio/ogg; codecs=opus` -> `audio/ogg`."""
    return mime_type.partition(";")[0].strip().lower()


def _amount(size: int) -> str:
    if size < _MB:
        return f"{max(1, -(-size // _KB))} KB"
    tenths = -(-size * 10 // _MB)  # rounded up: a file just over the limit must not read as the limit
    return f"{tenths // 10} MB" if tenths % 10 == 0 else f"{tenths / 10:.1f} MB"
