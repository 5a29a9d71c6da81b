"""The rules on code made to break them: a rule that can't find its own fault would keep nothing."""

from __future__ import annotations

import ast

import pytest

from tests.architecture import test_homes, test_templates, test_vocabulary
from tests.architecture.source import ROOT, TEMPLATES, Import, Module, Template


def _module(*lines: str) -> Module:
    return Module("chime.inbox.queries", ROOT / "chime" / "inbox" / "queries.py", "\n".join(lines))


def _query(sql: str, *before: str) -> Module:
    return _module('QUERY = "SELECT * FROM contact"', "async def contact(db, given):", *before,
                   f"    return await db.all(Contact, {sql})")


def _loose_parts(module: Module) -> list[str]:
    return [ast.unparse(part) for node in module.nodes for part in test_homes.sql_parts(module, node)
            if not test_homes.is_fixed(module, part)]


@pytest.mark.parametrize("module", [
    _query('f"SELECT * FROM contact WHERE id = {given}"'),
    _query('"SELECT * FROM contact WHERE id = " + given'),
    _query('"SELECT * FROM contact WHERE id = %s" % given'),
    _query('"SELECT * FROM contact WHERE id = {}".format(given)'),
    _query('QUERY + " WHERE " + given + " LIMIT 1"'),
    _query("QUERY + where", '    where = " WHERE "', "    where += given"),
])
def test_sql_with_a_value_in_it_is_found(module: Module) -> None:
    assert _loose_parts(module)


@pytest.mark.parametrize("module", [
    _query('QUERY + " WHERE id = ?", given'),
    _query('f"{QUERY} WHERE id IN ({\', \'.join(\'?\' * len(given))})", *given'),
    _query("QUERY + where", '    where = " WHERE a" if given else ""'),
])
def test_sql_the_author_wrote_is_left_alone(module: Module) -> None:
    assert not _loose_parts(module)


@pytest.mark.parametrize("line", [
    "moment = datetime.now(UTC)", "moment = datetime.datetime.now()", "day = date.today()", "second = time.time()",
    "from time import time", "from os import environ", 'home = os.environ["HOME"]', 'home = os.getenv("HOME")',
])
def test_time_and_environment_are_found(line: str) -> None:
    names = {name for name, _ in test_homes.asked(_module(line))}
    assert any(names & wanted for _, wanted in test_homes.ASKED)


def test_the_network_in_a_transaction_is_found() -> None:
    module = _module("async def deliver(work):", '    async with work.workspace.write("x") as tx:',
                     "        await work.graph.send(1)", "    await work.graph.send(2)")
    blocks = [node for node in module.nodes if isinstance(node, ast.AsyncWith)]
    assert [call.lineno for block in blocks for call in test_homes.awaits_the_network(block)] == [3]


def test_imports_are_seen_where_they_hide() -> None:
    module = _module("from . import model", "from chime.contacts.actions import create", "def late():",
                     "    import httpx")
    assert [(found.target, found.at_start) for found in module.imports] == [
        ("chime.inbox.model", True), ("chime.contacts.actions", True), ("httpx", False)]
    assert Import("chime.inbox.queries", None, 1, True).package == "inbox"


@pytest.mark.parametrize("source", [
    '<p style="color: red">', '<a onclick="go()">', "<style>", '<a href="javascript:go()">', '<p hx-on:click="go()">',
    '<p hx-trigger="click[ctrlKey]">',
])
def test_what_the_content_policy_blocks_is_found(source: str) -> None:
    assert any(pattern.search(_template(source).html) for pattern in test_templates.BANNED.values())


def _template(source: str) -> Template:
    return Template("inbox/index.html", TEMPLATES / "inbox" / "index.html", source)


def test_what_a_template_lacks_is_found() -> None:
    page = test_templates.Page(_template(
        '<img src="{{ photo }}"><input name="a"><label>{{ _("Name") }}<input name="b"></label><p>Bare words</p>'))
    assert "alt" not in page.images[0][1]
    assert [inside for _, _, inside in page.controls] == [False, True]
    assert "Bare words" in [text for _, text in page.words]


@pytest.mark.parametrize(("action", "fits"), [
    ("contact.renamed", True), ("message.sent", True), ("conversation.read", True), ("contact.rename", False),
    ("renamed", False), ("Contact.Renamed", False),
])
def test_audit_actions(action: str, fits: bool) -> None:
    found = bool(test_vocabulary.ACTION.fullmatch(action) and test_vocabulary.PAST.search(action))
    assert found is fits
