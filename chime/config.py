"""Every option: environment variable, configuration file, systemd credential or default, in that order.

The only reader of the environment. Promise: an unknown key or a bad value stops the start with one line that names
it, before any file is touched; a secret's value is never shown.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from chime import option_values
from chime.errors import StartRefused

DEFAULT_FILE = Path("/etc/chime/chime.toml")


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be set. `environment` is `CHIME_…`; the file uses the lower-case rest."""

    name: str
    default: str
    help: str
    secret: bool = False
    choices: tuple[str, ...] = ()

    @property
    def environment(self) -> str:
        return f"CHIME_{self.name.upper()}"


OPTIONS: tuple[Option, ...] = (
    Option(name="data_dir", default="./chime-data", help="Folder that holds everything"),
    Option(name="master_key", default="", help="Base64 of the 32 bytes that wrap every workspace's key", secret=True),
    Option(name="master_key_previous", default="", help="The master key before it, while `chime keys rotate` runs",
           secret=True),
    Option(name="bind", default="127.0.0.1:8700", help="Address and port to listen on"),
    Option(name="public_url", default="", help="Address of this installation as Meta and people see it"),
    Option(name="trusted_proxies", default="", help="Networks of your reverse proxies, whose X-Forwarded-For counts"),
    Option(name="rate_factor", default="1", help="How many times the usual calls a second, ten seconds and minute"),
    Option(name="graph_url", default="https://graph.facebook.com", help="Meta's Graph API, or the simulator"),
    Option(name="graph_version", default="v26.0", help="Version of the Graph API to call"),
    Option(name="smtp_url", default="", secret=True,
           help="Mail server: smtp://user:password@host:587 (STARTTLS), smtps://…:465, or smtp+plain://localhost:25"),
    Option(name="mail_from", default="", help="Sender of mails; chime@ the host of the public address if not set"),
    Option(name="egress_allow", default="", help="Hosts in your own network that may be called: host or host:port, …"),
    Option(name="log_format", default="text", help="Form of the log", choices=("text", "json")),
    Option(name="log_level", default="info", help="Least level to log",
           choices=("debug", "info", "warning", "error")),
    Option(name="metrics_token", default="", help="Bearer token that /metrics asks for; open on loopback without one",
           secret=True),
    Option(name="disk_reserve_mb", default="256", help="Megabytes kept free: with less, nothing new is taken"),
    Option(name="backup_dir", default="", help="Folder of the backups; `backups` in the data folder if not set"),
    Option(name="backup_second", default="", help="Second place of the backups: a folder, or rclone:remote:path"),
    Option(name="operators_need_second_factor", default="no", choices=("yes", "no"),
           help="Whether operators must set up a second factor before anything else"),
    Option(name="oidc_issuer", default="",
           help="Sign-in provider (OpenID Connect): its issuer, letter by letter, as https://login.example.com/realms/x"),
    Option(name="oidc_client_id", default="", help="What Chime is called at the sign-in provider"),
    Option(name="oidc_client_secret", default="", secret=True, help="Chime's secret at the sign-in provider"),
    Option(name="oidc_name", default="single sign-on", help="What people call the provider: Sign in with …"),
    Option(name="oidc_scopes", default="openid email profile", help="What is asked of the provider"),
    Option(name="oidc_groups_claim", default="groups", help="Where the provider names a person's groups"),
    Option(name="oidc_only", default="no", choices=("yes", "no"),
           help="Whether only break-glass users may sign in with a password"),
    Option(name="oidc_trusts_mfa", default="no", choices=("yes", "no"),
           help="Whether a second factor shown to the provider counts here"),
    Option(name="audit_anchor_file", default="",
           help="File outside the data folder to which every signed checkpoint of the audit trails is added"),
    Option(name="security_contact", default="", help="Address printed in security.txt"),
)
_MAIL_SECURITY = {"smtp": ("starttls", 587), "smtps": ("tls", 465), "smtp+plain": ("plain", 25)}
_BY_NAME = {option.name: option for option in OPTIONS}
# Variables that steer a test run or a shell and are no options.
_NOT_OPTIONS = frozenset({"CHIME_CONFIG"})


class Setting(msgspec.Struct, frozen=True):
    """An option with its value and where it came from."""

    option: Option
    value: str
    source: str

    def __repr__(self) -> str:
        return f"Setting({self.option.name}, {'…' if self.option.secret else self.value!r}, {self.source})"


