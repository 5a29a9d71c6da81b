"""Message templates: Meta's approved texts, the only thing that may be sent outside the reply window.

Meta's copy is the truth; ours is synced from it and from its webhooks, and says what may be sent and with which
parameters.
"""

from chime.message_templates.actions import SYNC, apply_change, replace_all
from chime.message_templates.model import MessageTemplate, Parameter, components_from, filled_text, parameters
from chime.message_templates.queries import approved, categories, template

__all__ = ["SYNC", "MessageTemplate", "Parameter", "apply_change", "approved", "categories", "components_from",
           "filled_text", "parameters", "replace_all", "template"]
