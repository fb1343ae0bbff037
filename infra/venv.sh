#!/bin/sh
# Make the virtual environment, or say in one line what stands in the way.
# usage: venv.sh PYTHON DIRECTORY
python=$1
venv=$2

fail() {
    echo "error: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "$python was not found. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "this Python has no venv module. On Debian and Ubuntu: apt install python3-venv"
[ -x "$venv/bin/python" ] && [ -x "$venv/bin/pip" ] && exit 0
"$python" -m venv --clear "$venv" 2>/dev/null ||
    fail "cannot write $venv. Make this directory writable, or choose another: make VENV=/path/to/venv"
