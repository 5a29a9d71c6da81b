"""Routing: who gets a conversation that nobody has, and who can be given one now.

A conversation follows the rule of its team, or of its number when it is no team's. It is given only to somebody who
takes part, may answer it, is available and has room; when nobody is, it waits, and the longest waiting one is given the
moment somebody has a hand free. No two drains give the same one, and nobody is given more than their capacity. Every
choice can be explained, and is. Who is off shift or absent counts as away; for the absent a colleague may stand in.
"""

from chime.routing.jobs import JOBS
from chime.routing.model import Because, Choice, Method, Place, Rule, Standing, Status, Verdict
from chime.routing.places import places as all_places
from chime.routing.places import sees
from chime.routing.queries import agents, settings
from chime.routing.standing_in import customer_wrote

__all__ = ["JOBS", "Because", "Choice", "Method", "Place", "Rule", "Standing", "Status", "Verdict", "agents",
           "all_places", "customer_wrote", "sees", "settings"]
