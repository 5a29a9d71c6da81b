"""Every option: environment variable, configuration file, systemd credential or default, in that order.

The only reader of the environment. Promise: an unknown key or a bad value stops the start with one line that names
it, before any file is touched; a secret's value is never shown.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

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
    Option(name="bind", default="127.0.0.1:8700", help="Address and port to listen on"),
    Option(name="public_url", default="", help="Address of this installation as Meta and people see it"),
    Option(name="trusted_proxies", default="127.0.0.1/32,::1/128", help="Networks whose X-Forwarded-For is believed"),
    Option(name="graph_url", default="https://graph.facebook.com", help="Meta's Graph API, or the simulator"),
    Option(name="graph_version", default="v26.0", help="Version of the Graph API to call"),
    Option(name="log_format", default="text", help="Form of the log", choices=("text", "json")),
    Option(name="log_level", default="info", help="Least level to log",
           choices=("debug", "info", "warning", "error")),
    Option(name="metrics_token", default="", help="Bearer token that /metrics asks for; open on loopback without one",
           secret=True),
    Option(name="disk_reserve_mb", default="256", help="Megabytes kept free: with less, nothing new is taken"),
    Option(name="security_contact", default="", help="Address printed in security.txt"),
)
_BY_NAME = {option.name: option for option in OPTIONS}
# Variables that steer a test run or a shell and are no options.
_NOT_OPTIONS = frozenset({"CHIME_CONFIG"})


class Setting(msgspec.Struct, frozen=True):
    """An option with its value and where it came from."""

    option: Option
    value: str
    source: str


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The options of this run, checked."""

    settings: tuple[Setting, ...]
    data_dir: Path
    bind_host: str
    bind_port: int
    public_url: str
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    graph_url: str
    graph_version: str
    log_format: str
    log_level: str
    metrics_token: str
    disk_reserve: int
    security_contact: str
    master_key: bytes | None
    notify_socket: str = ""
    watchdog_microseconds: int = 0
    demo: bool = False


def load(*, data: str | None = None, bind: str | None = None, file: str | None = None,
         environment: Mapping[str, str] | None = None) -> Config:
    """Read and check every option. Raises StartRefused naming the option that is wrong."""
    environment = os.environ if environment is None else environment
    from_file = _read_file(file or environment.get("CHIME_CONFIG"))
    _refuse_unknown(environment)
    settings = tuple(_setting(option, environment, from_file, {"data_dir": data, "bind": bind}) for option in OPTIONS)
    value = {setting.option.name: setting.value for setting in settings}
    data_dir = Path(value["data_dir"]).expanduser()
    host, port = _bind(value["bind"])
    return Config(
        settings=settings,
        data_dir=data_dir,
        bind_host=host,
        bind_port=port,
        public_url=_url("public_url", value["public_url"], optional=True),
        trusted_proxies=_networks(value["trusted_proxies"]),
        graph_url=_url("graph_url", value["graph_url"]),
        graph_version=_graph_version(value["graph_version"]),
        log_format=value["log_format"],
        log_level=value["log_level"],
        metrics_token=value["metrics_token"],
        disk_reserve=_megabytes("disk_reserve_mb", value["disk_reserve_mb"], least=32),
        security_contact=value["security_contact"],
        master_key=_master_key(value["master_key"]),
        notify_socket=environment.get("NOTIFY_SOCKET", ""),
        watchdog_microseconds=int(environment.get("WATCHDOG_USEC", "0") or 0),
    )


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {option.environment for option in OPTIONS}
    known |= {f"{option.environment}_FILE" for option in OPTIONS if option.secret} | _NOT_OPTIONS
    for name in sorted(environment):
        if name.startswith("CHIME_") and name not in known:
            raise StartRefused(f"{name}: there is no such option; `chime config` lists them")


def _read_file(named: str | None) -> dict[str, Any]:
    path = Path(named) if named else DEFAULT_FILE
    if not path.exists():
        if named:
            raise StartRefused(f"{path}: there is no such configuration file")
        return {}
    try:
        found = tomllib.loads(path.read_text("utf-8"))
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


def _master_key(text: str) -> bytes | None:
    if not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise StartRefused("CHIME_MASTER_KEY: is not base64") from error
    if len(key) != 32:
        raise StartRefused(f"CHIME_MASTER_KEY: must be 32 bytes, this one has {len(key)}")
    if len(set(key)) < 8:
        raise StartRefused("CHIME_MASTER_KEY: is not random; make one with `openssl rand -base64 32`")
    return key


def _bind(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise StartRefused(f"CHIME_BIND: {text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _url(name: str, text: str, *, optional: bool = False) -> str:
    if optional and not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StartRefused(f"CHIME_{name.upper()}: {text!r} is not an http or https address")
    return text.rstrip("/")


def _megabytes(name: str, text: str, *, least: int) -> int:
    """In bytes."""
    if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= 10_000_000:
        raise StartRefused(f"CHIME_{name.upper()}: {text!r} is not a number of megabytes from {least} on")
    return int(text) * 1024 * 1024


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise StartRefused(f"CHIME_TRUSTED_PROXIES: {error}") from error


def _graph_version(text: str) -> str:
    if not text.startswith("v") or not text[1:].replace(".", "", 1).isdigit():
        raise StartRefused(f"CHIME_GRAPH_VERSION: {text!r} is not like v26.0")
    return text
