"""The Debian package: what is in it, whose it is, and its scripts at every step of dpkg's, in a root of their own.

`test_chroot.py` installs it for real.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import chime
from tests.package.conftest import ROOT, load_tool
from tests.package.test_layout import small_archive
from tests.support.processes import run

DEB = ROOT / "packaging" / "deb"
SCRIPTS = ("chime", "postinst", "prerm", "postrm")
# What a bare system of any supported distribution has or gets from its own archive.
FROM_THE_DISTRIBUTION = {"python3", "adduser", "libc6", "libgcc-s1"}
AT = 1_700_000_000


@pytest.fixture(scope="module")
def package(dist: Path) -> Path:
    (found,) = dist.glob("chime_*.deb")
    return found


@pytest.fixture(scope="module")
def members(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tarfile.TarFile]:
    """The files of the package, read without dpkg."""
    data = package.read_bytes()
    assert data.startswith(b"!<arch>\n")
    at, found = 8, {}
    while at < len(data):
        name, size = data[at:at + 16].decode().strip(), int(data[at + 48:at + 58])
        found[name] = data[at + 60:at + 60 + size]
        at += 60 + size + size % 2
    assert list(found) == ["debian-binary", "control.tar.gz", "data.tar.gz"] and found["debian-binary"] == b"2.0\n"
    file = tmp_path_factory.mktemp("deb") / "data.tar.gz"
    file.write_bytes(found["data.tar.gz"])
    with tarfile.open(file) as tar:
        yield tar


@pytest.mark.package
@pytest.mark.timeout(300)
def test_everything_in_it_is_roots_and_nothing_of_a_release_is_dpkgs(members: tarfile.TarFile) -> None:
    names = {entry.name for entry in members}
    assert {"./usr/bin/chime", "./usr/lib/chime/chime.pyz", "./usr/lib/systemd/system/chime.service",
            "./usr/lib/systemd/system/chime.socket", "./usr/share/doc/chime/copyright",
            "./usr/share/doc/chime/chime.cdx.json", "./usr/share/doc/chime/examples/nginx.conf"} <= names
    for entry in members:
        assert (entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, "root", "root"), entry.name
        runs = entry.isdir() or entry.name in ("./usr/bin/chime", "./usr/lib/chime/chime.pyz")
        assert entry.mode == (0o755 if runs else 0o644) and (entry.isfile() or entry.isdir()), entry.name
        # dpkg would delete the release before with its files; keys and settings are made on the server.
        assert not entry.name.startswith(("./usr/lib/chime/releases", "./usr/lib/chime/current", "./etc", "./var"))


@pytest.mark.package
def test_it_holds_the_very_archive_that_is_signed(members: tarfile.TarFile, dist: Path) -> None:
    inside = members.extractfile("./usr/lib/chime/chime.pyz")
    assert inside is not None and inside.read() == (dist / "chime.pyz").read_bytes()


@pytest.mark.package
@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg on this machine")
def test_dpkg_reads_it_and_it_needs_the_distribution_only(package: Path) -> None:
    told = run(["dpkg-deb", "--field", str(package)])
    assert told.returncode == 0, told.stderr
    fields = dict(re.findall(r"^([A-Z][A-Za-z-]+): (.*)$", told.stdout, re.MULTILINE))
    assert fields["Package"] == "chime" and fields["Version"] == chime.__version__
    assert {part.split()[0] for part in fields["Depends"].split(", ")} == FROM_THE_DISTRIBUTION
    assert "Pre-Depends" not in fields


@pytest.mark.package
@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("lintian") is None, reason="no lintian on this machine")
def test_lintian_finds_no_error(package: Path) -> None:
    told = run(["lintian", "--allow-root", "--fail-on", "error", str(package)], timeout=300)
    assert told.returncode == 0, told.stdout


def test_the_same_files_make_the_same_package_whatever_the_umask(tmp_path: Path) -> None:
    deb = load_tool("deb")
    made = []
    for mask in (0o022, 0o077):
        before = os.umask(mask)
        try:
            folder = tmp_path / f"{mask:o}"
            folder.mkdir()
            shutil.copy(small_archive(tmp_path / "a.pyz"), folder / "chime.pyz")
            (folder / "chime.cdx.json").write_text("{}", "utf-8")
            made.append(deb.build(folder, AT))
        finally:
            os.umask(before)
    assert made[0].name == "chime_1.2.3_amd64.deb"
    assert made[0].read_bytes() == made[1].read_bytes()


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_sound(name: str) -> None:
    assert os.access(DEB / name, os.X_OK)
    text = (DEB / name).read_text("utf-8")
    assert text.startswith("#!/bin/sh\n") and (name == "chime" or "\nset -e\n" in text)
    answer = run(["sh", "-n", str(DEB / name)])
    assert (answer.returncode, answer.stderr) == (0, "")


class Server:
    """A root in a folder, in which the package's scripts run as dpkg would run them (DPKG_ROOT)."""

    def __init__(self, root: Path, tools: Path) -> None:
        self.root = root
        self._tools = tools
        self.etc, self.data, self.lib = root / "etc/chime", root / "var/lib/chime", root / "usr/lib/chime"
        for folder in (self.lib, self.root / "usr/bin", self.root / "etc", self.root / "usr/share/doc/chime/examples"):
            folder.mkdir(parents=True)
        self.etc.mkdir()
        self.data.mkdir(parents=True)
        shutil.copy(DEB / "chime.toml", self.root / "usr/share/doc/chime/examples/chime.toml")
        self.unpack("1.0.0")

    def unpack(self, version: str) -> None:
        """What dpkg does before it calls postinst."""
        small_archive(self.lib / "chime.pyz", version=version)

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{self._tools}{os.pathsep}{os.environ['PATH']}"
        return run(["sh", str(DEB / name), *arguments], extra={"DPKG_ROOT": str(self.root), "PATH": path})

    def install(self, version: str, before: str = "") -> subprocess.CompletedProcess[str]:
        self.unpack(version)
        return self.script("postinst", "configure", before)

    @property
    def current(self) -> str:
        return os.readlink(self.lib / "current")

    def upgrade_that(self, status: int) -> Path:
        """Put a `chime` in place that notes how it was called, and ends with `status`."""
        called = self.root / "called"
        (self.root / "usr/bin/chime").write_text(f'#!/bin/sh\necho "$@" >>{called}\nexit {status}\n', "utf-8")
        (self.root / "usr/bin/chime").chmod(0o755)
        return called


