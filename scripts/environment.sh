#!/usr/bin/env bash
# Create or refresh a virtual environment from a lock file with hashes.
#
#   scripts/environment.sh FOLDER LOCK [project]
#
# Does nothing when FOLDER was already made from this very lock. With `project`, the packages of
# this repository are installed too, in place, without asking a registry for build tools.
# Uses `uv` where it is on the path, plain pip otherwise; both check every hash.
set -euo pipefail

folder=$1
lock=$2
project=${3:-}
stamp=$folder/.made-from

find_python() {
    local name
    for name in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed. On Debian: apt-get install python3 python3-venv" >&2
    return 1
}

digest() {
    # The project's own metadata counts as well: a new command needs a new installation.
    if [ -n "$project" ]; then cat "$lock" pyproject.toml; else cat "$lock"; fi |
        "$1" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

python=$(find_python)
wanted="$(digest "$python") $lock"
if [ -x "$folder/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$python cannot create environments: ensurepip is missing." >&2
    echo "On Debian, as root: apt-get install python3-venv   then run make again." >&2
    exit 1
fi

echo "Installing $lock into $folder (once, until the lock changes)"
rm -f "$stamp"
if ! "$folder/bin/python" -c '' 2>/dev/null; then "$python" -m venv --clear "$folder"; fi
if command -v uv >/dev/null; then
    install() { uv pip install --quiet --python "$folder/bin/python" "$@"; }
else
    install() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
fi
# Two steps: an editable project has no hash, and hash mode refuses it beside the lock.
install --require-hashes -r "$lock"
if [ -n "$project" ]; then install --no-deps --no-build-isolation -e .; fi
echo "$wanted" >"$stamp"
