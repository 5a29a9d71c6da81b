"""The sequence of journal.db."""
