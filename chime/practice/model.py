"""What the simulated number is. Its ids begin with a nought, as none of Meta's does: see `chime.whatsapp.simulated`."""

from __future__ import annotations

from collections.abc import Callable

from chime.checked import words

APP_ID = "0200300400500600"
PHONE_NUMBER_ID, WABA_ID = "0411222333444555", "0377001122334455"
# Both say what it is wherever a number of ours is shown, in lists of other programs too.
DISPLAY_PHONE = "+1 555-010-0200 (simulated)"
VERIFIED_NAME = "Harbour Pottery (simulated)"
_NAME = words("Practice (simulated)")


def workspace_name(translated: Callable[[str], str]) -> str:
    """What the workspace is called, in the language of whoever makes it."""
    return translated(_NAME)
