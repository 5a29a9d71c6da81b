"""The command palette (Ctrl+K): every place and every action by its name, without the mouse.

What stands on the page offers itself, so the palette can never do what the page doesn't offer; places, people, quick
replies and help come from the server, which lists only what the person may open.
"""