class MailServer(msgspec.Struct, frozen=True):
    """Where mails are handed over. `security` is starttls, tls or plain."""

    host: str
    port: int
    security: str
    user: str = ""
    password: str = ""


class SignInProvider(msgspec.Struct, frozen=True, kw_only=True):
    """Where people sign in besides here, by OpenID Connect."""

    issuer: str
    client_id: str
    client_secret: str
    name: str
    scopes: str
    groups_claim: str
    only: bool
    trusts_mfa: bool

    def __repr__(self) -> str:
        return f"SignInProvider({self.issuer})"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The options of this run, checked."""

    settings: tuple[Setting, ...]
    data_dir: Path
    bind_host: str
    bind_port: int
    public_url: str
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    rate_factor: int
    graph_url: str
    graph_version: str
    mail_server: MailServer | None
    mail_from: str
    egress_allow: tuple[tuple[str, int], ...]
    log_format: str
    log_level: str
    metrics_token: str
    disk_reserve: int
    backup_dir: Path
    backup_second: str
    audit_anchor_file: Path | None
    security_contact: str
    operators_need_second_factor: bool
    oidc: SignInProvider | None
    master_key: bytes | None
    master_key_previous: bytes | None
    notify_socket: str = ""
    watchdog_microseconds: int = 0
    inherited_sockets: int = 0
    demo: bool = False

    def __repr__(self) -> str:
        return f"Config({self.data_dir})"


def load(*, data: str | None = None, bind: str | None = None, file: str | None = None,
         environment: Mapping[str, str] | None = None) -> Config:
    """Read and check every option. Raises StartRefused naming the option that is wrong."""
    environment = os.environ if environment is None else environment
    from_file = _read_file(file or environment.get("CHIME_CONFIG"))
    _refuse_unknown(environment)
    settings = tuple(_setting(option, environment, from_file, {"data_dir": data, "bind": bind}) for option in OPTIONS)
    if environment is os.environ:
        _forget_secrets()
    value = {setting.option.name: setting.value for setting in settings}
    data_dir = Path(value["data_dir"]).expanduser()
    host, port = option_values.bind(value["bind"])
    return Config(
        settings=settings,
        data_dir=data_dir,
        bind_host=host,
        bind_port=port,
        public_url=option_values.url("public_url", value["public_url"], optional=True),
        trusted_proxies=option_values.networks(value["trusted_proxies"]),
        rate_factor=option_values.factor(value["rate_factor"]),
        graph_url=option_values.url("graph_url", value["graph_url"]),
        graph_version=option_values.graph_version(value["graph_version"]),
        mail_server=_mail_server(value["smtp_url"]),
        mail_from=option_values.mail_address(value["mail_from"]),
        egress_allow=option_values.places(value["egress_allow"]),
        log_format=value["log_format"],
        log_level=value["log_level"],
        metrics_token=value["metrics_token"],
        disk_reserve=option_values.megabytes("disk_reserve_mb", value["disk_reserve_mb"], least=32),
        backup_dir=Path(value["backup_dir"]).expanduser() if value["backup_dir"] else data_dir / "backups",
        backup_second=option_values.second_place(value["backup_second"]),
        audit_anchor_file=option_values.outside(data_dir, value["audit_anchor_file"]),
        security_contact=option_values.contact(value["security_contact"]),
        operators_need_second_factor=value["operators_need_second_factor"] == "yes",
        oidc=_provider(value),
        master_key=option_values.master_key("CHIME_MASTER_KEY", value["master_key"]),
        master_key_previous=option_values.master_key("CHIME_MASTER_KEY_PREVIOUS", value["master_key_previous"]),
        notify_socket=environment.get("NOTIFY_SOCKET", ""),
        watchdog_microseconds=int(environment.get("WATCHDOG_USEC", "0") or 0),
        inherited_sockets=_inherited_sockets(environment),
    )


def _inherited_sockets(environment: Mapping[str, str]) -> int:
    """How many listening sockets whoever started this very process holds for it, as systemd does (`LISTEN_FDS`)."""
    meant = environment.get("LISTEN_PID") == str(os.getpid())
    return int(environment.get("LISTEN_FDS", "0") or 0) if meant else 0


def _forget_secrets() -> None:
    """They are read once; nothing that reads the environment later, and no child process, shall find them there."""
    for option in OPTIONS:
        if option.secret:
            os.environ.pop(option.environment, None)


def for_children(config: Config) -> dict[str, str]:
    """The environment for another process of Chime's own: ours, with the secrets that came to us by it."""
    secrets = {setting.option.environment: setting.value for setting in config.settings
               if setting.option.secret and setting.source == "environment"}
    return {**os.environ, **secrets}


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {option.environment for option in OPTIONS}
    known |= {f"{option.environment}_FILE" for option in OPTIONS if option.secret} | _NOT_OPTIONS
    for name in sorted(environment):
        if name.startswith("CHIME_") and name not in known:
            raise StartRefused(f"{name}: there is no such option; `chime config` lists them")


