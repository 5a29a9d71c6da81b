"""Exports: contacts, conversations, and everything about one person, as a file that is fetched once.

Each goes through an approval. It runs with the rights that its requester has by then, streams into a file encrypted
with a key of its own, and says in every row, openly and not so openly, which export it is.
"""

from chime.exports.actions import NewFile, new_file
from chime.exports.jobs import JOBS
from chime.exports.marks import reference, trace
from chime.exports.model import QUERY_JOB, WORKSPACE_JOB, Asked, Format, Frozen, Kind
from chime.exports.run import folder
from chime.exports.table import MEDIA_TYPES, cell_text, csv_line, field_value, guarded, unguarded

__all__ = ["JOBS", "MEDIA_TYPES", "QUERY_JOB", "WORKSPACE_JOB", "Asked", "Format", "Frozen", "Kind", "NewFile",
           "cell_text", "csv_line", "field_value", "folder", "guarded", "new_file", "reference", "trace", "unguarded"]
