"""`python -m trial DIST FOLDER SUITE`: the life of an installation, step by step; see packaging/try-systemd.

FOLDER/system is the bare machine. The package is installed in an older version, set up in the browser, used, and taken
through every way to a newer one and back while webhooks arrive. The first thing that is not as it has to be ends it.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sign

from trial import checks, versions
from trial.checks import tell
from trial.machine import Failed, Machine, must, say
from trial.peers import HOST, META_PORT, NUMBER, OWNER, PORT, SECRETS, Browser, Meta, Posts, Script, answers, ask

INSTALL = ("apt-get", "install", "-y", "-qq", "--no-install-recommends")
# Webhooks whose connection may be cut in one step.
MOST_CUT = 3


def step(text: str) -> None:
    say(f"== {text}")


class Trial:
    """One installation. `before`, `now`, `later` are versions that work, in their order."""

    def __init__(self, machine: Machine, dist: Path, folder: Path) -> None:
        self.machine = machine
        self._meta = Meta(machine)
        self._dist, self._folder = dist, folder
        folder.mkdir()
        self._key = folder / "key"
        sign.new_key(self._key)
        self.now = versions.version_of(dist)
        self.before, self.later = "0.0.1", f"{self.now}+1"
        self.webhook_path = ""
        self.script = Script("")

    def package(self, version: str, *, fault: str = "", migrates: bool = False) -> str:
        """Have a package of that version lie in the machine, with its signature; its path there."""
        made = versions.make(self._dist, self._folder, version, key=self._key, fault=fault, step=migrates)
        for file in (made, made.with_name(f"{made.name}.sig")):
            (self.machine.root / "root" / file.name).write_bytes(file.read_bytes())
        return f"/root/{made.name}"

    def chime(self, *arguments: str, check: bool = True) -> Any:
        """A command at root's shell."""
        return self.machine.run("chime", *arguments, check=check)

    def told(self, *arguments: str) -> Any:
        return json.loads(self.chime(*arguments, "--json").stdout)

    def serving(self) -> str:
        """The version that answers."""
        return str(ask("GET", "/metrics")[2].partition('chime_info{version="')[2].partition('"')[0])

    def must_serve(self, version: str) -> None:
        answers("/readyz")
        must(self.serving() == version, f"{self.serving()} serves, not {version}")
        for unit in ("chime.socket", "chime.service"):
            must(self.machine.shown("ActiveState", unit) == "active", f"{unit} is not active")

    # The steps, in their order.

    def install(self) -> None:
        step(f"apt install of {self.before}: units, permissions, what the service may")
        done = self.machine.run(*INSTALL, self.package(self.before))
        said = done.stdout + done.stderr
        found = re.search(r"chime: is installed\. Set it up within 24 hours at (\S+/setup#\S+)", said)
        must(found, f"the package does not say how to set it up: {said[-500:]}")
        checks.units_run(self.machine)
        checks.permissions(self.machine)
        checks.key_comes_as_credential(self.machine)
        tell(checks.closed_in(self.machine))
        with (self.machine.root / "etc/chime/chime.toml").open("a", encoding="utf-8") as settings:
            settings.write(f'graph_url = "http://{HOST}:{META_PORT}/simulator/graph"\n')
        self.machine.run("systemctl", "restart", "chime")

    def set_up(self) -> None:
        step("the wizard, with the code from the journal")
        self._meta.start("/webhooks/whatsapp/later")
        must("waiting for set-up" in answers("/readyz", 503), "/readyz does not say what it waits for")
        code = self._code()
        stranger = Browser()
        must(stranger.get("/setup/owner")[0] != 200, "the wizard is open to everybody")
        must(stranger.post("/setup/session", {"token": code[:-2] + "xx"})[0] == 422, "any code will do")
        pid = self.machine.main_pid
        browser = Browser()
        must(browser.post("/setup/session", {"token": code}) == (303, "/setup/owner"), "the code is not taken")
        browser.send("/setup/owner", OWNER)
        sheet = browser.get("/setup/key/sheet")[1]
        lines = [line for line in sheet.splitlines() if line.startswith("    ") and line.rstrip().endswith("]")]
        browser.send("/setup/key", {"check": lines[2].split()[0], "do": "next"})
        browser.send("/setup/address", {"do": "skip"})
        browser.send("/setup/whatsapp", {**NUMBER, **SECRETS, "do": "connect"})
        must(browser.send("/setup/finish", {}) == "/welcome", "the last step leads elsewhere")
        answers("/readyz")
        must(self.machine.main_pid == pid, "another process took over")
        where = re.search(r'href="(/w/[^"]+/settings/channels/[^"]+)"', browser.get("/welcome")[1])
        must(where, "the welcome page does not lead to the number")
        assert where
        path = re.search(r"/webhooks/whatsapp/[\w-]+", browser.get(where[1])[1])
        must(path, "the number's page does not show its webhook address")
        assert path
        self.webhook_path = path[0]
        must(Browser().get("/setup")[1].count("token") == 0, "the wizard is still there")
        self._meta.start(self.webhook_path)
        key = self.told("api-key", "create", "--workspace", OWNER["workspace"], "--name", "trial", "--scopes", "all")
        self.script = Script(key["key"])

    def _code(self) -> str:
        journal = self.machine.run("journalctl", "-u", "chime", "-b", "--no-pager", "-o", "cat").stdout
        printed = re.findall(r"http://\S+/setup#(\S+)", journal)
        kept = (self.machine.root / "var/lib/chime/first-run").read_text("utf-8").strip().partition("#")[2]
        must(printed and printed[-1] == kept, "the journal and first-run do not show the same code")
        return kept

    def chat(self, name: str, phone: str) -> None:
        """A customer writes, an answer goes out and is read."""
        customer = self._meta.customer(name, phone)
        self._meta.call("POST", f"/customers/{customer}/messages",
                        {"type": "text", "text": {"body": f"Do you ship tiles, asks {name}?"}})
        found = self._until(lambda: [one for one in self.script.call("GET", "/conversations?state=open")["items"]
                                     if one["contact"]["profile_name"] == name],
                            "the customer's message is not in the inbox")
        sent = self.script.call("POST", "/messages", {"to": phone, "type": "text", "text": {"body": "Yes, we do."}})
        self._until(lambda: "Yes, we do." in json.dumps(self._meta.call("GET", f"/customers/{customer}/messages")),
                    "the answer is not on the customer's phone")
        self._until(lambda: self.script.call("GET", f"/messages/{sent['id']}")["status"] in ("delivered", "read"),
                    "no status of the answer came back")
        messages = self.script.call("GET", f"/conversations/{found[0]['id']}/messages")["items"]
        must(len(messages) == 2, f"{len(messages)} messages instead of 2")

    def _until(self, look: Callable[[], Any], otherwise: str) -> Any:
        deadline = time.monotonic() + 30
        while not (found := look()):
            must(time.monotonic() < deadline, otherwise)
            time.sleep(0.5)
        return found

    def first_chat(self) -> None:
        step("the first simulated chat")
        self.chat("Dana R", "+14155550123")

    def stand_still(self) -> None:
        step("a process that stands still")
        tell(f"the watchdog replaced it; it answered again after {checks.watchdog(self.machine):.0f} s")

    def reboot(self) -> None:
        step("a reboot")
        self.machine.reboot()
        answers("/readyz")
        checks.units_run(self.machine)
        must(len(self.script.call("GET", "/conversations")["items"]) == 1, "the conversation is gone")
        self._meta.start(self.webhook_path)

    def received(self) -> int:
        """Events that are in effect; fails unless the proof says that all is accounted for."""
        total = self._until(lambda: (one := self.told("prove-inbox")["total"])["waiting"] == 0 and one,
                            "not everything was applied")
        must(not any(total[name] for name in ("difference", "rejected", "parked")), f"prove-inbox: {total}")
        return int(total["applied"])

    def during_posts(self, name: str, do: Callable[[], None]) -> None:
        """While webhooks arrive: none is refused, none is lost, none counts twice. Those that a process had taken the
        connection of as it ended may find it cut, and come again; that is told, and must stay a rare thing."""
        before = self.received()
        with Posts(self.webhook_path, f"{name}{time.time():.0f}") as posts:
            time.sleep(1)
            do()
            time.sleep(1)
        cut = [one for one in posts.refused if one in ("RemoteDisconnected", "ConnectionResetError")]
        must(len(cut) == len(posts.refused) and len(cut) <= MOST_CUT,
             f"webhooks were refused: {posts.refused[:10]} ({len(posts.refused)})")
        after = self.received()
        must(after - before == posts.acknowledged, f"{posts.acknowledged} acknowledged, {after - before} in effect")
        tell(f"{posts.acknowledged} webhooks, none refused, all in effect once; the longest waited "
             f"{posts.longest:.1f} s{f'; {len(cut)} cut off came again' if cut else ''}")

    def upgrade_by_apt(self) -> None:
        step(f"apt install of {self.now} over {self.before} while webhooks arrive")
        package = next(self._dist.glob(f"chime_{self.now}_*.deb"))
        (self.machine.root / "root" / package.name).write_bytes(package.read_bytes())
        if (tried_with := self._dist / "test-key.pub").exists():  # of packaging/build --test-key
            (self.machine.root / "etc/chime/release-keys/test.pub").write_bytes(tried_with.read_bytes())
        self.during_posts("apt", lambda: tell(_last(self.machine.run(*INSTALL, f"/root/{package.name}").stdout,
                                                    "upgraded ")))
        self.must_serve(self.now)
        must("ok installed" in self.machine.run("dpkg", "-s", "chime").stdout, "dpkg does not think it is installed")
        checks.permissions(self.machine)

    def upgrade_by_file(self) -> None:
        step(f"chime upgrade to {self.later}, which brings a migration, while webhooks arrive")
        file = self.package(self.later, migrates=True)
        refused = self.chime("upgrade", file, check=False)
        must(refused.returncode == 1 and "does not trust" in refused.stderr, f"taken untrusted: {refused.stderr}")
        (self.machine.root / "etc/chime/release-keys/own.pub").write_bytes(self._key.with_name("key.pub").read_bytes())
        self.during_posts("file", lambda: tell(_last(self.chime("upgrade", file).stdout, "upgraded ")))
        self.must_serve(self.later)
        checks.permissions(self.machine)
        checks.key_comes_as_credential(self.machine)
        self.chat("Esi M", "+14155550124")

    def broken_by_file(self) -> None:
        step("chime upgrade to a release that ends soon after it was ready, while webhooks arrive")
        file = self.package(f"{self.now}+2", fault="ends soon after it was ready")

        def refused() -> None:
            done = self.chime("upgrade", file, check=False)
            must(done.returncode == 1 and "serves again" in done.stderr, f"{done.returncode}: {done.stderr[-800:]}")
            tell(done.stderr.strip().splitlines()[-1].removeprefix("chime: "))

        self.during_posts("broken", refused)
        self.must_serve(self.later)

    def broken_by_apt(self) -> None:
        step("apt install of a release that does not start, while webhooks arrive; then of one that does")
        file = self.package(f"{self.now}+3", fault="does not start")

        def refused() -> None:
            done = self.machine.run(*INSTALL, file, check=False)
            must(done.returncode != 0 and "the version before goes on" in done.stderr + done.stdout,
                 f"apt ended with {done.returncode}: {(done.stdout + done.stderr)[-800:]}")

        self.during_posts("half", refused)
        self.must_serve(self.later)
        good = self.package(f"{self.now}+4")
        self.during_posts("again", lambda: tell(_last(self.machine.run(*INSTALL, good).stdout, "upgraded ")))
        self.must_serve(f"{self.now}+4")
        must("ok installed" in self.machine.run("dpkg", "-s", "chime").stdout, "dpkg does not think it is installed")

    def roll_back(self) -> None:
        step("chime rollback while webhooks arrive, and a reboot after it")
        self.during_posts("back", lambda: tell(_last(self.chime("rollback").stdout, "went back ")))
        self.must_serve(self.later)
        self.machine.reboot()
        self.must_serve(self.later)
        self._meta.start(self.webhook_path)
        self.chat("Ines P", "+14155550125")

    def start_times(self) -> None:
        step("warm starts")
        found = checks.starts(self.machine)
        tell(f"from its start to ready, seconds: {', '.join(f'{one:.2f}' for one in found)}")

    def remove(self) -> None:
        step("remove, and install again: data, key and history are as they were")
        key, count = (self.machine.root / "etc/chime/master.key").read_bytes(), self.received()
        self.machine.run("apt-get", "remove", "-y", "-qq", "chime")
        must(not (self.machine.root / "usr/lib/chime").exists(), "remove left code behind")
        for unit in ("chime.socket", "chime.service"):
            must(self.machine.shown("ActiveState", unit) == "inactive", f"{unit} is still active")
        try:
            ask("GET", "/healthz", seconds=5)
            raise Failed("somebody answers at its port")
        except OSError:
            pass
        self.machine.run(*INSTALL, f"/root/{self._newest()}")
        self.must_serve(f"{self.now}+4")
        checks.units_run(self.machine)
        must(key == (self.machine.root / "etc/chime/master.key").read_bytes(), "the key is another one")
        must(count == self.received(), "events are missing")
        self.chat("Noor A", "+14155550126")

    def _newest(self) -> str:
        return next((self.machine.root / "root").glob(f"chime_{self.now}+4_*.deb")).name

    def purge(self, bare: set[str]) -> None:
        step("purge: what stays is what it says")
        said = self.machine.run("apt-get", "purge", "-y", "-qq", "chime")
        must("your data stays in /var/lib/chime" in said.stdout + said.stderr, "it does not say what stays")
        left = checks.files(self.machine) - bare
        strange = {path for path in left if not re.fullmatch(
            r"var/lib/chime(/.*)?|etc/chime|etc/chime/master\.key", path)}
        must(not strange, f"purge left {sorted(strange)[:20]}")
        must("etc/chime/master.key" in left and "var/lib/chime/control.db" in left, "purge took data")
        self.machine.run("rm", "-rf", "/var/lib/chime", "/etc/chime")
        must(not checks.files(self.machine) - bare, "what it says does not delete it all")
        self.machine.run(*INSTALL, f"/root/{self._newest()}")
        answers("/readyz", 503)
        self.machine.run("apt-get", "purge", "-y", "-qq", "chime")
        left = checks.files(self.machine) - bare
        must(not left, f"purge of a package that was never set up left {sorted(left)[:20]}")


def _last(text: str, word: str) -> str:
    lines = [line for line in text.splitlines() if word in line]
    must(lines, f"nothing was said of {word!r}: {text[-500:]}")
    return lines[-1].strip()


def main(dist: Path, folder: Path, suite: str) -> None:
    """All steps. Raises Failed."""
    with Machine(folder / "system", folder / "console.log") as machine:
        say(f"   {machine.run('systemctl', '--version').stdout.splitlines()[0]}, "
            f"{machine.run('python3', '--version').stdout.strip()}, port {PORT}, no network")
        bare = checks.files(machine)
        trial = Trial(machine, dist, folder / "versions")
        for do in (trial.install, trial.set_up, trial.first_chat, trial.stand_still, trial.reboot,
                   trial.upgrade_by_apt, trial.upgrade_by_file, trial.broken_by_file, trial.broken_by_apt,
                   trial.roll_back, trial.start_times, trial.remove):
            do()
        trial.purge(bare)
    say(f"== {suite}: all well")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
