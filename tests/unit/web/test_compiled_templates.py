"""What templates compile to is kept for the next start, and never used for another text."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from chime import resources
from chime.web.compiled_templates import CompiledTemplates

OPTIONS = {"trim_blocks": True}


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = {"a.html": "Hello {{ name }}", "b.html": "{% if name %}yes{% endif %}"}
    monkeypatch.setattr(resources, "template_names", lambda: iter(found))
    monkeypatch.setattr(resources, "template_source", found.get)
    return found


def _render(compiled: CompiledTemplates, texts: dict[str, str], name: str) -> str:
    environment = Environment(loader=DictLoader(texts), bytecode_cache=compiled, autoescape=True)
    return environment.get_template(name).render(name="Ana")


def test_a_next_start_compiles_nothing(tmp_path: Path, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = CompiledTemplates(tmp_path, OPTIONS)
    assert not first.knows("a.html", texts["a.html"])
    assert [_render(first, texts, name) for name in texts] == ["Hello Ana", "yes"]
    first.keep()
    second = CompiledTemplates(tmp_path, OPTIONS)
    assert all(second.knows(name, text) for name, text in texts.items())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(Environment, "compile", refuse)
    assert [_render(second, texts, name) for name in texts] == ["Hello Ana", "yes"]


def test_a_changed_text_is_compiled_and_the_old_one_goes(tmp_path: Path, texts: dict[str, str]) -> None:
    first = CompiledTemplates(tmp_path, OPTIONS)
    _render(first, texts, "a.html")
    first.keep()
    before = texts["a.html"]
    texts["a.html"] = "Good day {{ name }}"
    second = CompiledTemplates(tmp_path, OPTIONS)
    assert not second.knows("a.html", texts["a.html"])
    assert _render(second, texts, "a.html") == "Good day Ana"
    second.keep()
    third = CompiledTemplates(tmp_path, OPTIONS)
    assert third.knows("a.html", texts["a.html"]) and not third.knows("a.html", before)


def test_other_options_share_nothing(tmp_path: Path, texts: dict[str, str]) -> None:
    first = CompiledTemplates(tmp_path, OPTIONS)
    _render(first, texts, "a.html")
    first.keep()
    assert not CompiledTemplates(tmp_path, {"trim_blocks": False}).knows("a.html", texts["a.html"])


@pytest.mark.parametrize("content", [b"", b"junk", b"\xe9\x01\x00\x00\x00", b"\x00" * 7 + b"\x05" + b"junk!",
                                     b"\x7f" * 100])
def test_a_file_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, texts: dict[str, str], content: bytes) -> None:
    first = CompiledTemplates(tmp_path, OPTIONS)
    _render(first, texts, "a.html")
    first.keep()
    file = next((tmp_path / "__pycache__").iterdir())
    file.write_bytes(content)
    second = CompiledTemplates(tmp_path, OPTIONS)
    assert not second.knows("a.html", texts["a.html"])
    assert _render(second, texts, "a.html") == "Hello Ana"
    second.keep()
    assert CompiledTemplates(tmp_path, OPTIONS).knows("a.html", texts["a.html"])


def test_a_piece_that_is_damaged_is_compiled(tmp_path: Path, texts: dict[str, str]) -> None:
    first = CompiledTemplates(tmp_path, OPTIONS)
    _render(first, texts, "a.html")
    first.keep()
    file = next((tmp_path / "__pycache__").iterdir())
    whole = file.read_bytes()
    file.write_bytes(whole[:-len(whole) // 3])
    assert _render(CompiledTemplates(tmp_path, OPTIONS), texts, "a.html") == "Hello Ana"


def test_a_file_that_another_process_replaced_meanwhile_is_not_misread(tmp_path: Path, texts: dict[str, str]) -> None:
    first = CompiledTemplates(tmp_path, OPTIONS)
    for name in texts:
        _render(first, texts, name)
    first.keep()
    second = CompiledTemplates(tmp_path, OPTIONS)
    assert second.knows("b.html", texts["b.html"])
    other = CompiledTemplates(tmp_path, OPTIONS)
    texts["a.html"] = "Good day {{ name }}, and a longer text than there was"
    _render(other, texts, "a.html")
    other.keep()
    assert [_render(second, texts, name) for name in texts] == [
        "Good day Ana, and a longer text than there was", "yes"]


def test_where_nothing_can_be_written_it_goes_on(tmp_path: Path, texts: dict[str, str]) -> None:
    (tmp_path / "__pycache__").write_text("in the way")
    first = CompiledTemplates(tmp_path, OPTIONS)
    assert _render(first, texts, "a.html") == "Hello Ana"
    first.keep()
    assert CompiledTemplates(None, OPTIONS).knows("a.html", texts["a.html"]) is False
