# Sourced by start, test, build: makes `.venv/` from a lock file, with one line of advice when something is missing.
# Promise: a second run changes nothing and needs no network; a run that was interrupted is made good by the next.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Run a command as root when we may: as root, or with a sudo that does not ask.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null && sudo -n "$@"
    fi </dev/null >/dev/null 2>&1
}

apt_update() { as_root apt-get update -qq; }

# Install Debian packages. Fails without a word where that is not possible.
apt_install() {
    as_root apt-get --version || return 1
    apt_update || true
    say "Installing $* with apt-get"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }

# The first Python >= 3.11 that can make an environment, else the first Python >= 3.11.
find_python() {
    local name found=""
    for name in python3 python3.13 python3.12 python3.11; do
        command -v "$name" >/dev/null && new_enough "$name" || continue
        if makes_venvs "$name"; then
            printf '%s' "$name"
            return
        fi
        found=${found:-$name}
    done
    printf '%s' "$found"
}

create_venv() {
    local python
    python=$(find_python)
    [ -n "$python" ] || die "Chime needs Python 3.11 or newer: apt-get install python3 python3-venv"
    if ! makes_venvs "$python"; then
        local package
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install "$package" && makes_venvs "$python" ||
            die "Python's venv module is missing: apt-get install $package"
    fi
    "$python" -m venv --clear "$venv" || die "Cannot make $venv: is this folder yours to write?"
}

# A path file and a launcher instead of an editable install: the project is plain Python, so no build tool is needed
# and a folder whose name holds a space works.
install_chime() {
    local packages
    packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' "$root" >"$packages/chime.pth"
    cat >"$venv/bin/chime" <<'LAUNCHER'
#!/bin/sh
# -P: a file in the caller's folder must never be taken for one of Chime's modules.
exec "$(dirname "$(readlink -f "$0")")/python" -P -m chime "$@"
LAUNCHER
    chmod 755 "$venv/bin/chime"
}

# What an environment was made from: another lock, or a folder that was moved, asks for a new one.
fingerprint() { printf '%s %s' "$(sha256sum <"$root/packaging/$1")" "$root"; }

# make_environment LOCK: `.venv/` holds exactly the releases of packaging/LOCK (and may hold more).
make_environment() {
    local stamp=$venv/.made-from-$1
    new_enough "$venv/bin/python" || rm -f "$stamp"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint "$1")" ]; then
        return
    fi
    say "Making the environment (a minute, once)"
    new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 || create_venv
    rm -f "$stamp"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-deps --only-binary :all: \
        --require-hashes --requirement "$root/packaging/$1" </dev/null ||
        die "Installing packaging/$1 failed (above): is a package index reachable?"
    install_chime
    # As pip does with what it installs: where Python may write no bytecode, a start takes twice as long without.
    "$venv/bin/python" -m compileall -q "$root/chime" "$root/migrations" >/dev/null 2>&1 || true
    fingerprint "$1" >"$stamp"
    # The tests' environment holds the appliance's too.
    fingerprint requirements.lock >"$venv/.made-from-requirements.lock"
}
