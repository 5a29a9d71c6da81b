"""Write `schema.sql` of every kind from a fresh apply of its steps."""

from pathlib import Path

from chime.db.migrate import Kind, schema

for kind in Kind:
    target = Path(__file__).parent / kind.value / "schema.sql"
    target.write_text(schema(kind), "utf-8")
    print(target.relative_to(Path(__file__).parent.parent))
