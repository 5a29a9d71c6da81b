"""Who may change rows without an audit row: machine facts that are their own log. A new caller is a decision."""

from __future__ import annotations

import ast

from tests.architecture.source import chime

# module -> what its facts are, and where they are logged
INGESTS = {
    "chime.accounts.authenticate": "when a session or key was last used; its making was audited",
    "chime.channels.jobs": "what Meta says of a number; trouble found in it is audited all the same",
    "chime.inbound.actions": "what belongs to nobody, parked as it came",
    "chime.inbound.jobs": "webhooks; the journal is their log",
    "chime.inbound.proof_jobs": "counts and what a replay found; both follow from the journal",
    "chime.inbox.delivery": "how far a send came; the send journal is its log",
    "chime.inbox.doubt_jobs": "nothing is changed; browsers are told that a doubt asks a person from now on",
    "chime.inbox.jobs": "how far a fetch of a file came",
    "chime.inbox.search_jobs": "the search index, made of messages and contacts",
    "chime.message_templates.jobs": "Meta's list of templates, copied",
    "chime.web.idempotency": "first answers kept for a repeat; the work they answer was audited",
    "chime.workspaces.transaction": "steps of several sends in one transaction; the send journal is their log",
}


def test_only_reviewed_modules_write_without_an_audit_row() -> None:
    callers = {module.name for module in chime() for call in module.calls
               if isinstance(call.func, ast.Attribute) and (call.func.attr == "ingest"
                                                           or ast.unparse(call.func).endswith("deliveries.run"))}
    assert callers == set(INGESTS)
