"""Structured logs: an event name and a short list of fields, as text or JSON lines.

Promise: nothing a customer wrote, no phone number, no token. The call sites pass ids and counts only; as a second
net the formatter masks what looks like a number or a secret, so a slip of a library's own message does no harm either.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any

_SECRET = re.compile(r"EAA[A-Za-z0-9]{20,}|chime_[A-Za-z0-9_-]{20,}|Bearer\s+\S+|wamid\.[A-Za-z0-9+/=_-]+")
_NUMBER = re.compile(r"(?<![\w.:-])\+?\d{9,15}(?![\w.:-])")


def redact(text: str) -> str:
    """`text` without anything that looks like a token, a message id of Meta's or a phone number."""
    return _NUMBER.sub("[number]", _SECRET.sub("[secret]", text))


class Log:
    """One named source of events."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"chime.{name}")

    def info(self, event: str, **fields: Any) -> None:
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Any) -> None:
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, error: BaseException | None = None, **fields: Any) -> None:
        """Something failed. Of the exception only its type and place are written: its message may hold input."""
        if error is not None:
            fields["error"] = type(error).__name__
            fields["at"] = _place(error)
        self._logger.error(event, extra={"fields": fields})


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        name = code.co_filename.replace("\\", "/")
        if "/chime/" in name:
            place = f"chime/{name.rsplit('/chime/', 1)[1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


class _Formatter(logging.Formatter):
    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = dict(getattr(record, "fields", {}))
        event = redact(record.getMessage())
        moment = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        clean = {key: redact(value) if isinstance(value, str) else value for key, value in fields.items()}
        if self._as_json:
            line = {"time": moment, "level": record.levelname.lower(), "source": record.name, "event": event, **clean}
            return json.dumps(line, default=str)
        tail = " ".join(f"{key}={value}" for key, value in clean.items())
        return f"{moment} {record.levelname.lower():7} {record.name}: {event} {tail}".rstrip()


def configure(form: str, level: str) -> None:
    """Send every log line to stderr in the given form (`text` or `json`)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(form == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These libraries log addresses and bodies at INFO; ours is the only access log.
    for noisy in ("httpx", "httpcore", "huey", "uvicorn.access", "aiosqlite", "litestar"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
