"""Help inside the product: what each thing is for, how it is done, what every error of Meta's means.

Everything is in the program itself and works without a network; the search looks through the same words that are shown,
in the reader's language.
"""

from chime.help.search import named
from chime.help.topics import TOPICS, Topic, topic

__all__ = ["TOPICS", "Topic", "named", "topic"]
