"""What tells the simulated WhatsApp from Meta's: its ids and its tokens begin with a nought, which none of Meta's does.

So no call can go astray: a simulated token never reaches Meta, and a real one never the simulator, whatever else is
connected.
"""

from __future__ import annotations

MARK = "0"


def is_simulated(id_or_token: str) -> bool:
    return id_or_token.startswith(MARK)
