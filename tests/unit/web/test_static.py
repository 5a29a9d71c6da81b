"""What goes to a browser: colours that can be read, few bytes, third-party files that are the pinned ones."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from functools import cache
from pathlib import Path

import brotli
import pytest

from chime.web.static_files import StaticFiles

ROOT = Path(__file__).resolve().parents[3]
STATIC = ROOT / "chime" / "web" / "static"
LOCK = ROOT / "tools" / "vendor.lock.json"
TOKENS = (STATIC / "css" / "tokens.css").read_text("utf-8")
THEMES = ("light", "dark")

# What the page of an open conversation fetches before anybody touches it; the rest comes on first use.
COLD = ("css/shell.css", "css/conversation.css", "js/core.js", "js/live.js", "js/thread.js",
        "vendor/htmx.esm.min.js", "icons.svg", "favicon.svg")
COLD_BUDGET = 35_500  # of the page, with its HTML and the headers of every answer (tests/bench inbox weighs it whole)

TEXT, CONTROL = 4.5, 3.0  # WCAG 2.2: 1.4.3 and 1.4.11
ON_SURFACES = ("text", "text-2", "text-3", "accent", "danger", "warn", "info")
PAIRS = (
    *((text, surface, TEXT) for text in ON_SURFACES for surface in ("bg", "surface")),
    *((text, surface, TEXT) for text in ("text", "text-2") for surface in ("surface-2", "surface-3", "bubble-out",
                                                                          "bubble-in")),
    ("text-3", "surface-2", TEXT), ("accent", "bubble-out", TEXT), ("accent", "bubble-in", TEXT),
    ("on-accent", "accent", TEXT), ("on-accent", "accent-hover", TEXT), ("on-accent-soft", "accent-soft", TEXT),
    ("text", "accent-soft", TEXT), ("on-note", "note", TEXT), ("danger", "danger-soft", TEXT),
    ("warn", "warn-soft", TEXT), ("info", "info-soft", TEXT), ("surface", "danger", TEXT), ("bg", "text", TEXT),
    ("on-rail", "rail", TEXT), ("on-rail-mark", "rail-mark", TEXT), ("on-rail-badge", "rail-badge", TEXT),
    ("line-strong", "bg", CONTROL), ("line-strong", "surface", CONTROL), ("tick-read", "bubble-out", CONTROL),
    ("focus", "bg", CONTROL), ("focus", "surface", CONTROL), ("danger", "bubble-out", CONTROL),
    ("warn", "bubble-out", CONTROL),
)


@cache
def tokens(theme: str) -> dict[str, str]:
    """Every colour token of a theme as six hex digits."""
    pairs = re.findall(r"--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)", TOKENS)
    return {name: light if theme == "light" else dark for name, light, dark in pairs}


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    shares = [int(colour[start:start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_wcag_says() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("front", "back", "least"), PAIRS, ids=lambda value: str(value))
def test_colours_can_be_told_apart(front: str, back: str, least: float, theme: str) -> None:
    known = tokens(theme)
    assert contrast(known[front], known[back]) >= least


def test_old_browsers_get_the_light_theme() -> None:
    fallback = TOKENS.partition("@supports not")[2]
    written = dict(re.findall(r"--([\w-]+): #(\w{6})", fallback))
    assert written == tokens("light")


def test_a_theme_is_other_colours_and_no_other_page() -> None:
    """Hence a page that everybody can use in light is only looked at for its colours in dark (`examine_themes`)."""
    for sheet in (STATIC / "css").rglob("*.css"):
        told = sheet.read_text("utf-8")
        if sheet.name == "tokens.css":
            told = re.sub(r'data-theme="(light|dark)"\] \{ color-scheme: \1; \}', "", told)
            assert "data-theme" not in told and "prefers-color-scheme" not in told
        else:
            assert not re.search("data-theme|color-scheme|light-dark", told), sheet.name


def test_every_custom_property_is_a_token() -> None:
    defined = set(re.findall(r"--([\w-]+):", TOKENS))
    faults = {f"{path.name}: --{name}" for path in (STATIC / "css").glob("*.css")
              for name in re.findall(r"var\(--([\w-]+)", path.read_text("utf-8"))
              if name not in defined and f"--{name}:" not in path.read_text("utf-8")}
    assert not faults


def test_layout_follows_the_direction_of_writing() -> None:
    physical = re.compile(r"(?<![\w-])(?:(?:margin|padding|border)-(?:left|right)|left|right|width|height|"
                          r"(?:min|max)-(?:width|height))\s*:|text-align:\s*(?:left|right)")
    faults = []
    for path in (STATIC / "css").glob("*.css"):
        # A query about the screen's width has no other name for it.
        css = re.sub(r"/\*.*?\*/|@(?:media|container)[^{]*", "", path.read_text("utf-8"), flags=re.DOTALL)
        faults += [f"{path.name}: {found.group(0)}" for found in physical.finditer(css)]
    assert not faults


async def test_the_page_stays_light() -> None:
    served = StaticFiles()
    sizes = {name: len((await served.answer(name, accepts="gzip, deflate, br, zstd")).content) for name in COLD}
    assert sum(sizes.values()) <= COLD_BUDGET, sizes


@pytest.mark.parametrize(("accepts", "encoding"), [
    ("gzip, deflate, br, zstd", "br"), ("br;q=0.5, gzip;q=1.0", "br"), ("GZIP , deflate", "gzip"), ("br", "br"),
    ("br; q=0.0, gzip", "gzip"), ("br;q=0,gzip;q=0", ""), ("", ""), ("identity", ""), ("brotli, gzipped, *;q=", ""),
])
async def test_a_file_is_sent_as_its_reader_takes_it(accepts: str, encoding: str) -> None:
    served = StaticFiles()
    for _ in range(2):
        answer = await served.answer("js/core.js", accepts=accepts)
        unpacked = {"": bytes, "gzip": gzip.decompress, "br": brotli.decompress}[encoding](answer.content)
        assert unpacked == served.body("js/core.js")
        assert (answer.headers.get("Content-Encoding", ""), answer.headers["Vary"]) == (encoding, "Accept-Encoding")
    icon = await served.answer("favicon.svg", accepts=accepts)
    assert "Content-Encoding" not in icon.headers, "so small that packing it makes it larger"


def test_cold_files_are_those_the_page_asks_for() -> None:
    """The list above is what templates and modules name, so the budget cannot be kept by forgetting a file."""
    shown = [ROOT / "templates" / name for name in ("layout/base.html", "layout/app.html", "inbox/index.html")]
    sources = "\n".join(path.read_text("utf-8") for path in shown)
    asked = {f"css/{name}.css" for name in re.findall(r"css/([\w-]+)\.css", sources)}
    asked |= {f"js/{name}.js" for name in re.findall(r"js/([\w-]+)\.js", sources)}
    served = StaticFiles()
    for name in [name for name in asked if name.startswith("js/")]:
        others = re.findall(r"(?:^|;)(?:import|export)(?:[^;()]*from)?'\./([\w.-]+)'", served.body(name).decode(), re.M)
        asked |= {f"js/{other}" for other in others}
    on_first_sight = {"css/phone.css", "js/phone.js", "css/later.css", "css/demo.css"}
    assert asked - on_first_sight == {name for name in COLD if name.startswith(("css/", "js/"))}


def test_vendored_files_are_the_pinned_ones() -> None:
    packages = json.loads(LOCK.read_text("utf-8"))["packages"]
    pinned = {}
    for package in packages:
        assert re.fullmatch(r"sha512-[\w+/]{86}==", package["integrity"])
        pinned |= {file["to"]: file["integrity"] for file in package["files"]}
    for name, integrity in pinned.items():
        digest = hashlib.sha512((ROOT / name).read_bytes()).digest()
        assert "sha512-" + base64.b64encode(digest).decode() == integrity, name
    folders = (STATIC / "vendor", ROOT / "tests" / "browser" / "vendor")
    present = {str(path.relative_to(ROOT)) for folder in folders for path in folder.iterdir()}
    assert present == set(pinned), "a vendored file is not in the lock"


def test_the_sprite_is_what_its_list_says() -> None:
    source = (ROOT / "tools" / "icons.py").read_text("utf-8")
    listed = set(re.findall(r'"([\w-]+)"', source.partition("NAMES = (")[2].partition("\n)")[0]))
    assert listed == set(StaticFiles().icons)
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons.svg").read_text("utf-8")))
    first = set(re.findall(r'"([\w-]+)"', source.partition("FIRST = (")[2].partition("\n)")[0]))
    assert drawn == first <= listed


def test_every_script_that_a_page_names_has_its_integrity() -> None:
    named = re.compile(r'<script[^>]* src="\{\{ static\(([^}]*)\) \}\}"([^>]*)>|<link rel="modulepreload"[^>]*>')
    faults = [f"{path.name}: {tag.group(0)}" for path in (ROOT / "templates").rglob("*.html")
              for tag in named.finditer(path.read_text("utf-8")) if "integrity=" not in tag.group(0)]
    assert not faults, "\n".join(faults)


def test_every_icon_drawn_is_used() -> None:
    texts = "\n".join(path.read_text("utf-8") for path in (*(ROOT / "templates").rglob("*.html"),
                                                           *(ROOT / "chime").rglob("*.py")))
    assert not {name for name in StaticFiles().icons if f'"{name}"' not in texts}


def test_scripts_make_no_markup_and_run_no_text() -> None:
    banned = re.compile(r"\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function|\.setHTML")
    faults = {path.name for path in (STATIC / "js").glob("*.js") if banned.search(path.read_text("utf-8"))}
    assert not faults


def test_words_of_the_scripts_are_in_the_page() -> None:
    """Each name that a script asks for stands in the block of words, and none stands there for nothing."""
    block = (ROOT / "templates" / "layout" / "_strings.json.html").read_text("utf-8")
    given = set(re.findall(r'^\s*"(\w+)":', block, re.M))
    used: set[str] = set()
    for path in (STATIC / "js").glob("*.js"):
        text = path.read_text("utf-8")
        for call in re.findall(r"\bwords\(([^()]*)", text):
            used |= set(re.findall(r"'(\w+)'", call))
    assert used & given == given, given - used
    assert not {name for name in used if "_" in name} - given


def test_styles_mean_the_same_without_their_spaces() -> None:
    """The minifier once made `.a :is(b)`, something inside of .a, into `.a:is(b)`, .a itself."""
    files = StaticFiles()
    for path in sorted(STATIC.glob("css/*.css")):
        rules = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.S)
        written = len(re.findall(r"(?<=[\w\])\"]) :[a-z]", rules))
        kept = files.body(f"css/{path.name}").decode().count(" *:")
        assert kept >= written, path.name
