"""Reading the wizard's forms: every wrong field named at once, a secret that is left empty stays what it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from babel import Locale

from chime import accounts, resources
from chime.accounts import check_email, check_name
from chime.errors import Invalid
from chime.first_run.model import SCHEMES, Draft, Mails, Owner, Place
from chime.security.passwords import check_rules
from chime.security.vault import Secret

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,45}")


def choice_of_languages() -> list[tuple[str, str]]:
    """Each language with its name as its own speakers write it."""
    names = ["en", *sorted(name.removesuffix(".mo") for name in resources.catalogue_files())]
    return [(name, (Locale.parse(name).get_display_name() or name).capitalize()) for name in names]


def owner_form(fields: Mapping[str, str], before: Owner | None) -> Owner:
    """Raises Invalid."""
    problems: list[tuple[str, str]] = []
    found = {name: fields.get(name, "").strip() for name in ("name", "email", "workspace", "time_zone", "locale")}
    for name, check in (("name", check_name), ("email", check_email)):
        try:
            found[name] = check(found[name])
        except Invalid as error:
            problems += [(one.field, one.message) for one in error.errors]
    found["workspace"] = " ".join(found["workspace"].split())
    if not 1 <= len(found["workspace"]) <= 80:
        problems.append(("workspace", "Give the workspace a name of at most 80 characters."))
    if found["time_zone"] not in accounts.time_zones():
        problems.append(("time_zone", "Choose a time zone from the list."))
    if found["locale"] not in dict(choice_of_languages()):
        problems.append(("locale", "Choose one of the languages."))
    password = fields.get("password", "")
    if password or before is None:
        try:
            check_rules(password, context=(found["email"], found["name"], found["workspace"]))
        except Invalid as error:
            problems += [(one.field, one.message) for one in error.errors]
    if problems:
        raise Invalid(problems)
    kept = Secret(password) if password or before is None else before.password
    return Owner(**found, password=kept)


def place_form(fields: Mapping[str, str], before: Mails) -> tuple[Place, Mails]:
    """Address and mail server. Whether a start would take them is asked elsewhere. Raises Invalid."""
    text = {name: fields.get(name, "").strip() for name in (
        "public_url", "trusted_proxies", "mail_host", "mail_security", "mail_port", "mail_user", "mail_from")}
    problems: list[tuple[str, str]] = []
    if text["public_url"] and not _is_address(text["public_url"]):
        problems.append(("public_url", "Enter the address alone, as in https://chime.example.com."))
    if text["mail_security"] not in ("", *SCHEMES):
        problems.append(("mail_security", "Choose one of these."))
    if text["mail_port"] and not (text["mail_port"].isascii() and text["mail_port"].isdigit()
                                  and 1 <= int(text["mail_port"][:9]) <= 65_535):
        problems.append(("mail_port", "A port is a number from 1 to 65535."))
    if text["mail_host"] and not _HOST.fullmatch(text["mail_host"]):
        problems.append(("mail_host", "Enter the name of the server alone, as in mail.example.com."))
    if not text["mail_host"] and (text["mail_user"] or text["mail_from"] or fields.get("mail_password")):
        problems.append(("mail_host", "Enter the name of the server alone, as in mail.example.com."))
    if problems:
        raise Invalid(problems)
    typed = fields.get("mail_password", "")
    same_person = text["mail_host"] == before.host and text["mail_user"] == before.user
    password = Secret(typed) if typed else before.password if same_person else None
    mails = Mails(host=text["mail_host"], security=text["mail_security"] or "starttls", port=text["mail_port"],
                  user=text["mail_user"], password=password, sender=text["mail_from"] if text["mail_host"] else "")
    return Place(public_url=text["public_url"], trusted_proxies=text["trusted_proxies"]), mails


def _is_address(text: str) -> bool:
    """Whether it is where a browser goes and nothing besides: no name or password, no question, no spaces."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return (parts.scheme in ("http", "https") and _HOST.fullmatch(host) is not None and "@" not in parts.netloc
            and not (parts.query or parts.fragment) and not any(character.isspace() for character in text)
            and port != 0)


def address_values(draft: Draft) -> dict[str, str]:
    """The form as it was filled in, but for the password."""
    return {"public_url": draft.place.public_url, "trusted_proxies": draft.place.trusted_proxies,
            "mail_host": draft.mails.host, "mail_security": draft.mails.security, "mail_port": draft.mails.port,
            "mail_user": draft.mails.user, "mail_from": draft.mails.sender}
