"""Where to go on after a step in between. The address comes with the request, so it may be anybody's."""

from __future__ import annotations

from urllib.parse import urlsplit


def own_path(text: str, instead: str = "/") -> str:
    """The text if it is a path of our own: a link must not be able to send people elsewhere."""
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets that hold no address
        return instead
    # What browsers drop from an address (tabs, line breaks) or read as a slash has no place in a path of ours.
    ours = text.startswith("/") and not text.startswith("//") and not parts.netloc and not parts.scheme
    return text if ours and text.isprintable() and "\\" not in text else instead


def path_of(address: str) -> str:
    """The path and query of a whole address, as browsers name the page a request came from."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))
