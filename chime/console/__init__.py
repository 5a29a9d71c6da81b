"""The console: what the operators of an installation see of its workspaces, and what they may do to them.

It counts and measures, and never reads what anybody wrote: sizes, numbers of messages, times and states. No customer's
word, name or number is on any page of it. Operators suspend, limit and make workspaces here; they open none.
"""

from chime.console.measuring import look, watch

__all__ = ["look", "watch"]
