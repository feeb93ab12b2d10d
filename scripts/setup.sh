#!/bin/sh
# Sets the checkout up: the missing packages of Debian 12, Debian 13 or Ubuntu 24.04, and .venv with
# exactly what requirements.lock pins. Safe to repeat; returns at once when nothing is missing. Exit
# status 2: one line says what to do.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
lock=requirements.lock
stamp=$venv/$lock # a copy of the lock that the environment was last made from
cell_library=/usr/share/qflow/tech/osu035/osu035_stdcells.lib

fail() {
    echo "setup: $1" >&2
    exit 2
}

os_release() {
    (. /etc/os-release && eval "echo \"\${$1-}\"") 2>/dev/null || :
}

system=$(os_release PRETTY_NAME)
release="$(os_release ID) $(os_release VERSION_ID)"
case $release in
"debian 12" | "debian 13") packager=Debian ;;
"ubuntu 24.04") packager=Ubuntu ;;
*) packager= ;; # package names unknown: what is missing is named, and nothing installed
esac

# Python 3.11 to 3.13; a pyenv shim may exist and yet refuse to run.
is_supported_python() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

environment_works() {
    is_supported_python $venv/bin/python && $venv/bin/python -m pip --version >/dev/null 2>&1
}

# The Python that the environment was made with, or the first that will do on the path: the system's
# own python3 may stand behind a shim of the same name.
find_python() {
    if environment_works; then
        echo $venv/bin/python
        return
    fi
    IFS=:
    for name in python3 python3.13 python3.12 python3.11; do
        for folder in $PATH; do
            if is_supported_python "$folder/$name"; then
                echo "$folder/$name"
                return
            fi
        done
    done
    fail "Python 3.11, 3.12 or 3.13 is needed and not found${packager:+; $system has it as python3}"
}

# Names a missing thing by the packages that hold it, or by itself where those are unknown.
missing() {
    if [ -n "$packager" ]; then
        shift
        echo "$@"
    else
        echo "$1"
    fi
}

missing_commands() {
    command -v iverilog >/dev/null || missing iverilog iverilog
    command -v verilator >/dev/null || missing verilator verilator
    command -v espeak-ng >/dev/null || missing espeak-ng espeak-ng
    command -v flite >/dev/null || missing flite flite
    command -v cc >/dev/null || missing cc gcc libc6-dev
    command -v c++ >/dev/null || missing c++ g++
    command -v clang >/dev/null || missing clang clang
    command -v arm-none-eabi-gcc >/dev/null || missing arm-none-eabi-gcc gcc-arm-none-eabi
    command -v qemu-system-arm >/dev/null || missing qemu-system-arm qemu-system-arm
    command -v valgrind >/dev/null || missing valgrind valgrind
    command -v yosys >/dev/null || missing yosys yosys
    command -v nextpnr-ice40 >/dev/null || missing nextpnr-ice40 nextpnr-ice40
    command -v z3 >/dev/null || missing z3 z3
    [ -e /usr/include/zlib.h ] || missing zlib.h zlib1g-dev # of Verilator's compressed waveforms
    # Only Debian 12 has a package of it: see report_missing_cell_library.
    [ -e $cell_library ] || [ "$release" != "debian 12" ] || echo qflow-tech-osu035
}

# Prints what a Python expression comes to.
evaluate() {
    "$1" -c "import platform, sys; print($2)"
}

# No wheels: pyverilog anywhere, cocotb on arm64.
built_from_source() {
    case $(evaluate "$1" 'platform.machine()') in
    aarch64) echo pyverilog,cocotb ;;
    *) echo pyverilog ;;
    esac
}

# What the distributions split off their own Python: the venv module, the shared library that cocotb
# loads, and the headers that it is built with.
missing_python_parts() {
    [ "$(evaluate "$1" sys.base_prefix)" = /usr ] || return 0
    python3_x=python$(evaluate "$1" '"%d.%d" % sys.version_info[:2]')
    case $release/$python3_x in
    "ubuntu 24.04/python3.12") library=libpython3.12t64 ;;
    *) library=lib$python3_x ;;
    esac
    "$1" -c 'import ensurepip' 2>/dev/null || missing ensurepip "$python3_x-venv"
    "$1" -c "import ctypes; ctypes.CDLL('lib$python3_x.so.1.0')" 2>/dev/null ||
        missing "lib$python3_x.so.1.0" "$library"
    case $(built_from_source "$1") in
    *cocotb*) [ -e "/usr/include/$python3_x/Python.h" ] || missing Python.h "$python3_x-dev" ;;
    esac
}

# Installs the packages named, as root or with a sudo that asks for no password.
install_packages() {
    [ -n "$packager" ] || fail "missing on ${system:-an unknown system}, whose packages have other names: $*"
    command -v apt-get >/dev/null || fail "missing, and there is no apt-get to install them with: $*"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        fail "missing $packager packages; run: sudo apt-get install -y --no-install-recommends $*"
    fi
    echo "setup: installing $packager packages: $*"
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
    environment_works || "$1" -m venv --clear $venv
    rm -f $stamp
    echo "setup: installing the Python packages of $lock (2 GB on disk, a few minutes)"
    # What comes as source is built with what the lock has for it, which must be there before: the
    # setuptools that a new environment brings, if any, may be too old to make a wheel.
    sed -nE '/^(packaging|setuptools[a-z-]*)==/,/[^\\]$/p' $lock >$venv/build.lock
    install_pinned $venv/build.lock
    install_pinned $lock --no-binary "$(built_from_source $venv/bin/python)" --no-build-isolation
    # Commands in scripts/ import the packages of the checkout, wherever it is moved.
    $venv/bin/python -c 'import pathlib, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "checkout.pth").write_text("../../../..\n")'
    cp $lock $stamp
}

# Gate areas and gate netlists need the library; nothing else does.
report_missing_cell_library() {
    [ -e $cell_library ] || [ -z "$packager" ] ||
        echo "setup: $system has no package of the osu035 cells, which scripts/synthesise.py needs;" \
            "Debian 12's will do: dpkg-deb -x qflow-tech-osu035_*.deb /"
}

packages=$(missing_commands)
if [ -x $venv/bin/python ] && cmp -s $lock $stamp; then
    environment_is_current=yes
else
    environment_is_current=
    python=$(find_python)
    packages="$packages $(missing_python_parts "$python")"
fi
packages=$(echo $packages) # on one line, without blanks when there are none
[ -z "$packages" ] || install_packages $packages
if [ -z "$environment_is_current" ]; then
    install_environment "$python"
    report_missing_cell_library
fi
