"""Ceilings, not averages. A file past one is two files; an exception stands here with its reason."""

from __future__ import annotations

import ast

from tests.architecture.source import CHIME, ROOT, everything, templates

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_LINES_OF_A_TEMPLATE = 150
# path -> why it may be longer
LONG_FILES: dict[str, str] = {}
# path::function -> why it may be longer
LONG_FUNCTIONS: dict[str, str] = {}
LONG_TEMPLATES: dict[str, str] = {}


def _is_migration(path: str) -> bool:
    return path.startswith("migrations/")


def test_files() -> None:
    lengths = {module.where: module.text.count("\n") for module in everything()}
    for pattern in ("*.js", "*.css"):
        for path in (CHIME / "web" / "static").rglob(pattern):
            if "vendor" not in path.parts:
                lengths[str(path.relative_to(ROOT))] = path.read_text("utf-8").count("\n")
    long = {path: lines for path, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE}
    assert not long.keys() - LONG_FILES.keys(), long
    assert not LONG_FILES.keys() - long.keys(), "exceptions that are none any more"


def test_functions() -> None:
    long = {}
    for module in everything():
        if _is_migration(module.where):
            continue  # a step is one SQL script, read from top to bottom
        for function in module.functions:
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > MOST_LINES_OF_A_FUNCTION:
                long[f"{module.where}::{function.name}"] = lines
    assert not long.keys() - LONG_FUNCTIONS.keys(), long
    assert not LONG_FUNCTIONS.keys() - long.keys(), "exceptions that are none any more"


def test_templates() -> None:
    long = {template.name: template.source.count("\n") for template in templates()
            if template.source.count("\n") > MOST_LINES_OF_A_TEMPLATE}
    assert not long.keys() - LONG_TEMPLATES.keys(), long
    assert not LONG_TEMPLATES.keys() - long.keys(), "exceptions that are none any more"


def test_every_module_says_what_it_is_for() -> None:
    silent = [module.where for module in everything() if module.text.strip() and not ast.get_docstring(module.tree)]
    assert not silent, f"no docstring: {silent}"