@pytest.fixture
def server(tmp_path: Path) -> Server:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("getent", "adduser", "chown"):  # users of the machine under test are none of ours
        (tools / name).write_text("#!/bin/sh\n", "utf-8")
        (tools / name).chmod(0o755)
    return Server(tmp_path / "root", tools)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_first_installation_makes_key_settings_and_a_release(server: Server) -> None:
    done = server.install("1.0.0")
    assert done.returncode == 0, done.stderr
    assert "first-run" in done.stderr and "master.key" in done.stderr
    assert server.current == "releases/1.0.0-0123456789ab"
    assert (server.lib / "current" / "run.py").exists()
    assert (_mode(server.etc), _mode(server.data), _mode(server.etc / "master.key")) == (0o750, 0o700, 0o600)
    assert _mode(server.etc / "chime.toml") == 0o640
    assert len((server.etc / "master.key").read_bytes()) == 45
    assert (server.etc / "master.key").read_text("ascii") not in done.stdout + done.stderr


def test_repeated_it_changes_nothing(server: Server) -> None:
    assert server.install("1.0.0").returncode == 0
    key = (server.etc / "master.key").read_bytes()
    (server.etc / "chime.toml").write_text("# mine\n", "utf-8")
    for _ in range(2):
        assert server.install("1.0.0", "1.0.0").returncode == 0
    assert (server.etc / "master.key").read_bytes() == key
    assert (server.etc / "chime.toml").read_text("utf-8") == "# mine\n"
    assert sorted(path.name for path in server.etc.iterdir()) == ["chime.toml", "master.key", "release-keys"]


