"""Structured logs: an event name and a short list of fields, as text or JSON lines.

Promise: nothing a customer wrote, no phone number, no token. The call sites pass ids and counts only; as a second
net the formatter masks what looks like a number or a secret, so a slip of a library's own message does no harm either.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections import Counter
from functools import partial
from typing import Any

# A whole hash in base64: the log is one of the places where roots of the audit trail are kept, and one in ten thousand
# has something in it that looks like a token.
_HASH = "[A-Za-z0-9+/]{43}="
# What each looks like: Meta's access tokens, our API keys, bearer tokens, Meta's message ids, keys and hashes in hex.
_SECRETS = (
    ("meta_token", re.compile(rf"(?<![A-Za-z0-9+/]){_HASH}(?![A-Za-z0-9+/=])|EAA[A-Za-z0-9]{{20,}}")),
    ("api_key", re.compile(r"chime_[A-Za-z0-9_-]{20,}")),
    ("bearer", re.compile(r"Bearer\s+\S+")),
    ("wamid", re.compile(r"wamid\.[A-Za-z0-9+/=_-]+")),
    ("hex", re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,}(?![0-9A-Za-z])")),
)
# Digits as people write a number. Dates and addresses of machines have fewer, or dots and colons between them.
_NUMBER = re.compile(r"(?<![\w.:/-])\+?\d(?:[ ()-]{0,2}\d){8,14}(?![\w.:-])")


class Net:
    """The second net: masks what looks like a secret or a number in anything that is about to be logged. The first is
    that nobody hands such a thing to the log; so `caught` counts what slipped through that one."""

    def __init__(self) -> None:
        self.caught: Counter[str] = Counter()

    def clean(self, text: str) -> str:
        """`text` without anything that looks like a token, a key, a message id of Meta's or a phone number."""
        for kind, form in _SECRETS:
            text = form.sub(partial(self._mask, kind), text)
        text, count = _NUMBER.subn("[number]", text)
        if count:
            self.caught["number"] += count
        return text

    def _mask(self, kind: str, found: re.Match[str]) -> str:
        if re.fullmatch(_HASH, found[0]):
            return found[0]
        self.caught[kind] += 1
        return "[secret]"


# One for the process, as logging itself is.
net = Net()


def redact(text: str) -> str:
    """`text` as it may be logged."""
    return net.clean(text)


class Log:
    """One named source of events."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"chime.{name}")

    def info(self, event: str, **fields: Any) -> None:
        self._logger.info(event, extra={"fields": _clean(fields)})

    def warning(self, event: str, **fields: Any) -> None:
        self._logger.warning(event, extra={"fields": _clean(fields)})

    def error(self, event: str, error: BaseException | None = None, **fields: Any) -> None:
        """Something failed. Of the exception only its type and place are written: its message may hold input."""
        if error is not None:
            fields["error"] = type(error).__name__
            fields["at"] = _place(error)
        self._logger.error(event, extra={"fields": _clean(fields)})


def _clean(fields: dict[str, Any]) -> dict[str, Any]:
    """Numbers and words that are ours go through; of anything else, which might have a text form that tells too much,
    only its type is written."""
    return {key: redact(value) if isinstance(value, str) else value
            if value is None or isinstance(value, int | float) else f"<{type(value).__name__}>"
            for key, value in fields.items()}


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
        clean: dict[str, Any] = dict(getattr(record, "fields", {}))
        event = _visible(redact(record.getMessage()))
        moment = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        if self._as_json:
            line = {"time": moment, "level": record.levelname.lower(), "source": record.name, "event": event, **clean}
            return json.dumps(line, default=str)
        tail = " ".join(f"{key}={_visible(str(value))}" for key, value in clean.items())
        return f"{moment} {record.levelname.lower():7} {record.name}: {event} {tail}".rstrip()


def _visible(text: str) -> str:
    """Without line breaks, escape sequences and marks that turn the direction of writing: terminals obey those."""
    return text if text.isprintable() else "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


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
