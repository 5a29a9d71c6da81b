"""Service level: which hours and answer times are promised, who hears of it when they are missed, and how content the
customers were.

The clocks themselves run in the inbox, with what starts and stops them; here are the hours and targets they go by, what
follows a missed one (once for each target and run), the question after a resolved conversation (each time asked, or
said why not), and the reports on all of it.
"""

from chime.service_level.jobs import JOBS
from chime.service_level.satisfaction import hear, rating_of

__all__ = ["JOBS", "hear", "rating_of"]