def test_data_without_its_key_gets_no_other(server: Server) -> None:
    (server.data / "control.db").touch()
    done = server.install("1.0.0")
    assert done.returncode == 0 and not (server.etc / "master.key").exists()
    assert "put it back at /etc/chime/master.key" in done.stderr


def test_a_later_version_goes_in_by_the_running_ones_upgrade(server: Server) -> None:
    server.install("1.0.0")
    (server.data / "control.db").touch()
    called = server.upgrade_that(0)
    done = server.install("1.1.0", "1.0.0")
    assert done.returncode == 0, done.stderr
    assert called.read_text("utf-8") == f"upgrade --from-package {server.lib}/chime.pyz\n"
    assert server.current == "releases/1.0.0-0123456789ab", "switching is the upgrade's affair"


def test_an_upgrade_that_went_back_fails_the_installation(server: Server) -> None:
    server.install("1.0.0")
    (server.data / "control.db").touch()
    server.upgrade_that(1)
    done = server.install("1.1.0", "1.0.0")
    assert done.returncode == 1 and "dpkg --configure -a" in done.stderr
    assert server.current == "releases/1.0.0-0123456789ab"


def test_without_data_a_later_version_is_simply_taken(server: Server) -> None:
    server.install("1.0.0")
    called = server.upgrade_that(1)
    assert server.install("1.1.0", "1.0.0").returncode == 0
    assert server.current == "releases/1.1.0-0123456789ab" and not called.exists()


def test_another_python_makes_it_compile_again(server: Server) -> None:
    server.install("1.0.0")
    for mark in (server.lib / "current").resolve().glob("compiled-*"):
        mark.unlink()
    assert server.script("postinst", "triggered", "/usr/bin/python3.11").returncode == 0
    assert list((server.lib / "current").resolve().glob("compiled-*"))


@pytest.mark.parametrize("step", ["abort-upgrade", "abort-remove", "abort-deconfigure"])
def test_what_dpkg_gave_up_changes_nothing(server: Server, step: str) -> None:
    assert server.script("postinst", step, "1.0.0").returncode == 0
    assert not list(server.etc.iterdir())


def test_remove_takes_the_program_and_leaves_what_is_the_operators(server: Server) -> None:
    server.install("1.0.0")
    (server.data / "control.db").touch()
    assert server.script("prerm", "remove").returncode == 0
    assert server.script("postrm", "remove").returncode == 0
    assert not server.lib.exists()
    assert {"master.key", "chime.toml"} <= {path.name for path in server.etc.iterdir()}
    assert (server.data / "control.db").exists()


@pytest.mark.parametrize("what", ["control.db", "workspaces", "backups"])
def test_purge_leaves_data_and_key_and_says_how_to_delete_them(server: Server, what: str) -> None:
    server.install("1.0.0")
    (server.data / what).mkdir() if what != "control.db" else (server.data / what).touch()
    for _ in range(2):
        done = server.script("postrm", "purge")
        assert done.returncode == 0 and "rm -rf /var/lib/chime /etc/chime" in done.stderr
    assert [path.name for path in server.etc.iterdir()] == ["master.key"] and (server.data / what).exists()


def test_purge_before_anybody_was_set_up_leaves_nothing(server: Server) -> None:
    server.install("1.0.0")
    done = server.script("postrm", "purge")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not server.etc.exists() and not server.data.exists() and not server.lib.exists()


@pytest.mark.parametrize("step", ["upgrade", "failed-upgrade", "disappear", "abort-install"])
def test_while_another_version_comes_nothing_goes(server: Server, step: str) -> None:
    server.install("1.0.0")
    assert server.script("prerm", step, "1.1.0").returncode == 0
    assert server.script("postrm", step, "1.1.0").returncode == 0
    assert (server.lib / "current" / "run.py").exists() and (server.etc / "master.key").exists()


