"""What a systemd that runs says of the service: what it started, what the process may, what is left on the disk."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

from trial.machine import Machine, must, say
from trial.peers import answers

STATE, SETTINGS = "/var/lib/chime", "/etc/chime"
# A score of 1.5 as systemd-analyze takes it.
_MOST_EXPOSURE = "15"
_FLAGS = ("import os, sys\nfor path in sys.argv[1:]:\n    flags = os.statvfs(path).f_flag\n"
          "    print(path, 'ro' if flags & os.ST_RDONLY else 'rw', 'noexec' if flags & os.ST_NOEXEC else 'exec')")
# What the service's user may write, as the service sees the disk: its data, folders of its own, and the devices that
# are everybody's.
_WRITABLE = re.compile(r"/var/lib/chime(/.*)?|/tmp|/var/tmp|/run/lock|/dev/(null|zero|full|random|urandom|tty|ptmx|shm|"
                       r"mqueue|pts/.*)")


def units_run(machine: Machine) -> None:
    """Started, and started again at the next boot; the port is held by systemd, not by the service."""
    for unit in ("chime.socket", "chime.service"):
        for verb, word in (("is-active", "active"), ("is-enabled", "enabled")):
            found = machine.run("systemctl", verb, unit, check=False).stdout.strip()
            must(found == word, f"{unit} is {found}, not {word}")
    listens = machine.shown("Listen", "chime.socket")
    must("127.0.0.1:8700 (Stream)" in listens, f"chime.socket listens at {listens}")
    must(machine.shown("TriggeredBy") == "chime.socket", "the service is not the socket's")
    must(machine.shown("StatusErrno") == "0" and machine.shown("Type") == "notify", "it does not notify")


def permissions(machine: Machine) -> None:
    """Data is the service's alone, the key and all code are root's."""
    wanted = {STATE: "chime chime 700", SETTINGS: "root chime 750", f"{SETTINGS}/master.key": "root root 600",
              f"{SETTINGS}/chime.toml": "root chime 640"}
    for path, word in wanted.items():
        found = machine.run("stat", "-c", "%U %G %a", path).stdout.strip()
        must(found == word, f"{path} is {found}, not {word}")
    strange = machine.run("find", STATE, "!", "-user", "chime").stdout + machine.run(
        "find", "/usr/lib/chime", "(", "!", "-user", "root", "-o", "-perm", "/022", "!", "-type", "l", ")").stdout
    must(not strange, f"whose are these? {strange[:500]}")
    open_to_others = machine.run("find", STATE, "-perm", "/077", "!", "-type", "l").stdout
    must(not open_to_others, f"others may look into {open_to_others[:500]}")


def key_comes_as_credential(machine: Machine) -> None:
    """The service has the key from systemd; its user could not read the file."""
    pid = machine.host_pid(machine.main_pid)
    items = Path(f"/proc/{pid}/environ").read_text("utf-8").split("\0")
    given = dict(item.split("=", 1) for item in items if "=" in item)
    must(given.get("CREDENTIALS_DIRECTORY") == "/run/credentials/chime.service", "it was given no credentials")
    must(not any(name.startswith("CHIME_MASTER_KEY") for name in given), "the key stands in its environment")
    handed = machine.as_service("cat", "/run/credentials/chime.service/master_key").stdout
    kept = (machine.root / "etc/chime/master.key").read_text("ascii")
    must(hashlib.sha256(handed.encode()).digest() == hashlib.sha256(kept.encode()).digest(), "it was given another key")
    denied = machine.as_service("cat", f"{SETTINGS}/master.key", check=False)
    must(denied.returncode != 0 and not denied.stdout, "its user can read the key's file")


def closed_in(machine: Machine) -> str:
    """Nothing else can be written, nothing written can be run; what systemd says of the rest."""
    # Symbolic links are always writable in name; sockets are other services' doors, which look after themselves.
    found = machine.as_service("find", "/", "(", "-path", "/proc", "-o", "-path", "/sys", ")", "-prune", "-o", "!",
                               "-type", "l", "!", "-type", "s", "-writable", "-print", check=False).stdout.splitlines()
    must(STATE in found, "it cannot write its own data")
    strange = [path for path in found if not _WRITABLE.fullmatch(path)]
    must(not strange, f"it can write {', '.join(strange[:20])}")
    mounts = {"/": "ro exec", "/usr": "ro exec", "/etc": "ro exec", "/run": "ro exec", "/home": "ro noexec",
              STATE: "rw noexec", "/tmp": "rw noexec", "/var/tmp": "rw noexec", "/dev/shm": "rw noexec"}
    told = dict(line.split(" ", 1) for line in machine.as_service("python3", "-c", _FLAGS, *mounts).stdout.splitlines())
    must(told == mounts, f"it has the disk as {told}")
    machine.as_service("sh", "-c", f"printf '#!/bin/sh\\necho ran\\n' >{STATE}/trial && chmod 700 {STATE}/trial")
    ran = machine.as_service(f"{STATE}/trial", check=False)
    machine.run("rm", f"{STATE}/trial")
    must(ran.returncode != 0 and "ran" not in ran.stdout, "what it writes can be run")
    pid = machine.host_pid(machine.main_pid)
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        must(line in status, f"not {line!r}: {re.findall('(?:Cap|NoNew|Seccomp).*', status)}")
    judged = machine.run("systemd-analyze", "security", "--no-pager", f"--threshold={_MOST_EXPOSURE}", "chime",
                         check=False)
    last = judged.stdout.strip().splitlines()[-1]
    must(judged.returncode == 0, last)
    return last.lstrip("→ ")


def watchdog(machine: Machine) -> float:
    """A process that stands still is replaced; after how many seconds it answers again."""
    pid, before = machine.main_pid, int(machine.shown("NRestarts"))
    os.kill(machine.host_pid(pid), signal.SIGSTOP)
    begun = time.monotonic()
    while machine.main_pid in (pid, 0):
        must(time.monotonic() - begun < 180, "nobody noticed that it stands still")
        time.sleep(0.5)
    answers("/readyz")
    must(int(machine.shown("NRestarts")) == before + 1, "it was replaced by somebody else")
    must("watchdog" in machine.run("journalctl", "-u", "chime", "--no-pager").stdout.lower(), "not by the watchdog")
    return time.monotonic() - begun


def starts(machine: Machine, times: int = 5) -> list[float]:
    """Seconds from its start to READY=1, warm, sorted."""
    found = []
    for _ in range(times):
        machine.run("systemctl", "reset-failed", "chime")
        machine.run("systemctl", "restart", "chime")
        answers("/readyz")
        began, ready = (int(machine.shown(name)) for name in ("ExecMainStartTimestampMonotonic",
                                                                 "ActiveEnterTimestampMonotonic"))
        found.append((ready - began) / 1e6)
    return sorted(found)


def files(machine: Machine) -> set[str]:
    """What is on the disk, but for what any package leaves in logs and in the package manager's own books."""
    apart = re.compile(r"var/(log|cache|lib/(dpkg|apt|systemd))(/.*)?|(proc|sys|dev|run|tmp|root|opt)(/.*)?|"
                       r"etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|.*/__pycache__(/.*)?|etc/machine-id|"
                       r"etc/(hostname|resolv\.conf|\.pwd\.lock|\.updated)|var/\.updated|var/tmp(/.*)?")
    found = set()
    for folder, folders, names in os.walk(machine.root):
        with suppress(OSError):
            inside = os.path.relpath(folder, machine.root)
            found |= {os.path.normpath(f"{inside}/{name}") for name in (*names, *folders)}
    return {path for path in found if not apart.fullmatch(path)}


def tell(text: str) -> None:
    """A figure or a finding of a step."""
    say(f"   {text}")
