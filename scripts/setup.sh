#!/usr/bin/env bash
# Make the virtual environment and install a requirements file, each only when something changed.
#   scripts/setup.sh requirements.txt        what the studio needs
#   scripts/setup.sh requirements-dev.txt    that, and what its tests need
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=${1:-requirements.txt}
venv=${VENV:-.venv}

usable() { # 3.11 or newer, and really there (a shim may only pretend)
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3 python; do
        if usable "$candidate"; then python=$candidate && break; fi
    done
    if [ -z "$python" ]; then
        echo "Python 3.11 or 3.12 is needed and was not found. Install it, or name it: make PYTHON=/path/to/python3.11 run" >&2
        exit 1
    fi
    echo "Making $venv with $("$python" --version) ..."
    if ! "$python" -m venv --clear "$venv"; then
        echo "The virtual environment could not be made; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi

stamp() { # what an environment with this file installed is known by
    { "$venv/bin/python" --version && cat $(files "$1"); } | "$venv/bin/python" -c \
        'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}
files() { # a requirements file and those it includes
    case $1 in
        requirements-dev.txt) echo requirements.txt requirements-extra.txt requirements-dev.txt ;;
        requirements-extra.txt) echo requirements.txt requirements-extra.txt ;;
        *) echo "$1" ;;
    esac
}
mark() { echo "$venv/.installed-$1"; }

if [ "$(cat "$(mark "$wanted")" 2>/dev/null)" != "$(stamp "$wanted")" ]; then
    echo "Installing $wanted (once; some minutes and about 6 GB) ..."
    quiet=()
    [ -t 1 ] || quiet=(--quiet) # a terminal gets pip's progress bars, a log does not
    "$venv/bin/python" -m pip install --disable-pip-version-check "${quiet[@]}" -r "$wanted"
    for file in $(files "$wanted"); do stamp "$file" >"$(mark "$file")"; done
fi
