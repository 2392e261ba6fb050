#!/usr/bin/env bash
# The environment that everything is installed into: make .venv or repair it, and install negtemp itself there.
# shellcheck disable=SC1090,SC1091,SC2034,SC2154,SC2329  # the parts in scripts/build/ are checked on their own
set -euo pipefail
export LC_ALL=C

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$repo/build
folder=$repo/.venv
program=environment
for part in process progress pip distribution toolchain; do
    . "$repo/scripts/build/$part.sh"
done

usage() {
    cat <<EOF_USAGE
usage: scripts/environment.sh create [PYTHON]
       scripts/environment.sh install [EXTRA]

create   make .venv with PYTHON (default: the first Python of 3.11 or newer on PATH), or repair one that was left half made
install  install negtemp into it from this folder, with what an extra of pyproject.toml names, for example dev

Where it is there already, nothing is done. Exit status: 0 done, 1 failure, 2 wrong usage, 130 interrupted.
EOF_USAGE
}

main() {
    case ${1-} in
        create) with_lock create_environment "${2-}" ;;
        install) with_lock install_negtemp "${2-}" ;;
        -h | --help) usage ;;
        *) usage >&2 && exit 2 ;;
    esac
}

with_lock() {
    make_folders "$build"
    make_work_folder
    take_lock
    "$@"
}

is_new_enough() { [ "$("$1" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ]; }

create_environment() {
    python=$folder/bin/python
    if is_new_enough "$python"; then
        new_enough_pip "$python" || add_pip
        return
    fi
    ! "$python" -c '' 2>/dev/null || die ".venv is of $("$python" --version 2>&1), and negtemp needs Python 3.11 or newer: rm -r .venv, and run it again"
    find_base "$1"
    python=$base
    say "making .venv with $base ($("$base" -c 'import platform; print(platform.python_version())'))"
    # what lies there does not run: an interrupted start, or one whose Python is gone
    rm -rf "$folder"
    make_environment
    new_enough_pip "$folder/bin/python" && return
    rm -rf "$folder"
    die "cannot make .venv with $base: $reason"
}

# base: the Python that was named, else the first on PATH that is new enough, one that can make an environment before others
find_base() {
    local name named=$1
    base=''
    if [ -n "$named" ]; then
        command -v "$named" >/dev/null || die "no Python at $named: name another with make PYTHON=/path/to/python"
        is_new_enough "$named" || die "$named is no Python of 3.11 or newer: name another with make PYTHON=/path/to/python"
        base=$(command -v "$named")
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        is_new_enough "$name" || continue
        base=${base:-$(command -v "$name")}
        if makes_environments "$name"; then
            base=$(command -v "$name")
            return
        fi
    done
    [ -n "$base" ] || base=$(uv python find --no-project '>=3.11' 2>/dev/null) ||
        die "no Python of 3.11 or newer on PATH: $(install_hint venv), or name one with make PYTHON=/path/to/python"
}

makes_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# by venv, else by whichever of virtualenv and uv is here; reason: why not
make_environment() {
    local -a command
    if makes_environments "$base"; then
        command=("$base" -m venv)
    elif "$base" -c 'import virtualenv' 2>/dev/null; then
        command=("$base" -m virtualenv)
    elif command -v virtualenv >/dev/null; then
        command=(virtualenv --python "$base")
    elif command -v uv >/dev/null; then
        command=(uv venv --seed --python "$base")
    else
        reason="it has no venv module: $(venv_hint "$base")"
        return
    fi
    reason="it has no pip"
    run_logged "$build/environment.log" "${command[@]}" "$folder" || reason=$(cause_of "$build/environment.log")
}

# Debian and Ubuntu part Python from its venv module; a Python of one's own was built without
venv_hint() {
    case $1 in
        /usr/bin/*) install_hint venv ;;
        *) echo "name another Python with make PYTHON=/path/to/python, or install uv or virtualenv" ;;
    esac
}

# pip into an environment that lacks it, or has an old one: cut off while it was made, or made by uv
add_pip() {
    local log=$build/environment.log
    say "adding pip to .venv"
    run_logged "$log" "$python" -m ensurepip --upgrade --default-pip && return
    if command -v uv >/dev/null && run_logged "$log" uv pip install --upgrade --python "$python" pip; then return; fi
    die ".venv has no pip, and its Python no ensurepip: $(venv_hint "$("$python" -c 'import sys; print(sys._base_executable)')"), and run it again"
}

install_negtemp() {
    local extra=$1 mark current
    python=$folder/bin/python
    mark=$folder/installed${extra:+-$extra}
    current=$(printf '%s\n' "$repo" "$(sha256 "$repo/pyproject.toml")")
    [ "$(cat "$mark" 2>/dev/null)" != "$current" ] || [ ! -e "$folder/bin/negtemp" ] || return 0
    say "installing negtemp${extra:+ and what \"$extra\" names} into .venv"
    rm -f "$mark"
    cd "$repo"
    run_pip "$build/install-negtemp.log" install --retries 2 --editable ".${extra:+[$extra]}" ||
        die "installing negtemp failed: $(cause_of "$build/install-negtemp.log")"
    printf '%s\n' "$current" >"$mark"
}

# in one line, so that nothing is read from a file that changed meanwhile
main "$@"; exit
