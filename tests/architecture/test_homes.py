"""Each library, each source of chance and time, and each way to write has one home."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from tests.architecture.source import Module, chime, constant, dotted
from tests.architecture.test_layers import FEATURES

Home = Callable[[Module], bool]
# module -> why it must see a request although it is none of the web's files
SEE_REQUESTS = {
    "chime.accounts.authenticate": "reads the cookie or the key of a request; the web kit knows no accounts",
}


def _is_web(module: Module) -> bool:
    return (module.package in ("app", "serve", "demo", "web", "simulator") or module.name in SEE_REQUESTS
            or module.file in ("pages", "api", "webhook") or module.file.endswith(("_pages", "_api")))


def _is_client(module: Module) -> bool:
    return (module.name in ("chime.whatsapp.client", "chime.whatsapp.transport", "chime.web.egress")
            or module.package == "simulator")


def _is_storage(module: Module) -> bool:
    return module.package in ("db", "workspaces", "backups")


def _is_server(module: Module) -> bool:
    return module.package in ("serve", "connections", "demo", "simulator")


LIBRARIES: dict[str, Home] = {
    "litestar": _is_web,
    "jinja2": _is_web,
    "httpx": _is_client,
    "httpcore": lambda module: module.name == "chime.web.egress",
    "smtplib": lambda module: module.name == "chime.web.smtp",
    "uvicorn": _is_server,
    "huey": lambda module: module.package == "jobs",
    **dict.fromkeys(("cryptography", "fido2"), lambda module: module.package == "security"),
    **dict.fromkeys(("sqlite3", "sqlcipher3", "aiosqlite", "sqlite_utils"), _is_storage),
    "uuid": lambda module: module.package == "ids",
    "secrets": lambda module: module.package == "ids",
}
# What only these rooms may ask the machine for. Nonces are made where they are used up.
ASKED: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({"clock"}), frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today",
                                      "time.time", "time.time_ns"})),
    (frozenset({"ids", "security"}), frozenset({"os.urandom", "random.random", "random.choice", "random.randint"})),
    (frozenset({"config"}), frozenset({"os.environ", "os.getenv", "os.putenv"})),
)
WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER)\b")
SQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|PRAGMA|ATTACH|CREATE|DROP|ALTER)\s")
# module::what it does -> why it may put something other than a constant into SQL
BUILT_SQL = {
    "chime.db.connection::key.hex()": "SQLCipher takes a raw key in no other way; it is our own 64 hex digits",
    "chime.db.connection::name": "a PRAGMA takes no parameters; the names stand in _SETTINGS",
    "chime.db.connection::value": "as above",
    "chime.db.file::usual": "a PRAGMA takes no parameters; it is a number that SQLite said a moment ago",
    "chime.db.copies::_quoted(table)": "names that the file's own schema gave, quoted",
    "chime.db.copies::_quoted(column)": "as above",
    "chime.data_queries.catalogue::told": "columns and names that stand in CATALOGUE, laid together once a question",
    "chime.data_queries.catalogue::self.name": "as above",
    "chime.db.questioned::name": "as above; in a process that reads views alone",
    "chime.db.questioned::one.name": "as above",
    "chime.db.questioned::', '.join(columns)": "as above",
    "chime.db.questioned::', '.join(one.columns)": "as above",
    "chime.db.questioned::', '.join(view.columns)": "as above",
    "chime.db.questioned::view.name": "as above",
    "chime.db.questioned::view.select": "as above",
    "chime.db.group_commit::table": "statements are written once at start from constants; values go in as parameters",
    "chime.db.group_commit::', '.join(columns)": "as above",
    "chime.db.rekey::key.hex()": "SQLCipher takes a raw key in no other way; it is our own 64 hex digits",
    "chime.db.rekey::new.hex()": "as above",
    "chime.security.scope::fragment": "constants of that module, laid together once at import",
    "chime.db.migrate::number": "a PRAGMA takes no parameters; it is made of two counts",
}


def test_libraries_are_used_where_they_live() -> None:
    faults = [f"{module.where}:{found.line} imports {found.library}"
              for module in chime() for found in module.imports
              if found.library in LIBRARIES and not LIBRARIES[found.library](module)]
    assert not faults, "\n".join(faults)


def asked(module: Module) -> Iterator[tuple[str, int]]:
    for node in module.nodes:
        if isinstance(node, ast.Attribute):
            yield re.sub(r"^datetime\.(datetime|date)\.", r"\1.", dotted(node)), node.lineno
    for found in module.imports:
        yield f"{found.target}.{found.name}", found.line


def test_time_chance_and_environment_are_asked_in_their_leaf() -> None:
    faults = [f"{module.where}:{line} {name}" for module in chime() for name, line in asked(module)
              for homes, names in ASKED if name in names and module.package not in homes]
    assert not faults, "\n".join(faults)


def test_queries_never_write() -> None:
    faults = []
    for module in chime():
        if module.file != "queries" and not module.file.endswith("_queries"):
            continue
        for node in module.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and WRITES.match(node.value):
                faults.append(f"{module.at(node)} {node.value[:40]!r}")
            if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in (
                    "execute", "executemany", "audit", "enqueue", "publish", "journal", "write", "ingest"):
                faults.append(f"{module.at(node)} calls {dotted(node.func)}")
    assert not faults, "\n".join(faults)


def test_verbs_cannot_see_the_network() -> None:
    """A file with functions that take `tx` holds neither Meta's client nor a socket; jobs may, between transactions."""
    faults = []
    for module in chime():
        takes_tx = any(function.args.args and function.args.args[0].arg == "tx" for function in module.functions)
        if module.package not in FEATURES or not takes_tx or module.file in ("jobs", "pages", "api", "delivery"):
            continue
        faults += [f"{module.where}:{found.line} imports {found.target} {found.name or ''}" for found in module.imports
                   if found.library in ("httpx", "socket", "urllib", "litestar") or found.package == "web"
                   or found.target in ("chime.whatsapp.client", "chime.whatsapp.transport")
                   or found.name in ("GraphClient", "Work")]
    assert not faults, "\n".join(faults)


