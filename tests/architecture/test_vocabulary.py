"""Words that must mean one thing: permissions, audit actions, jobs, live topics."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from chime.security.permissions import GRANTS, OPERATES, Permission
from tests.architecture.source import Module, chime, constant, dotted

ACTION = re.compile(r"[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+")
# What happened, told in the past tense.
PAST = re.compile(r"(ed|sent|[._](read|written|seen|woken|told|"
                  r"found|lost|made|begun|set|put|left|undone|shown|taken|given|chosen|withdrawn))$")
JOB = re.compile(r"[a-z_]+\.[a-z_]+")


def _values(module: Module, node: ast.expr) -> set[str]:
    """Every text an expression may stand for; a local name or a parameter stands for all that is put into it."""
    if isinstance(node, ast.IfExp):
        return _values(module, node.body) | _values(module, node.orelse)
    if (text := constant(module, node)) is not None:
        return {text}
    if not isinstance(node, ast.Name):
        return set()
    given = [statement.value for statement in module.nodes if isinstance(statement, ast.Assign)
             if any(dotted(target) == node.id for target in statement.targets)]
    given += _handed_in(module, node)
    return {text for value in given if not isinstance(value, ast.Name) for text in _values(module, value)}


def _handed_in(module: Module, name: ast.Name) -> list[ast.expr]:
    """What this module's own calls give for a parameter of the function around."""
    found: list[ast.expr] = []
    for function in module.functions:
        names = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        if name.id in names and function.lineno <= name.lineno <= (function.end_lineno or 0):
            place = names.index(name.id)
            for call in module.calls:
                if dotted(call.func) == function.name:
                    found += [keyword.value for keyword in call.keywords if keyword.arg == name.id]
                    found += call.args[place:place + 1]
    return found


def _first_arguments(method: str) -> Iterator[tuple[Module, ast.Call, set[str]]]:
    """Every call of a method of a transaction, with what its first argument may be."""
    for module in chime():
        for call in module.calls:
            receiver, _, name = dotted(call.func).rpartition(".")
            if name == method and receiver and receiver not in ("super", "self") and call.args:
                yield module, call, _values(module, call.args[0])


def test_every_permission_is_asked_for_somewhere() -> None:
    asked = {node.attr for module in chime() if module.name != "chime.security.permissions" for node in module.nodes
             if isinstance(node, ast.Attribute) and dotted(node.value).endswith("Permission")}
    idle = {permission.name for permission in Permission} - asked
    assert not idle, f"no route asks for {sorted(idle)}"


def test_every_permission_is_granted_to_some_role_or_to_operators() -> None:
    granted = frozenset[Permission]().union(OPERATES, *GRANTS.values())
    assert granted == set(Permission)


def test_audit_actions_tell_what_happened() -> None:
    faults = []
    for module, call, actions in _first_arguments("audit"):
        if not actions:
            faults.append(f"{module.at(call)} spell the action out where it is audited")
        faults += [f"{module.at(call)} {action!r} is not `thing.happened`" for action in sorted(actions)
                   if not ACTION.fullmatch(action) or not PAST.search(action)]
    assert not faults, "\n".join(faults)


def _jobs() -> dict[str, list[str]]:
    """Every job's name with the places where its body is named."""
    found = defaultdict(list)
    for module in chime():
        for call in module.calls:
            if dotted(call.func).rpartition(".")[2] == "JobKind":
                named = next((keyword.value for keyword in call.keywords if keyword.arg == "name"), None)
                name = constant(module, call.args[0] if call.args else named)
                found[name or f"unreadable at {module.at(call)}"].append(module.at(call))
    return found


def test_every_job_has_one_body() -> None:
    jobs = _jobs()
    assert not {name: places for name, places in jobs.items() if len(places) > 1 or not JOB.fullmatch(name)}


def test_only_jobs_with_a_body_are_enqueued() -> None:
    known = _jobs().keys()
    faults = [f"{module.at(call)} enqueues {sorted(names) or 'something unreadable'}"
              for module, call, names in _first_arguments("enqueue") if not names or names - known]
    assert not faults, "\n".join(faults)


def test_every_feature_hands_its_jobs_to_the_runner() -> None:
    """`JOBS` of each feature is what the composition root registers; one left out would wait for ever."""
    app = [module for module in chime() if module.name == "chime.app"]
    handed = {dotted(node) for module in app for node in module.nodes
              if isinstance(node, ast.Attribute) and node.attr == "JOBS"}
    owners = {str(module.package) for module in chime() for call in module.calls
              if dotted(call.func).rpartition(".")[2] == "JobKind" and module.package != "jobs"}
    assert not app or len(handed) == len(owners), f"app.py hands over {sorted(handed)}; jobs are in {sorted(owners)}"
