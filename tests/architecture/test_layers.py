"""Who may import whom: downwards only, features through their interface, each kind of file only what it needs."""

from __future__ import annotations

from tests.architecture.source import Import, Module, chime, migrations

# architecture.md section 2, top to bottom; `app, cli` spelled out.
LAYERS: tuple[frozenset[str], ...] = tuple(frozenset(line.split()) for line in (
    "__main__",
    "cli",
    "cli_audit cli_backups cli_keys cli_members cli_releases cli_sign_in cli_users cli_workspaces",
    "audit_commands backup_commands demo doctor_commands first_run_commands key_commands member_commands prove_inbox "
    "release_commands sign_in_commands user_commands workspace_commands",
    "releases",
    "setup",
    "serve",
    "app connections memory",
    "first_run",
    "doctor",
    "trust",
    "palette",
    "practice",
    "inbound console simulator reports help floor data_queries",
    "campaigns sequences billing",
    "bots leads commerce forms integrations quick_replies service_level routing",
    "restores handover",
    "erasure",
    "exports",
    "inbox",
    "message_templates prices",
    "channels",
    "notifications",
    "contacts working_time",
    "approvals",
    "accounts audit support",
    "web",  # above jobs: its Services carry the queue and the runner
    "jobs backups",
    "whatsapp workspaces",
    "security",
    "db",
    "checked clock ids errors config log option_values phone resources text_marks",
))
LEAVES = LAYERS[-1]
_FIRST, _LAST, _ROOT = (next(number for number, names in enumerate(LAYERS) if name in names)
                        for name in ("campaigns", "accounts", "app"))
FEATURES = frozenset(name for line in LAYERS[_FIRST:_LAST + 1] for name in line) | {
    "reports", "trust", "help", "palette", "floor", "first_run", "practice", "doctor", "console", "data_queries"}
# The top of the house: commands and the composition root, which names the routes and jobs of each feature.
ROOT_ROOMS = frozenset(name for line in LAYERS[:_ROOT + 1] for name in line)
FORBIDDEN_NAMES = frozenset({"utils", "helpers", "services", "managers", "common", "util", "helper", "service",
                             "manager"})
# module -> why it has such a name all the same
NAMED_ALL_THE_SAME = {
    "chime.web.services": "holds the one object of that name, architecture.md section 6",
}
# What a file of a feature may not import, by its name.
SHAPES = {
    "model": ("db", "jobs", "web", "litestar", "httpx"),
    "queries": ("jobs", "web", "litestar", "httpx"),
    "actions": ("web", "litestar", "httpx"),
    "jobs": ("web", "litestar"),
}


def _line_of(room: str) -> int | None:
    return next((number for number, names in enumerate(LAYERS) if room in names), None)


def _reaches(module: Module) -> list[Import]:
    """What it imports from other rooms, each line once."""
    found = {(entry.target, entry.line): entry for entry in module.imports}
    return [entry for entry in found.values() if entry.package and entry.package != module.package]


def test_every_room_has_a_place_in_the_layers() -> None:
    unknown = {module.package for module in chime() if module.package and _line_of(module.package) is None}
    assert not unknown, f"not in architecture.md section 2: {sorted(unknown)}"


def test_a_room_imports_only_rooms_below_it() -> None:
    faults = []
    for module in chime():
        own = _line_of(module.package) if module.package else None
        for found in _reaches(module):
            other = _line_of(found.package or "")
            both_leaves = module.package in LEAVES and found.package in LEAVES
            if own is not None and other is not None and other <= own and not both_leaves:
                faults.append(f"{module.where}:{found.line} {module.package} imports {found.package}")
    assert not faults, "\n".join(faults)


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {module.name: {found.target for found in module.imports if found.at_start and found.package}
             for module in chime()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "a circle: " + " -> ".join((*path[path.index(name):], name))
        if name not in done:
            for target in sorted(graph.get(name, ())):
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_features_are_entered_through_their_interface() -> None:
    faults = [f"{module.where}:{found.line} reaches into {found.target}"
              for module in chime() if module.package not in ROOT_ROOMS
              for found in _reaches(module)
              if found.package in FEATURES and found.target.count(".") > 1]
    assert not faults, "\n".join(faults)


def test_the_interface_of_a_feature_does_not_load_its_pages() -> None:
    """Else every command of the command line and every job would load the web framework."""
    faults = [f"{module.where}:{found.line} imports {found.target}"
              for module in chime() if module.package in FEATURES and module.file == "__init__"
              for found in module.imports if found.target.rpartition(".")[2] in ("pages", "api")]
    assert not faults, "\n".join(faults)


def test_each_kind_of_file_imports_only_what_it_needs() -> None:
    faults = [f"{module.where}:{found.line} a {module.file}.py may not import {found.target}"
              for module in chime() if module.package in FEATURES and module.file in SHAPES
              for found in module.imports
              if found.package in SHAPES[module.file] or found.library in SHAPES[module.file]]
    assert not faults, "\n".join(faults)


def test_a_queries_file_does_not_import_actions() -> None:
    faults = [f"{module.where}:{found.line}" for module in chime() if module.file in ("queries", "model")
              for found in module.imports if found.target.endswith((".actions", ".jobs", ".pages", ".api"))]
    assert not faults, "\n".join(faults)


def test_migrations_know_nothing_of_the_product() -> None:
    """A step must give the same result for ever, so it cannot lean on code that changes."""
    faults = [f"{module.where}:{found.line} imports {found.target}" for module in migrations()
              if module.file.startswith("m0") for found in module.imports if found.library == "chime"]
    assert not faults, "\n".join(faults)


def test_no_module_is_named_for_nothing() -> None:
    faults = {module.name for module in chime() if FORBIDDEN_NAMES & set(module.name.split("."))}
    assert not faults - NAMED_ALL_THE_SAME.keys(), f"name them for what they hold: {faults}"
    assert not NAMED_ALL_THE_SAME.keys() - faults, "exceptions that are none any more"
