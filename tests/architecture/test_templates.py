"""What a template may hold: nothing the content policy would block, nothing a screen reader could not name, no word
outside the catalogue, no value printed unescaped, no icon that is not in the sprite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from tests.architecture.source import CHIME, Template, chime, templates

# template -> why its value may be printed as it is
SAFE: dict[str, str] = {}
# Words that are the same in every language, and what a person might type, shown as an example.
NAMES = re.compile(r"\b(Chime|WhatsApp|Meta|API|URL|JSON|OpenAPI|HTTP|SMS|PDF|CSV|ID|WABA|Enter|Ctrl|Esc|Shift|Tab|"
                   r"noor\.makes)\b")
BANNED = {
    "an inline style": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "a style element": re.compile(r"<style\b", re.IGNORECASE),
    "an inline handler": re.compile(r"\son[a-z]+\s*=", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "an htmx feature that evaluates text": re.compile(r"\bhx-(on|vals\s*=\s*[\"']\s*js:|headers\s*=\s*[\"']\s*js:|ext)",
                                                      re.IGNORECASE),
    "an htmx condition that evaluates text": re.compile(r"\bhx-trigger\s*=\s*\"[^\"]*\[", re.IGNORECASE),
}
UNLABELLED_TYPES = frozenset({"hidden", "submit", "button", "image", "reset"})
SPOKEN_ATTRIBUTES = ("aria-label", "title", "placeholder", "alt")
HTML = [template for template in templates() if template.path.suffix == ".html"]


class Page(HTMLParser):
    """Collects what the rules ask about one template."""

    def __init__(self, template: Template) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[tuple[int, dict[str, str | None]]] = []
        self.images: list[tuple[int, dict[str, str | None]]] = []
        self.controls: list[tuple[int, dict[str, str | None], bool]] = []
        self.labels: set[str] = set()
        self.words: list[tuple[int, str]] = []
        self._inside: list[str] = []
        self.feed(template.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found, line = dict(attrs), self.getpos()[0]
        if tag == "script":
            self.scripts.append((line, found))
        if tag == "img":
            self.images.append((line, found))
        if tag == "label" and found.get("for"):
            self.labels.add(str(found["for"]))
        if tag in ("input", "select", "textarea") and found.get("type") not in UNLABELLED_TYPES:
            self.controls.append((line, found, "label" in self._inside))
        self.words += [(line, str(found[name])) for name in SPOKEN_ATTRIBUTES if found.get(name)]
        if tag not in ("input", "img", "br", "hr", "meta", "link", "use"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            del self._inside[len(self._inside) - 1 - self._inside[::-1].index(tag):]

    def handle_data(self, data: str) -> None:
        if not {"script", "style", "code", "pre", "kbd"} & set(self._inside):
            self.words.append((self.getpos()[0], data))


@pytest.mark.parametrize("template", HTML, ids=lambda template: template.name)
def test_nothing_the_content_policy_blocks(template: Template) -> None:
    faults = [f"{template.where}:{template.html[:match.start()].count(chr(10)) + 1} {what}"
              for what, pattern in BANNED.items() for match in pattern.finditer(template.html)]
    faults += [f"{template.where}:{line} a script without src" for line, attributes in Page(template).scripts
               if not attributes.get("src") and attributes.get("type") != "application/json"]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("template", HTML, ids=lambda template: template.name)
def test_images_and_controls_have_names(template: Template) -> None:
    page = Page(template)
    # `label_of(name, …)` is the form kit's macro for a label.
    labels = page.labels | {f"⟦{name}⟧" for name in re.findall(r"label_of\((\w+)\b", template.source)}
    labels |= set(re.findall(r"""label_of\(["']([\w-]+)["']""", template.source))
    faults = [f"{template.where}:{line} an image without alt" for line, attributes in page.images
              if "alt" not in attributes]
    faults += [f"{template.where}:{line} a control without a label" for line, attributes, inside in page.controls
               if not inside and not attributes.get("aria-label") and not attributes.get("aria-labelledby")
               and attributes.get("id") not in labels]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("template", HTML, ids=lambda template: template.name)
def test_every_word_is_in_the_catalogue(template: Template) -> None:
    faults = []
    for line, text in Page(template).words:
        # A macro may make attributes for a tag of another template.
        bare = NAMES.sub("", re.sub(r"""⟦[^⟧]*⟧|[\w-]+="[^"]*\"""", "", text))
        if re.search(r"[^\W\d_]{2,}", bare):
            faults.append(f"{template.where}:{line} {bare.strip()[:60]!r}")
    assert not faults, "\n".join(faults)


def test_values_are_printed_escaped() -> None:
    unsafe = {template.name for template in templates()
              if re.search(r"\|\s*safe\b|\bMarkup\(|autoescape\s+false", template.source)}
    assert not unsafe - SAFE.keys(), unsafe
    assert not SAFE.keys() - unsafe, "exceptions that are none any more"


def test_markup_is_made_in_templates_only() -> None:
    faults = [f"{module.where}:{found.line}" for module in chime() if module.package not in ("web", "simulator")
              for found in module.imports if found.name == "Markup"]
    assert not faults, "\n".join(faults)


def _referenced() -> Iterator[tuple[str, str]]:
    """Every template's name that something mentions, with the place; `{kind}` in it stands for some word."""
    known = {template.name.partition("/")[0] for template in templates()}
    for template in templates():
        for name in re.findall(r"""["']([\w./-]+\.(?:html|txt|xml))["']""", template.source):
            yield name, template.where
    for module in chime():
        for name in re.findall(r"""["']([\w./{}-]+\.(?:html|txt|xml))["']""", module.text):
            if name.partition("/")[0] in known:
                yield name, module.where


def _meant_by(name: str) -> set[str]:
    pattern = re.compile(re.sub(r"\\{\w+\\}", r"[\\w-]+", re.escape(name)))
    return {template.name for template in templates() if pattern.fullmatch(template.name)}


def test_every_template_named_exists() -> None:
    missing = sorted({f"{where} names {name}" for name, where in _referenced() if not _meant_by(name)})
    assert not missing, "\n".join(missing)


def test_every_template_is_used() -> None:
    used = {meant for name, _ in _referenced() for meant in _meant_by(name)}
    idle = {template.name for template in templates()} - used
    assert not idle, f"no one names them: {sorted(idle)}"


def _icons_named() -> Iterator[tuple[str, str]]:
    for template in templates():
        for name in re.findall(r"""\bicon\(\s*["']([\w-]+)["']""", template.source):
            yield name, template.where
        for name in re.findall(r"icons\.svg[^#\"']*#([\w-]+)", template.source):
            yield name, template.where
    for path in (CHIME / "web" / "static" / "js").glob("*.js"):
        for name in re.findall(r"""\bicon\(\s*["']([\w-]+)["']""", path.read_text("utf-8")):
            yield name, path.name


def test_every_icon_named_is_in_the_sprite() -> None:
    sprite = "".join((CHIME / "web" / "static" / name).read_text("utf-8") for name in ("icons.svg", "more-icons.svg"))
    known = set(re.findall(r'<symbol id="([\w-]+)"', sprite))
    missing = sorted({f"{where} names {name}" for name, where in _icons_named() if name not in known})
    assert known and not missing, "\n".join(missing)


def test_a_page_that_asks_first_brings_the_script_that_asks() -> None:
    """Without it the form is sent at the first click. What is no page of its own is asked for by the page around it."""
    pages = [template for template in HTML if "data-confirm=" in template.source and "{% extends" in template.source]
    silent = [template.where for template in pages if "js/settings.js" not in template.source]
    assert len(pages) > 3 and not silent, "\n".join(silent)