def awaits_the_network(block: ast.AsyncWith) -> Iterator[ast.Call]:
    for node in ast.walk(block):
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            parts = dotted(node.value.func).split(".")
            if {"graph", "client", "httpx", "transport", "egress"} & set(parts[:-1]):
                yield node.value


def test_no_transaction_is_open_while_the_network_is_awaited() -> None:
    faults = []
    for module in chime():
        for node in module.nodes:
            if isinstance(node, ast.AsyncWith) and any(
                    isinstance(item.context_expr, ast.Call)
                    and dotted(item.context_expr.func).rpartition(".")[2] in ("write", "ingest", "transaction")
                    for item in node.items):
                faults += [f"{module.at(call)} awaits {dotted(call.func)}" for call in awaits_the_network(node)]
    assert not faults, "\n".join(faults)


def is_fixed(module: Module, node: ast.expr) -> bool:
    """Whether the author wrote every letter of this: literals, ALL_CAPS constants, question marks, and what is made
    of those. Never a value that came from outside."""
    match node:
        case ast.Constant():
            return True
        case ast.JoinedStr(values=parts):
            return all(is_fixed(module, part) for part in parts)
        case ast.FormattedValue(value=inner) | ast.Subscript(value=inner):
            return is_fixed(module, inner)
        case ast.IfExp(body=first, orelse=second) | ast.BinOp(left=first, op=ast.Add(), right=second):
            return is_fixed(module, first) and is_fixed(module, second)
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[argument]):
            return is_fixed(module, argument)
        case ast.BinOp(left=ast.Constant() | ast.List(elts=[ast.Constant()]), op=ast.Mult()):
            return True
        case ast.Name() | ast.Attribute():
            name = dotted(node).rpartition(".")[2].lstrip("_")
            return (name == name.upper() and not name.isdigit()) or _is_fixed_local(module, node)
    return False


def _is_fixed_local(module: Module, node: ast.expr) -> bool:
    """Whether a local name only ever gets fixed texts."""
    if not isinstance(node, ast.Name):
        return False
    around = [function for function in module.functions
              if function.lineno <= node.lineno <= (function.end_lineno or function.lineno)]
    if not around:
        return False
    given = [statement.value for statement in ast.walk(around[-1])
             if (isinstance(statement, ast.Assign) and any(dotted(target) == node.id for target in statement.targets))
             or (isinstance(statement, (ast.AnnAssign, ast.AugAssign)) and dotted(statement.target) == node.id)]
    return bool(given) and all(value is not None and is_fixed(module, value) for value in given)


def sql_parts(module: Module, node: ast.AST) -> list[ast.expr]:
    """The pieces of an expression that makes an SQL text, else nothing."""
    match node:
        case ast.JoinedStr(values=parts):
            pieces = [part.value if isinstance(part, ast.FormattedValue) else part for part in parts]
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            pieces = [*sql_parts(module, left), right] if isinstance(left, ast.BinOp) else [left, right]
        case ast.Call(func=ast.Attribute(value=text, attr="format"), args=arguments, keywords=named):
            pieces = [text, *arguments, *(keyword.value for keyword in named)]
        case _:
            return []
    start = constant(module, pieces[0]) if pieces else None
    return pieces if start and SQL.match(start) else []


def test_sql_is_never_built_from_values() -> None:
    faults = {f"{module.name}::{ast.unparse(part)}": module.at(node)
              for module in chime() for node in module.nodes
              for part in sql_parts(module, node) if not is_fixed(module, part)}
    assert not faults.keys() - BUILT_SQL.keys(), faults
    assert not BUILT_SQL.keys() - faults.keys(), "exceptions that are none any more"
