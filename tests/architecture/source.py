"""The source as the rules see it: modules with their imports and syntax trees, templates without their Jinja.

Parsed once for all rules. What does not exist yet is simply absent.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CHIME = ROOT / "chime"
TEMPLATES = ROOT / "templates"


@dataclass(frozen=True)
class Import:
    """One imported module or name: `from chime.inbox import queries` is `chime.inbox.queries` when that is a module."""

    target: str
    name: str | None
    line: int
    at_start: bool
    """Whether it runs when the module is first imported (not inside a function, not for the type checker alone)."""

    @property
    def library(self) -> str:
        return self.target.partition(".")[0]

    @property
    def package(self) -> str | None:
        """The room of Chime it reaches into: `inbox`, `db`, `clock`; None outside of Chime."""
        return _room(self.target)


@dataclass(frozen=True)
class Module:
    """One file of Python."""

    name: str
    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def package(self) -> str | None:
        return _room(self.name)

    @property
    def file(self) -> str:
        return self.path.stem

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def functions(self) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
        return tuple(node for node in self.nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        return tuple(node for node in self.nodes if isinstance(node, ast.Call))

    def at(self, node: ast.AST) -> str:
        """`chime/inbox/queries.py:12`, for a message."""
        return f"{self.where}:{getattr(node, 'lineno', 1)}"


def _room(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "chime" and len(parts) > 1 else None


def _read(folder: Path) -> Iterator[Module]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield Module(name, path, path.read_text("utf-8"))


@cache
def chime() -> tuple[Module, ...]:
    """Every module of the product."""
    return tuple(_read(CHIME))


@cache
def migrations() -> tuple[Module, ...]:
    return tuple(_read(ROOT / "migrations"))


@cache
def everything() -> tuple[Module, ...]:
    """All Python of the tree: product, steps, tools, tests."""
    return tuple(module for name in ("chime", "migrations", "packaging", "tools", "tests")
                 if (ROOT / name).is_dir() for module in _read(ROOT / name))


@cache
def _module_names() -> frozenset[str]:
    return frozenset(module.name for module in chime())


def _imports(module: Module) -> Iterator[Import]:
    for node, at_start in _import_statements(module.tree, at_start=True):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, node.lineno, at_start)
            continue
        origin = node.module or ""
        if node.level:
            base = module.name.split(".") if module.file == "__init__" else module.name.split(".")[:-1]
            origin = ".".join([*base[:len(base) - node.level + 1], *filter(None, [node.module])])
        for alias in node.names:
            whole = f"{origin}.{alias.name}"
            if whole in _module_names():
                yield Import(whole, None, node.lineno, at_start)
            else:
                yield Import(origin, alias.name, node.lineno, at_start)


def _import_statements(node: ast.AST, *, at_start: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, at_start
        else:
            deferred = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or (
                isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
            yield from _import_statements(child, at_start=at_start and not deferred)


def dotted(node: ast.AST) -> str:
    """`tx.audit` of such an expression; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else node.attr
    return ""


def constant(module: Module, node: ast.AST | None) -> str | None:
    """The text an expression stands for: a literal, or a constant of this module or of one it imports from."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return _named_constant(module, node.id)
    return None


def _named_constant(module: Module, name: str) -> str | None:
    for statement in module.tree.body:
        targets = (statement.targets if isinstance(statement, ast.Assign)
                   else [statement.target] if isinstance(statement, ast.AnnAssign) else [])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = getattr(statement, "value", None)
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    for found in module.imports:
        if found.name == name:
            origin = next((other for other in chime() if other.name == found.target), None)
            return _named_constant(origin, name) if origin else None
    return None


@dataclass(frozen=True)
class Template:
    """One template, and what is left of it when Jinja is taken out (lines stay where they were)."""

    name: str
    path: Path
    source: str

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def html(self) -> str:
        """Plain HTML: an expression becomes a token that is equal for equal expressions, a statement nothing."""
        text = re.sub(r"\{#.*?#\}", _newlines, self.source, flags=re.DOTALL)
        text = re.sub(r"\{%-?\s*trans\b.*?endtrans\s*-?%\}", _newlines, text, flags=re.DOTALL)
        # A block that fills an attribute of the layout holds no words.
        text = re.sub(r"\{%-?\s*block \w+_(?:id|class)\s*-?%\}[^{]*(?=\{%)", "", text)
        text = re.sub(r"\{%.*?%\}", _newlines, text, flags=re.DOTALL)
        return re.sub(r"\{\{-?\s*(.*?)\s*-?\}\}", _token, text, flags=re.DOTALL)


def _newlines(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _token(match: re.Match[str]) -> str:
    return "⟦" + re.sub(r"[^\w.]", "·", match[1]) + "⟧" + _newlines(match)


@cache
def templates() -> tuple[Template, ...]:
    return tuple(Template(str(path.relative_to(TEMPLATES)), path, path.read_text("utf-8"))
                 for path in sorted(TEMPLATES.rglob("*")) if path.suffix in (".html", ".txt", ".xml"))
