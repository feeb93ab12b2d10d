#!/bin/sh
# Sets the checkout up: the missing Debian packages, and .venv with exactly what requirements.lock
# pins. Safe to repeat; returns at once when nothing is missing. Exit status 2: one line says what to do.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
lock=requirements.lock
stamp=$venv/$lock # a copy of the lock that the environment was last made from

fail() {
    echo "setup: $1" >&2
    exit 2
}

is_python_3_11() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

# The first Python 3.11 on the path; a pyenv shim may exist and yet refuse to run.
find_python() {
    for candidate in python3.11 python3 /usr/bin/python3.11; do
        if is_python_3_11 "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 is needed and was not found (Debian 12: apt-get install python3.11)"
}

# Debian packages for commands that are not on the path.
missing_command_packages() {
    command -v iverilog >/dev/null || echo iverilog
    command -v verilator >/dev/null || echo verilator
    command -v espeak-ng >/dev/null || echo espeak-ng
    command -v flite >/dev/null || echo flite
    command -v cc >/dev/null || echo gcc libc6-dev
    command -v c++ >/dev/null || echo g++
    command -v yosys >/dev/null || echo yosys
    command -v nextpnr-ice40 >/dev/null || echo nextpnr-ice40
    command -v z3 >/dev/null || echo z3
    [ -e /usr/share/qflow/tech/osu035/osu035_stdcells.lib ] || echo qflow-tech-osu035
}

# What Debian splits off its own Python: the venv module, and the shared library that cocotb loads.
missing_python_packages() {
    case $("$1" -c 'import sys; print(sys.base_prefix)') in
    /usr)
        "$1" -c 'import ensurepip' 2>/dev/null || echo python3.11-venv
        "$1" -c 'import ctypes; ctypes.CDLL("libpython3.11.so.1.0")' 2>/dev/null || echo libpython3.11
        ;;
    esac
}

# Installs the packages named, as root or with a sudo that asks for no password.
install_packages() {
    command -v apt-get >/dev/null || fail "missing, and there is no apt-get to install them with: $*"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        fail "missing Debian packages; run: sudo apt-get install -y --no-install-recommends $*"
    fi
    echo "setup: installing Debian packages: $*"
    $as_root apt-get update -qq || echo "setup: package lists not refreshed; using those at hand" >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" \
        >/dev/null
}

# Installs what a lock file pins, hashes checked, from wheels unless flags say otherwise.
install_pinned() {
    pinned=$1
    shift
    $venv/bin/python -m pip install -qq --no-input --disable-pip-version-check --require-hashes \
        --only-binary :all: "$@" --requirement "$pinned"
}

# Makes .venv, or brings an existing one in line with the lock; the stamp is written last.
install_environment() {
    is_python_3_11 $venv/bin/python && $venv/bin/python -m pip --version >/dev/null 2>&1 ||
        "$1" -m venv --clear $venv
    rm -f $stamp
    echo "setup: installing the Python packages of $lock (2 GB on disk, a few minutes)"
    # pyverilog comes as source alone and is built with the setuptools of the lock, which must be there
    # before: the one that a new environment brings may be too old to make a wheel.
    sed -n '/^setuptools==/,/[^\\]$/p' $lock >$venv/setuptools.lock
    install_pinned $venv/setuptools.lock
    install_pinned $lock --no-binary pyverilog --no-build-isolation
    # Commands in scripts/ import the packages of the checkout, wherever it is moved.
    echo "../../../.." >$venv/lib/python3.11/site-packages/checkout.pth
    cp $lock $stamp
}

packages=$(missing_command_packages)
if cmp -s $lock $stamp; then
    environment_is_current=yes
else
    environment_is_current=
    python=$(find_python)
    packages="$packages $(missing_python_packages "$python")"
fi
packages=$(echo $packages) # on one line, without blanks when there are none
[ -z "$packages" ] || install_packages $packages
[ -n "$environment_is_current" ] || install_environment "$python"
