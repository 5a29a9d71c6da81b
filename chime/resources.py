"""Files that ship with the program: templates and static files.

They are read the same way from a checkout and from the built archive. `importlib.resources.files("templates")` and
Jinja's `PackageLoader` differ between the two; a path beside the `chime` package does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def _beside() -> Traversable:
    return files("chime").joinpath("..")


def template_source(name: str) -> str | None:
    """The text of a template, or None when there is none of that name."""
    if ".." in name:
        return None
    path = _beside() / "templates" / name
    return path.read_text("utf-8") if path.is_file() else None


def template_names() -> Iterator[str]:
    """Every template, as its name from below `templates/`."""
    for name, path in _walk(_beside() / "templates"):
        if path.name.endswith((".html", ".xml", ".txt")):
            yield name


def template_folder() -> Path | None:
    """Where the templates lie, when they are files of their own."""
    folder = _beside() / "templates"
    return folder if isinstance(folder, Path) and folder.is_dir() else None


def static_files() -> dict[str, bytes]:
    """Every static file by its name below `/static/<build>/`."""
    return {name: path.read_bytes() for name, path in _walk(files("chime") / "web" / "static")}


def catalogue_files() -> dict[str, bytes]:
    """Compiled message catalogues by locale."""
    return {name.split("/")[0]: path.read_bytes() for name, path in _walk(files("chime") / "locale")
            if name.endswith(".mo")}


def schema_text(kind: str) -> str:
    """The written-down schema of one kind of file (control, workspace, journal)."""
    return (_beside() / "migrations" / kind / "schema.sql").read_text("utf-8")


def _walk(root: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    if not root.is_dir():
        return
    for entry in sorted(root.iterdir(), key=lambda path: path.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry
