"""The sequence of control.db."""
