"""Who may change rows without an audit row: machine facts that are their own log. A new caller is a decision."""

from __future__ import annotations

import ast

from tests.architecture.source import chime

# module -> what its facts are, and where they are logged
INGESTS = {
    "chime.inbox.bulk_jobs": "what an undo would need is removed; the change is told in the trail",
    "chime.accounts.proof_pages": "questions put to passkeys; their answers are audited",
    "chime.accounts.second_factor_pages": "as above",
    "chime.accounts.sign_in_pages": "sign-ins between their steps; the end of each is audited",
    "chime.accounts.oidc_pages": "sign-ins on their way through the provider; the end of each is audited",
    "chime.accounts.authenticate": "when a session or key was last used; its making was audited",
    "chime.audit.checkpoints": "a copy of the newest checkpoint; that it was made is a row of the trail it signs",
    "chime.audit.trouble": "that a trail is not what it was, for whoever is told; the finding is a row of the trail",
    "chime.accounts.session_watch": "rows of sessions that time ended",
    "chime.accounts.trail_jobs": "copies of control's audit rows, which are audit rows themselves",
    "chime.console.measuring": "sizes and counts of the last look; nobody does anything",
    "chime.channels.jobs": "what Meta says of a number; trouble found in it is audited all the same",
    "chime.doctor.alarms": "a bell for what is in the trail: a check that turned",
    "chime.doctor.watch": "what was found of each check; one that people are told of is audited besides",
    "chime.erasure.again": "refusals of people who are forgotten, put back as hashes; each erasure is audited",
    "chime.erasure.retention": "what an audited rule removes, step by step; its end is audited",
    "chime.erasure.retention_jobs": "when a rule ran; what it removed is audited",
    "chime.erasure.run": "steps of an erasure whose begin and end are audited",
    "chime.exports.run": "how far an export came; its begin and end are audited",
    "chime.handover.run": "how far the making of a file came; its begin and end are audited",
    "chime.inbound.actions": "what belongs to nobody, parked as it came",
    "chime.inbound.jobs": "webhooks; the journal is their log",
    "chime.inbound.parked_watch": "what was delivered or dismissed a month ago; what is lost is audited",
    "chime.inbound.proof_jobs": "counts and what a replay found; both follow from the journal",
    "chime.inbox.delivery": "how far a send came; the send journal is its log",
    "chime.inbox.block_jobs": "what Meta said of a block that a person made, and when it is asked again",
    "chime.inbox.doubt_jobs": "nothing is changed; browsers are told that a doubt asks a person from now on",
    "chime.inbox.jobs": "how far a fetch of a file came",
    "chime.inbox.page_jobs": "how many pages a stored file has",
    "chime.inbox.unsent_file_jobs": "the file of a message whose undo or discarding was audited",
    "chime.inbox.search_jobs": "the search index, made of messages and contacts",
    "chime.message_templates.jobs": "Meta's list of templates, copied",
    "chime.web.mail": "how far a mail came; what it tells of was audited",
    "chime.web.throttle": "failures counted; each is audited where it is found",
    "chime.restores.carrying": "what is carried into a copy that nobody is in; the restore is audited, step by step",
    "chime.restores.holding": "what a restore put on hold; the restore is audited with its counts",
    "chime.routing.presence": "when a page of somebody's was last open; nobody does anything",
    "chime.notifications.delivery_jobs": "who is told, and how far it came to their devices; a message or an "
                                         "audited act is behind each",
    "chime.notifications.digest_jobs": "when a mail told of it",
    "chime.notifications.jobs": "what is too old to be found by anybody",
    "chime.service_level.jobs": "when what waits is due, worked out anew by hours and targets whose change was audited",
    "chime.trust.runner": "what the self-checks found; a claim that breaks or mends is audited besides",
    "chime.web.idempotency": "first answers kept for a repeat; the work they answer was audited",
    "chime.workspaces.rotation": "the same values under another key; the rotation itself is audited",
    "chime.workspaces.transaction": "steps of several sends in one transaction; the send journal is their log",
}


def test_only_reviewed_modules_write_without_an_audit_row() -> None:
    callers = {module.name for module in chime() for call in module.calls
               if isinstance(call.func, ast.Attribute) and (call.func.attr == "ingest"
                                                           or ast.unparse(call.func).endswith("deliveries.run"))}
    assert callers == set(INGESTS)
