"""A workspace as one file: taken along, brought to another server, and switched over last.

The file is whole or refused; nothing of it is readable without its passphrase; what comes out works as it did: sealed
values, stored files, search, the audit trail. Two servers both answer for one workspace only when a person said at the
shell of one, and was wrong, that no other server works with it.
"""

from chime.handover.arriving import Imported, take_in
from chime.handover.going_live import Live, addresses, go_live, hand_over, take_back
from chime.handover.jobs import JOBS
from chime.handover.model import Header, NotTaken
from chime.handover.packing import Lock, Package, new_lock, packed
from chime.handover.queries import numbers, others_of_apps
from chime.handover.server_code import new_code, read_code, server_code
from chime.handover.writing import Exported, export_to

__all__ = ["JOBS", "Exported", "Header", "Imported", "Live", "Lock", "NotTaken", "Package", "addresses", "export_to",
           "go_live", "hand_over", "new_code", "new_lock", "numbers", "others_of_apps", "packed", "read_code",
           "server_code", "take_back", "take_in"]
