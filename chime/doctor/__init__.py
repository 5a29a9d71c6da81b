"""The doctor: is everything here that Chime and each number need, and what to do where it isn't.

It looks around hourly and when somebody asks, changes nothing at Meta, sends no message and so costs no money. Whoever
must act is told once when something is out of order and once when it is well again. The same checks stand on the pages,
in `chime doctor` and in `chime channel check`.
"""

from chime.doctor.alarms import Alarms
from chime.doctor.ground import Ground
from chime.doctor.model import INSTALLATION, STALE_AFTER, Found, Kept
from chime.doctor.numbers import Trips, of_number, of_workspace
from chime.doctor.outside import RoundTrip, round_trip
from chime.doctor.queries import kept
from chime.doctor.rounds import of_files, of_installation, self_checks
from chime.doctor.watch import Doctor

__all__ = ["INSTALLATION", "STALE_AFTER", "Alarms", "Doctor", "Found", "Ground", "Kept", "RoundTrip",
           "Trips", "kept", "of_files", "of_installation", "of_number", "of_workspace", "round_trip", "self_checks"]