def _read_file(named: str | None) -> dict[str, Any]:
    path = Path(named) if named else DEFAULT_FILE
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if named:
            raise StartRefused(f"{path}: there is no such configuration file") from error
        return {}
    except (OSError, ValueError) as error:
        raise StartRefused(f"{path}: cannot be read as TOML ({error})") from error
    for name in found:
        if name not in _BY_NAME and name.removesuffix("_file") not in _BY_NAME:
            raise StartRefused(f"{path}: {name}: there is no such option; `chime config` lists them")
    return found


def _setting(option: Option, environment: Mapping[str, str], from_file: Mapping[str, Any],
             given: Mapping[str, str | None]) -> Setting:
    value, source = _find(option, environment, from_file, given)
    if option.choices and value not in option.choices:
        raise StartRefused(f"{option.environment}: {value!r} is none of {', '.join(option.choices)}")
    return Setting(option, value, source)


def _find(option: Option, environment: Mapping[str, str], from_file: Mapping[str, Any],
          given: Mapping[str, str | None]) -> tuple[str, str]:
    command_line = given.get(option.name)
    if command_line is not None:
        return command_line, "command line"
    if option.environment in environment:
        return environment[option.environment], "environment"
    if option.secret and f"{option.environment}_FILE" in environment:
        return _secret_file(option, environment[f"{option.environment}_FILE"]), "file"
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    if option.secret and credentials and (Path(credentials) / option.name).is_file():
        return _secret_file(option, str(Path(credentials) / option.name)), "systemd credential"
    if option.name in from_file:
        return str(from_file[option.name]), "configuration file"
    if f"{option.name}_file" in from_file:
        return _secret_file(option, str(from_file[f"{option.name}_file"])), "file"
    return option.default, "default"


def _secret_file(option: Option, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise StartRefused(f"{option.environment}_FILE: {path} cannot be read") from error


def _mail_server(text: str) -> MailServer | None:
    """Never shows what it was given: it holds a password."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        port = host = None
    security, usual_port = _MAIL_SECURITY.get(text.partition("://")[0], ("", 0))
    if not security or not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise StartRefused("CHIME_SMTP_URL: is none of smtp://…, smtps://… and smtp+plain://localhost…")
    if security == "plain" and host not in ("localhost", "127.0.0.1", "::1"):
        raise StartRefused("CHIME_SMTP_URL: smtp+plain goes to localhost only; elsewhere mails and password need TLS")
    return MailServer(host, port or usual_port, security, unquote(parts.username or ""), unquote(parts.password or ""))


def _provider(value: Mapping[str, str]) -> SignInProvider | None:
    issuer = value["oidc_issuer"].strip()
    if not issuer:
        if value["oidc_only"] == "yes" or value["oidc_client_id"]:
            raise StartRefused("CHIME_OIDC_ISSUER: is missing; the other options of the sign-in provider need it")
        return None
    parts = urlsplit(issuer)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise StartRefused(f"CHIME_OIDC_ISSUER: {issuer!r} is not an https address without ? and #")
    if not value["oidc_client_id"] or not value["public_url"]:
        missing = "CHIME_PUBLIC_URL" if value["oidc_client_id"] else "CHIME_OIDC_CLIENT_ID"
        raise StartRefused(f"{missing}: is missing; a sign-in provider needs it")
    if "openid" not in value["oidc_scopes"].split():
        raise StartRefused("CHIME_OIDC_SCOPES: openid has to be one of them")
    return SignInProvider(
        issuer=issuer, client_id=value["oidc_client_id"], client_secret=value["oidc_client_secret"],
        name=" ".join(value["oidc_name"].split())[:40] or "single sign-on",
        scopes=" ".join(value["oidc_scopes"].split()), groups_claim=value["oidc_groups_claim"].strip() or "groups",
        only=value["oidc_only"] == "yes", trusts_mfa=value["oidc_trusts_mfa"] == "yes")
