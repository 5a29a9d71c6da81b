"""Who talks to the machine from outside its service: a person's browser, a script, and Meta posting webhooks.

Nothing of Chime's own code is in here, so that a mistake of its cannot hide in the trial. The simulated WhatsApp is the
one that ships in the package, as a process of its own beside the service.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import re
import secrets
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from trial.machine import Machine, must

HOST, PORT, META_PORT = "127.0.0.1", 8700, 9700
OWNER = {"name": "Ada Okafor", "email": "ada@example.com", "password": secrets.token_urlsafe(18),
         "workspace": "Okafor Tiles", "time_zone": "Africa/Lagos", "locale": "en"}
NUMBER = {"display_phone": "+1 555-010-0200", "phone_number_id": "611222333444555", "waba_id": "677001122334455",
          "app_id": "200300400500601"}
SECRETS = {"app_secret": secrets.token_hex(16), "verify_token": secrets.token_hex(16),
           "access_token": f"EAA{secrets.token_hex(24)}"}
_SIMULATOR = ("import sys; sys.path.insert(0, '/opt/meta/site'); from chime.simulator.__main__ import main; "
              "sys.exit(main())")


def ask(method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, *,
        port: int = PORT, seconds: float = 30.0) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, on a connection of its own. Raises OSError or HTTPException."""
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        found: dict[str, str] = {}
        for name, value in answer.getheaders():
            found[name.lower()] = f"{found[name.lower()]}\n{value}" if name.lower() in found else value
        return answer.status, found, text
    finally:
        connection.close()


def answers(path: str, status: int = 200, *, seconds: float = 60.0) -> str:
    """The body, as soon as that path answers with that status. Raises Failed when it does not."""
    deadline, seen = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException):
            seen, _, text = ask("GET", path)
            if seen == status:
                return text
        time.sleep(0.1)
    must(False, f"{path} answers {seen or 'nothing'}, not {status}")
    return ""


class Browser:
    """Keeps its cookies and sends forms as a page of ours does."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> tuple[int, str]:
        status, _, text = self._ask("GET", path)
        return status, text

    def post(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Status, and where it leads."""
        status, headers, _ = self._ask("POST", path, urlencode(fields).encode())
        return status, headers.get("location", "")

    def send(self, page: str, fields: dict[str, str]) -> str:
        """Open a step of the wizard and send its form; where that leads. Raises Failed when it is refused."""
        _, text = self.get(page)
        found = re.search(r'name="csrf_token" value="([^"]+)"', text)
        must(found, f"{page} shows no form")
        assert found
        status, where = self.post(page, {"csrf_token": found[1], **fields})
        must(status == 303, f"{page} answers {status}")
        return where

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        status, found, text = ask(method, path, body, headers)
        for line in filter(None, found.get("set-cookie", "").split("\n")):
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value.strip('"')
        return status, found, text


class Script:
    """Calls the API with a key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer, once there are not too many. Raises Failed when it is none."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        while (answer := ask(method, f"/api/v1{path}", data, headers))[0] == 429:
            time.sleep(float(answer[1].get("retry-after", "1")))
        status, _, text = answer
        must(status < 300, f"{method} {path} answers {status}: {text[:300]}")
        return json.loads(text)


class Meta:
    """The simulated WhatsApp, as a unit of the machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._made = False
        self._unit = ""

    def start(self, webhook_path: str) -> None:
        """Anew; it posts webhooks to that path."""
        machine = self._machine
        if not self._made:
            machine.run("mkdir", "-p", "/opt/meta")
            machine.run("cp", "-a", "/usr/lib/chime/current/site", "/opt/meta/")
            for name, value in SECRETS.items():
                (machine.root / "opt/meta" / name).write_text(value, "utf-8")
            self._made = True
        if self._unit:
            machine.run("systemctl", "stop", self._unit, check=False)
        # A name of its own: systemd may not have forgotten the one before yet.
        self._unit = f"meta-{time.time_ns()}.service"
        options = [part for name in SECRETS for part in (f"--{name.replace('_', '-')}-file", f"/opt/meta/{name}")]
        machine.run("systemd-run", "--quiet", f"--unit={self._unit}", "--collect", "--property=User=nobody",
                    "/usr/bin/python3", "-I", "-c", _SIMULATOR, *options, "--no-pause", "--bind", f"{HOST}:{META_PORT}",
                    "--app-id", NUMBER["app_id"], "--phone-number-id", NUMBER["phone_number_id"],
                    "--waba-id", NUMBER["waba_id"], "--webhook-url", f"http://{HOST}:{PORT}{webhook_path}")
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError, http.client.HTTPException):
                if ask("GET", "/simulator/switches", port=META_PORT)[0] == 200:
                    return
            must(time.monotonic() < deadline, "the simulated WhatsApp does not start: " + machine.run(
                "journalctl", "-u", self._unit, "-n", "20", "--no-pager", check=False).stdout)
            time.sleep(0.1)

    def customer(self, name: str, phone: str) -> str:
        """A new one; their id."""
        return str(self.call("POST", "/customers", {"name": name, "phone": phone})["id"])

    def call(self, method: str, path: str, body: object = None) -> Any:
        status, _, text = ask(method, f"/simulator{path}", None if body is None else json.dumps(body).encode(),
                              {"Content-Type": "application/json"}, port=META_PORT)
        must(status < 300, f"the simulator answers {status} to {path}: {text[:300]}")
        return json.loads(text)


class Posts:
    """Signed webhooks, one new message each, all the time until the `with` ends; what became of each."""

    def __init__(self, path: str, name: str, *, per_second: float = 20.0) -> None:
        self._path, self._name, self._pause = path, name, 1 / per_second
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.acknowledged = 0
        self.refused: list[str] = []
        """What was answered, or happened, instead of 200; each was posted again."""
        self.longest = 0.0
        """Seconds from the first try of a webhook to its 200."""

    def __enter__(self) -> Posts:
        self._loop = threading.Thread(target=self._run)
        self._loop.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._loop.join()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        number = 0
        while not self._ends.wait(self._pause):
            number += 1
            thread = threading.Thread(target=self._deliver, args=(self._body(number),))
            thread.start()
            self._threads.append(thread)

    def _body(self, number: int) -> bytes:
        phone, now = f"1555{number % 50:07d}", str(int(time.time()))
        value = {"messaging_product": "whatsapp",
                 "metadata": {"display_phone_number": re.sub(r"\D", "", NUMBER["display_phone"]),
                              "phone_number_id": NUMBER["phone_number_id"]},
                 "contacts": [{"profile": {"name": f"Customer {number % 50}"}, "wa_id": phone}],
                 "messages": [{"from": phone, "id": f"wamid.{self._name}.{number}", "timestamp": now, "type": "text",
                               "text": {"body": f"{self._name} says {number}"}}]}
        return json.dumps({"object": "whatsapp_business_account", "entry": [
            {"id": NUMBER["waba_id"], "changes": [{"field": "messages", "value": value}]}]}).encode()

    def _deliver(self, body: bytes) -> None:
        signature = hmac.new(SECRETS["app_secret"].encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        begun = time.monotonic()
        while time.monotonic() - begun < 180:
            try:
                status = str(ask("POST", self._path, body, headers, seconds=60)[0])
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            with self._lock:
                if status == "200":
                    self.acknowledged += 1
                    self.longest = max(self.longest, time.monotonic() - begun)
                    return
                self.refused.append(status)
            time.sleep(0.2)
        with self._lock:
            self.refused.append("given up")
