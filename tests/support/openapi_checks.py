"""What schemathesis is to check besides its own; it loads this in its own process."""

from __future__ import annotations

from typing import Any

import schemathesis

# Rules that no schema can state, by the field a refusal names: opaque cursors, numbers as phones have them, moments of
# our times, and what depends on the rest of the request or on what is stored.
UNSAID = {"at", "cursor", "field_value", "phone", "user_id", "search", "since", "from", "view"}


@schemathesis.check
def refused_for_a_reason(ctx: Any, response: Any, case: Any) -> None:
    """A question that fits the document is answered: a refusal names a rule of the product, or a field whose rule the
    document cannot state. (What is in a body depends on what is stored; there any field may be named.)"""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    problem = response.json()
    if problem.get("code"):
        return
    named = {error["field"] for error in problem.get("errors", ())}
    assert named, f"a refusal that names nothing: {problem}"
    assert "Idempotency-Key" not in named or "used for another request" in problem["detail"], problem
    if case.operation.method.upper() == "GET":
        assert named <= UNSAID, f"the document does not say why: {problem}"
