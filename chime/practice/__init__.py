"""Practice: a workspace of its own with a simulated WhatsApp, to try everything before a number of one's own is there.

It is a workspace like any other, so nothing of it mixes with what is real, and it goes as a whole. Promises: its number
and a real one are never connected beside each other, and where a real one comes all the same, as with an import, the
simulator ends; its token goes to the simulator of this process and nowhere else, which listens on no port; its phones
are shown to operators of the installation alone.
"""

from chime.practice.making import make
from chime.practice.model import DISPLAY_PHONE, workspace_name
from chime.practice.queries import real_number, workspace_id
from chime.practice.running import Practice

__all__ = ["DISPLAY_PHONE", "Practice", "make", "real_number", "workspace_id", "workspace_name"]
