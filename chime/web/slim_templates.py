"""Templates without the indentation of their tags: it is for who writes them, and was a twentieth of each page.

Only the text of templates is touched, never what is put into them, and only before a tag: what stands in a `<pre>` or
in a message of the catalogue keeps its spaces.
"""

from __future__ import annotations

import re

from jinja2.ext import Extension

_INDENT = re.compile(r"\n[ \t]+(?=<)")


class Slim(Extension):
    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return _INDENT.sub("\n", source)
