"""Which files WhatsApp takes, and the cure for those it does not."""

from __future__ import annotations

import pytest

from chime.whatsapp import check_media, kind_for_mime


@pytest.mark.parametrize(("kind", "mime_type", "size"), [
    ("image", "image/jpeg", 5 * 2**20), ("image", "IMAGE/PNG", 1), ("video", "video/mp4", 16 * 2**20),
    ("audio", "audio/ogg; codecs=opus", 16 * 2**20), ("document", "application/pdf", 100 * 2**20),
    ("document", "application/x-whatever", 1), ("sticker", "image/webp", 500 * 1024),
])
def test_files_within_the_rules(kind: str, mime_type: str, size: int) -> None:
    assert check_media(kind, mime_type, size) is None


@pytest.mark.parametrize(("kind", "mime_type", "size", "words"), [
    ("image", "image/webp", 1, "JPEG or PNG"), ("image", "image/gif", 1, "JPEG or PNG"),
    ("image", "image/jpeg", 5 * 2**20 + 1, "5.1 MB; WhatsApp's limit is 5 MB"), ("image", "image/jpeg", 0, "empty"),
    ("video", "video/mp4", 23 * 2**20, "23 MB; WhatsApp's limit is 16 MB"), ("video", "video/webm", 1, "MP4"),
    ("audio", "audio/opus", 1, "Opus codec"), ("audio", "audio/webm", 1, "OGG"),
    ("document", "application/pdf", 100 * 2**20 + 1, "100 MB"), ("document", "", 1, "type is missing"),
    ("sticker", "image/webp", 500 * 1024 + 1, "501 KB"), ("hologram", "image/png", 1, "not a kind"),
])
def test_files_against_the_rules_are_named_with_the_cure(kind: str, mime_type: str, size: int, words: str) -> None:
    assert words in (check_media(kind, mime_type, size) or "")


@pytest.mark.parametrize(("mime_type", "kind"), [
    ("image/jpeg", "image"), ("image/webp", "document"), ("video/3gpp", "video"), ("video/webm", "document"),
    ("audio/ogg;codecs=opus", "audio"), ("application/pdf", "document"), ("", "document"),
])
def test_the_kind_of_a_file(mime_type: str, kind: str) -> None:
    assert kind_for_mime(mime_type) == kind
