"""The history of every kind of file: one folder, one sequence. `python -m migrations` writes the schema files anew."""
