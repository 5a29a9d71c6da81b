"""Promises of a line each that the trust page and SECURITY.md make, and that no other test would notice broken."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest

from chime.log import Log, configure
from chime.security.password_rules import check_rules
from tests.architecture.source import templates

PASSWORD_FIELD = re.compile(r"""\{\{\s*field\(\s*"(password|current|again)".*?\}\}|<input[^>]*name="password"[^>]*>""",
                            re.S)
NASTY = "one\ntwo\r\x1b[31mred\x1b[0m\x00\u2028\u202e\x85end"


def test_password_fields_hide_what_is_typed_and_let_managers_fill_them() -> None:
    found = [(template.name, match.group(0)) for template in templates()
             for match in PASSWORD_FIELD.finditer(template.source)]
    assert len(found) >= 6
    for name, field in found:
        assert 'type="password"' in field, name
        assert re.search(r'autocomplete="(current|new)-password"', field), name
        assert "readonly" not in field and not re.search(r"\bmaxlength=\"?([1-9]\d?|1\d\d)\b", field), name


def test_a_password_may_have_256_characters_of_any_kind() -> None:
    for kind in ("seven sheep on a hill ", "ÄÖÜ ключ 鍵 🔑 key", "0825 1947 3660 "):
        check_rules((kind * 30)[:256])
        check_rules((kind * 30)[:64])


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_writes_lines_into_the_log(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    output = io.StringIO()
    try:
        configure(form, "info")
        handler = root.handlers[0]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(output)
        Log("test").info(f"event {NASTY}", name=NASTY)
        logging.getLogger("somebody.else").warning("said %s", NASTY)
    finally:
        root.handlers[:], root.level = before, level
    lines = output.getvalue().split("\n")
    assert len(lines) == 3 and lines[2] == "", lines
    for line in lines[:2]:
        assert line.isprintable(), ascii(line)
        if form == "json":
            assert set(json.loads(line)) >= {"time", "level", "source", "event"}
