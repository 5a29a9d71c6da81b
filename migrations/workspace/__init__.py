"""The sequence of workspace.db."""
