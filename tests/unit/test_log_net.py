"""The log's second net: what looks like a secret or a number never leaves, and the ordinary is left alone."""

from __future__ import annotations

import json
import logging

import pytest

from chime import log
from chime.ids import Ids
from chime.log import Log, Net
from chime.security.vault import Secret

TOKEN = "EAAtestsaccesstokenoftheworld0123456789"
CAUGHT = {
    f"token {TOKEN}": "meta_token", f"x={Ids().api_key()}!": "api_key", "chime_" + "o" * 43: "api_key",
    "Authorization: Bearer abc.def": "bearer", "sent wamid.HBgLMTQxNTU1NTAxMjM=": "wamid",
    "key " + "0f" * 32: "hex", "to 14155550123": "number", "to +1 415 555-0123": "number", "(415) 555-01234": "number",
    "wa 919812345067": "number", "x" * 20 + TOKEN + "=": "meta_token", f"access_token%3D{TOKEN}": "meta_token",
}
ORDINARY = (
    "2026-11-21 09:30 done", "http://127.0.0.1:53017", "203.0.113.77", "01kafx2v9m3q8r5t7w1y4z6b0k", "took 12345678 ms",
    "chime/web/pages.py:143", "inbox.deliver", "10.1.2.3:8700", "error 131026", "v26.0", "attempt 1 of 3 in 60 s",
    "root=7+h/EAAtestsaccesstokenoftheworld0123456789=", "EAAtestsaccesstokenoftheworld01234567891234=",
)


@pytest.mark.log_net
@pytest.mark.parametrize(("text", "kind"), CAUGHT.items(), ids=CAUGHT.values())
def test_what_looks_like_a_secret_is_masked_and_counted(text: str, kind: str) -> None:
    net = Net()
    cleaned = net.clean(text)
    assert net.caught == {kind: 1}
    assert "[secret]" in cleaned or "[number]" in cleaned
    assert TOKEN not in cleaned and "555" not in cleaned


@pytest.mark.parametrize("text", ORDINARY)
def test_the_ordinary_is_left_alone(text: str) -> None:
    net = Net()
    assert net.clean(text) == text and not net.caught


@pytest.mark.log_net
@pytest.mark.parametrize("form", ["text", "json"])
def test_whatever_is_handed_over_nothing_secret_is_written(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        log.configure(form, "debug")
        Log("test").info("slip", token=TOKEN, secret=Secret("a secret nobody may see"), raw=b"bytes of a key",
                         number="14155550123", at=12345678901)
        Log("test").error("failed", ValueError(TOKEN))
        logging.getLogger("a.library").warning("posting to %s with %s", "14155550123", TOKEN)
        logging.getLogger("a.library").warning("line\r\nbreak \x1b[31m and \u202e turn")
    finally:
        root.handlers[:], root.level = before
    written = capsys.readouterr().err
    for secret in (TOKEN, "a secret nobody", "bytes of a key", "14155550123"):
        assert secret not in written
    assert len(written.splitlines()) == 4 and "\x1b" not in written and "\u202e" not in written
    assert "12345678901" in written, "a count of ours stays readable"
    if form == "json":
        assert next(json.loads(line)["event"] for line in written.splitlines()) == "slip"
