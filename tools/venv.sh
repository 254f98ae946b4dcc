#!/bin/sh
# Make or refresh the virtual environment in .venv; called by the Makefile.
#
#   tools/venv.sh run     what hybridconn itself needs
#   tools/venv.sh test    that, and what its tests need
#   tools/venv.sh bench   what others the bench compares with, in Python
#
# PYTHON=/path/to/python picks an interpreter; otherwise the newest one found
# that is new enough and has venv is taken.
set -eu

cd "$(dirname "$0")/.."
what=${1:-run}
venv=.venv
log=build/venv.log

fail() {
    printf 'hybridconn: %s\n' "$1" >&2
    exit 1
}

find_python() {
    without_venv=
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        # Asked to run, not only looked up: a version manager's stand-in may be
        # on the path for a Python that is not there.
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
            >/dev/null 2>&1 || continue
        if "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
        without_venv=$candidate
    done
    if [ -n "$without_venv" ]; then
        fail "$without_venv has no venv module; on Debian and Ubuntu: apt install python3-venv"
    fi
    if [ -n "${PYTHON:-}" ]; then
        fail "$PYTHON is no Python 3.11 or newer; leave PYTHON unset or point it at one"
    fi
    fail "Python 3.11 or newer is missing; on Debian 12, Ubuntu 24.04 and newer: apt install python3 python3-venv"
}

install() {
    # Not isolated from the log: pip is talkative, and says why only there.
    "$venv/bin/python" -m pip install --disable-pip-version-check \
        --config-settings editable_mode=compat --editable "$1" >>"$log" 2>&1 ||
        fail "pip could not install what is needed (network? its last words are in $log): $(grep -i error "$log" | tail -n 1)"
}

mkdir -p build
if [ ! -e "$venv/made" ] || [ setup.cfg -nt "$venv/made" ] || [ pyproject.toml -nt "$venv/made" ]; then
    python=$(find_python)
    echo "Making a virtual environment in $venv with $("$python" --version) ..."
    "$python" -m venv --clear "$venv" >"$log" 2>&1 ||
        fail "$python could not make a virtual environment (see $log)"
    install .
    touch "$venv/made"
fi
if [ "$what" = test ] && [ ! -e "$venv/made-for-tests" ]; then
    echo "Adding what the tests need ..."
    install '.[test]'
    touch "$venv/made-for-tests"
fi
if [ "$what" = bench ] && [ ! -e "$venv/made-for-bench" ]; then
    echo "Adding what the bench compares with ..."
    install '.[bench]'
    touch "$venv/made-for-bench"
fi
