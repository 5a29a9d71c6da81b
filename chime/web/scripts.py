"""Scripts that the first sight of a page needs at once, served as one: each answer fewer saves its headers, and what
they have in common is compressed once.

A part stands behind the script it comes with, in a block, so its names stay its own. Promise: what is imported from a
script is the same thing for everybody, for nobody imports from a part; and a part takes no name of the script it stands
in by accident (tests/unit/web/test_scripts.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

TOGETHER = {"core.js": ("leave.js", "zone.js"),
            "live.js": ("bell.js",),
            "thread.js": ("inbox.js", "rows.js", "write.js")}
_IMPORT = re.compile(r"^import (?:\{ ([^}]*) \} from )?'\./([\w.-]+)';\n", re.M)


class CannotJoin(Exception):
    """A part that is written in a way that a block cannot hold."""


def joined(name: str, sources: Mapping[str, str]) -> str:
    """The text of a script with its parts; `sources` has all by their names."""
    members = (name, *TOGETHER.get(name, ()))
    wanted: dict[str, set[str]] = {}
    bodies = []
    for member in members:
        for names, source in _IMPORT.findall(sources[member]):
            if source not in members:
                wanted.setdefault(source, set()).update(names.split(", ") if names else ())
        body = _IMPORT.sub("", sources[member])
        if member != name:
            if re.search(r"^(?:import|export)\b", body, re.M):
                raise CannotJoin(f"{member} stands in {name}, so it may neither export nor import in this way")
            body = f"{{\n{body}}}\n"
        bodies.append(body)
    return "".join(_import_of(source, names) for source, names in wanted.items()) + "".join(bodies)


def _import_of(source: str, names: set[str]) -> str:
    return f"import {{ {', '.join(sorted(names))} }} from './{source}';\n" if names else f"import './{source}';\n"