@pytest.fixture
def started(tmp_path: Path) -> ModuleType:
    """The program that starts a release, for an installation in a folder whose service is `nobody`."""
    program = load_tool("run")
    program.USER, program.DATA, program.SETTINGS = "nobody", str(tmp_path / "data"), tmp_path / "etc"
    program.SETTINGS.mkdir(mode=0o750)
    return program


# Becoming somebody else is for good, so it happens in a child.
_AS_SERVICE = """
import importlib.util, json, os, sys
from pathlib import Path
specification = importlib.util.spec_from_file_location("run", sys.argv[1])
run = importlib.util.module_from_spec(specification)
specification.loader.exec_module(run)
run.USER, run.DATA, run.SETTINGS = "nobody", sys.argv[2] + "/data", Path(sys.argv[2]) / "etc"
run.settle(sys.argv[3:])
def reads(path):
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None
made = Path(sys.argv[2], "data", "made")
try:
    made.touch()
except OSError:
    pass
print(json.dumps({"uid": os.geteuid(), "groups": os.getgroups(), "key": os.environ.get("CHIME_MASTER_KEY"),
    "data": os.environ.get("CHIME_DATA_DIR"), "config": os.environ.get("CHIME_CONFIG"),
    "secret": reads(sys.argv[2] + "/etc/secret"), "owner": made.stat().st_uid if made.exists() else None,
    "environ": "0f1e2d3c" in reads("/proc/self/environ") if reads("/proc/self/environ") else None}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("arguments", "uid", "key", "secret"), [
    (["doctor"], 65534, True, "s"), (["backup", "now", "--json"], 65534, True, "s"),
    (["serve"], 65534, True, None), (["upgrade", "f"], 0, True, "s"), (["settle"], 0, True, "s"),
    (["demo"], 65534, False, None), (["version"], 65534, False, None),
    (["doctor", "--data", "/srv/x"], 0, False, "s"), (["doctor", "--data=/srv/x"], 0, False, "s"),
    (["--help"], 0, False, "s"),
])
def test_root_at_the_shell_works_as_the_service(tmp_path: Path, arguments: list[str], uid: int, key: bool,
                                                secret: str | None) -> None:
    import json
    import pwd
    import tempfile

    nobody = pwd.getpwnam("nobody")
    # Not below pytest's folder, which only root may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "data").mkdir(mode=0o700)
        os.chown(folder / "data", nobody.pw_uid, nobody.pw_gid)
        (folder / "etc").mkdir(mode=0o750)
        for file, text in (("master.key", "0f1e2d3c"), ("secret", "s")):
            (folder / "etc" / file).write_text(f"{text}\n", "utf-8")
            (folder / "etc" / file).chmod(0o600)
        answer = run([sys.executable, "-c", _AS_SERVICE, str(ROOT / "packaging" / "run.py"), name, *arguments])
        assert answer.returncode == 0, answer.stderr
        told = json.loads(answer.stdout)
    assert told["uid"] == (uid and nobody.pw_uid)
    assert (told["key"], told["secret"]) == ("0f1e2d3c" if key else None, secret)
    assert told["owner"] == (uid and nobody.pw_uid), "what is made is the service's"
    assert told["environ"] in (False, None), "no other process sees the key among the environment"
    assert (told["data"] is not None) is key
    assert (told["config"] == os.devnull) is (arguments[0] in ("demo", "version"))


def test_who_is_not_root_is_told_so_in_one_line(started: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.delenv("CHIME_DATA_DIR", raising=False)
    with pytest.raises(SystemExit, match=r"sudo chime doctor$"):
        started.settle(["doctor"])


def test_where_no_package_set_the_server_up_nothing_is_taken(
        started: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHIME_DATA_DIR", raising=False)
    started.USER = "nobody-of-that-name"
    started.settle(["doctor"])
    assert "CHIME_DATA_DIR" not in os.environ
