"""Chime: a self-hosted WhatsApp Business CRM. Open `chime/app.py` for the table of contents."""

import sys
from typing import Any, cast

__version__ = "0.1.0"

# httpx brings the command line it has for people into every process that finds rich and click installed, as Litestar's
# needs do: 70 modules and three megabytes nobody here uses. Absent, it does without, as it is made to.
cast(dict[str, Any], sys.modules).setdefault("httpx._main", None)
