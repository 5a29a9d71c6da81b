"""Releases to upgrade between, made of this checkout: another version, other steps, a fault if asked for.

A file is a small archive that lays itself out as `chime.pyz` does, signed with a key of the test's own. What it lays
out runs the code of the checkout; so a release takes a blink to make, and the rest is the product: verifying, laying
out, rehearsing, migrating, switching, going back, the keeper with its socket, the processes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chime.db import Kind
from chime.db.migrate import names
from tests.package.conftest import ROOT
from tests.reliability.appliance import Appliance
from tests.support.processes import environment

_LAY_OUT = """import json, os, pathlib, shutil, sys, zipfile
archive = zipfile.ZipFile(sys.argv[0])
about = json.loads(archive.read("release.json"))
target = pathlib.Path(sys.argv[2]) / f"{about['version']}-{about['build']}"
fresh = target.with_name(f".new-{target.name}")
shutil.rmtree(fresh, ignore_errors=True)
if not target.exists():
    for name in archive.namelist():
        if name != "__main__.py":
            archive.extract(name, fresh)
    os.sync()
    fresh.rename(target)
print(target)
"""
_RUN = """import pathlib, sys
HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = {paths!r}
import chime
chime.__version__ = {version!r}
import migrations.workspace, migrations.journal, migrations.control
for kind in ("workspace", "journal", "control"):
    folder = HERE / "more" / kind
    if folder.is_dir():
        sys.modules[f"migrations.{{kind}}"].__path__.append(str(folder))
COMMAND = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
exec((HERE / "fault.py").read_text())
sys.argv[0] = "chime"
from chime.cli import main
main()
"""
STEP = "def apply(db):\n    db.executescript('CREATE TABLE later_{number} (id INTEGER PRIMARY KEY) STRICT;')\n"


class Yard:
    """`data` is an installation's; the releases lie in `root`, the files to upgrade from in `files`."""

    def __init__(self, folder: Path, appliance: Appliance) -> None:
        self.root, self.files = folder / "root", folder / "files"
        self.root.mkdir()
        self.files.mkdir()
        self.appliance = appliance
        self.log = folder / "keeper.log"
        self._signer = Ed25519PrivateKey.generate()
        self.keys = folder / "keys"
        self.keys.mkdir()
        (self.keys / "own.pub").write_bytes(
            self._signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        self._keeper: subprocess.Popen[bytes] | None = None

    def make(self, version: str, *, fault: str = "", step: str | None = None, build: str = "b1",
             kind: Kind = Kind.WORKSPACE, more: dict[str, object] | None = None, steps: int = 0) -> Path:
        """A signed file. `fault` runs before the command does; `step` is one more migration, or there are so many
        `steps` more that each make a table."""
        about = {"version": version, "build": build, "serial": 1, "machine": os.uname().machine,
                 "pythons": [f"{sys.version_info.major}.{sys.version_info.minor}"], **(more or {})}
        paths = [str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        file = self.files / f"chime-{version}-{build}.pyz"
        # The operator's folder of keys is a constant of the product; a release of the test looks into ours.
        trust = ("from chime.releases import candidate\n"
                 f"candidate.trusted_keys.__defaults__ = (pathlib.Path({str(self.keys)!r}),)\n")
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("__main__.py", _LAY_OUT)
            archive.writestr("release.json", json.dumps(about))
            archive.writestr("run.py", _RUN.format(paths=paths, version=version))
            archive.writestr("fault.py", trust + fault)
            for number, words in enumerate([STEP] * steps if step is None else [step], start=len(names(kind)) + 1):
                archive.writestr(f"more/{kind.value}/m{number:04d}_later.py", words.format(number=number))
        self.sign(file)
        return file

    def sign(self, file: Path, signer: Ed25519PrivateKey | None = None) -> None:
        digest = hashlib.sha512(file.read_bytes()).digest()
        signer = signer or self._signer
        key = hashlib.sha256(signer.public_key().public_bytes_raw()).hexdigest()[:16]
        signature = base64.b64encode(signer.sign(b"chime-signature-1\n" + digest)).decode()
        file.with_name(f"{file.name}.sig").write_text(
            f"chime-signature: 1\nkey: {key}\nsha512: {digest.hex()}\nsignature: {signature}\n", "ascii")

    def install(self, version: str) -> None:
        """The first release, laid out and current, as the package's postinst does it."""
        file = self.make(version)
        done = subprocess.run([sys.executable, "-I", str(file), "--lay-out", str(self.root / "releases")],
                              capture_output=True, text=True, check=True)
        (self.root / "current").symlink_to(Path("releases") / Path(done.stdout.strip()).name)

    @property
    def current(self) -> str:
        return Path(os.readlink(self.root / "current")).name

    @property
    def environment(self) -> dict[str, str]:
        """What its commands and its service are given."""
        return environment(self.appliance.settings)

    def command(self, *arguments: str) -> list[str]:
        """A command of the current release."""
        return [sys.executable, "-I", "-S", str(self.root / "current" / "run.py"), *arguments,
                "--data", str(self.appliance.data_dir)]

    async def keep(self) -> None:
        """`chime keep`, until the service is ready."""
        self._start()
        # So that the checker reads the live files while it runs, and copies afterwards.
        self.appliance._process = self._keeper
        await self.ready()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._keeper = subprocess.Popen(
                self.command("keep", "--root", str(self.root), "--bind", f"127.0.0.1:{self.appliance.port}"),
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    async def ready(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while (await asyncio.to_thread(self._get, "/readyz"))[0] != 200:
            assert self._keeper is not None and self._keeper.poll() is None, self.log.read_text("utf-8")
            assert time.monotonic() < deadline, self.log.read_text("utf-8")
            await asyncio.sleep(0.05)

    async def begin(self, *arguments: str) -> asyncio.subprocess.Process:
        """An upgrade or a rollback, under way."""
        return await asyncio.create_subprocess_exec(
            *self.command(*arguments, "--root", str(self.root), "--address", f"127.0.0.1:{self.appliance.port}"),
            env=self.environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True)

    async def run(self, *arguments: str, watch: float = 1.0, ready_in: float = 20.0) -> tuple[int, str, str]:
        """Its exit status, its answer and what it said on the way."""
        process = await self.begin(*arguments, "--watch", str(watch), "--ready-in", str(ready_in))
        answer, said = await asyncio.wait_for(process.communicate(), 150)
        assert process.returncode is not None
        return process.returncode, answer.decode(), said.decode()

    async def upgrade(self, file: Path, *arguments: str, watch: float = 1.0, ready_in: float = 20.0
                      ) -> tuple[int, str, str]:
        return await self.run("upgrade", str(file), *arguments, watch=watch, ready_in=ready_in)

    async def serving_version(self) -> str:
        """What the running service says of itself."""
        _, text = await asyncio.to_thread(self._get, "/metrics")
        return text.partition('chime_info{version="')[2].partition('"')[0]

    def _get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 when there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.appliance.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    async def end(self) -> None:
        if self._keeper is None:
            return
        if self._keeper.poll() is None:
            self._keeper.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._keeper.wait, 40)
        self._keeper.kill()

    def last(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.root / "last-upgrade.json").read_text("utf-8"))
        return found
