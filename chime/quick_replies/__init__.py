"""Quick replies: texts and files somebody has at hand while writing, found with a slash.

One belongs to a person, a team or everybody, and only those see it; its code is unique among what whoever saved it
sees. Blanks are filled for one conversation on the server, and a number is as masked in them as everywhere else.
"""

from chime.quick_replies.actions import FORGET
from chime.quick_replies.jobs import JOBS
from chime.quick_replies.model import NewReply, QuickReply, ReplyFile, Scope
from chime.quick_replies.queries import replies, reply

__all__ = ["FORGET", "JOBS", "NewReply", "QuickReply", "ReplyFile", "Scope", "replies", "reply"]
