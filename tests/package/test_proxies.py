"""The proxies' examples, each run for real before a stand-in for Chime: what reaches it, and what does not."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.package.conftest import ROOT
from tests.support.processes import free_port, started

SPOOFED = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example",
           "Forwarded": "for=6.6.6.6"}
PAUSE = 0.8


class _Chime(BaseHTTPRequestHandler):
    """Says what arrived; under /events sends one event at once and the next after PAUSE."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/events"):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"data: first\n\n")
            self.wfile.flush()
            time.sleep(PAUSE)
            self.wfile.write(b"data: second\n\n")
            return
        self._answer({name.lower(): value for name, value in self.headers.items()})

    def do_POST(self) -> None:
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer({"size": size})

    def _answer(self, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def _upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Chime)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chime.example.com")])
    now = datetime.now(UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256()))
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


class Proxy:
    """A running proxy, asked as a client outside would."""

    def __init__(self, port: int, scheme: str, refusals: tuple[int, ...]) -> None:
        self.port = port
        self.scheme = scheme
        self.refusals = refusals
        """What it may answer to a body that is too large."""

    def open(self) -> http.client.HTTPConnection:
        if self.scheme == "http":
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=trusting)

    def ask(self, method: str, path: str, body: bytes | None = None,
            headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = self.open()
        try:
            connection.request(method, path, body, {"Host": "chime.example.com", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (BrokenPipeError, ConnectionResetError):
            # The proxy refused while we were still sending; its answer is there to be read.
            answer = http.client.HTTPResponse(connection.sock)
            answer.begin()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def _nginx(folder: Path, upstream: int) -> Iterator[Proxy]:
    port, plain = free_port(), free_port()
    _certificate(folder)
    example = (ROOT / "packaging" / "nginx.conf.example").read_text("utf-8")
    example = re.sub(r"^ *listen \[::\].*\n", "", example, flags=re.MULTILINE)
    for old, new in (("listen 443", f"listen 127.0.0.1:{port}"), ("listen 80", f"listen 127.0.0.1:{plain}"),
                     ("127.0.0.1:8700", f"127.0.0.1:{upstream}"),
                     ("/etc/letsencrypt/live/chime.example.com", str(folder))):
        assert old in example
        example = example.replace(old, new)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; user root;\nevents {{}}\n"
        f"http {{ access_log off;\n{temporary}{example}}}\n", "utf-8")
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with started(command, folder / "log", port=plain, ready=None):
        yield _awaited(Proxy(port, "https", (413,)))


@contextmanager
def _caddy(folder: Path, upstream: int) -> Iterator[Proxy]:
    port = free_port()
    example = (ROOT / "packaging" / "Caddyfile.example").read_text("utf-8")
    for old, new in (("\nchime.example.com {", f"\nhttp://chime.example.com:{port} {{"),
                     ("127.0.0.1:8700 {", f"127.0.0.1:{upstream} {{"), ("{\n\tservers", "{\n\tadmin off\n\tservers")):
        assert old in example
        example = example.replace(old, new)
    (folder / "Caddyfile").write_text(example, "utf-8")
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))
    with started(command, folder / "log", port=port, ready=None, extra=homes):
        yield _awaited(Proxy(port, "http", (413, 502)))


def _awaited(proxy: Proxy) -> Proxy:
    deadline = time.monotonic() + 10
    while True:
        try:
            proxy.ask("GET", "/")
            return proxy
        except OSError:
            assert time.monotonic() < deadline, "the proxy does not listen"
            time.sleep(0.02)


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not on this machine")
    run = {"nginx": _nginx, "caddy": _caddy}[request.param]
    with _upstream() as upstream, run(tmp_path_factory.mktemp(request.param), upstream) as running:
        yield running


def test_what_a_client_claims_about_itself_does_not_arrive(proxy: Proxy) -> None:
    status, body = proxy.ask("GET", "/", headers=SPOOFED)
    told = json.loads(body)
    assert status == 200
    assert told["host"] == "chime.example.com"
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert told["x-forwarded-proto"] == proxy.scheme
    assert "evil" not in told.get("x-forwarded-host", "") and not told.get("forwarded")


def test_a_webhook_may_have_four_megabytes(proxy: Proxy) -> None:
    assert proxy.ask("POST", "/webhooks/whatsapp/abc", bytes(4 * 1024 * 1024)) == (200, b'{"size": 4194304}')
    assert proxy.ask("POST", "/webhooks/whatsapp/abc", bytes(6 * 1024 * 1024))[0] in proxy.refusals


def test_an_upload_may_have_more(proxy: Proxy) -> None:
    assert proxy.ask("POST", "/w/acme/files", bytes(5 * 1024 * 1024))[0] == 200


def test_live_updates_arrive_one_by_one(proxy: Proxy) -> None:
    connection = proxy.open()
    begun = time.monotonic()
    connection.request("GET", "/w/acme/events", headers={"Host": "chime.example.com", "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    assert answer.readline() == b"data: first\n"
    assert time.monotonic() - begun < PAUSE / 2
    assert answer.read() == b"\ndata: second\n\n"
    connection.close()


def test_metrics_are_not_for_the_world(proxy: Proxy) -> None:
    assert proxy.ask("GET", "/metrics")[0] == 404
