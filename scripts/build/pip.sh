# shellcheck shell=bash disable=SC2034,SC2154  # the variables are those of build_llama.sh
# pip as the build runs it: it reaches packages as the user has set it up, and installs as this script says.

pip_command=()

# its options for a build are not much older than Python 3.11, which brings 22.3 along
new_enough_pip() { "$1" -c 'import re, sys, pip; sys.exit(list(map(int, re.findall("[0-9]+", pip.__version__)[:2])) < [22, 3])' 2>/dev/null; }

# run_pip LOG ARGUMENTS...
run_pip() {
    local log=$1
    shift
    [ ${#pip_command[@]} -gt 0 ] || read_pip_settings
    run_logged "$log" "${pip_command[@]}" "$@"
}

read_pip_settings() {
    local variable setting pip_python
    local -a onto=()
    pip_command=(env)
    find_pip
    "$pip_python" "$repo/scripts/build/pip_settings.py" >"$work/pip-settings" 2>"$work/pip-settings.log" ||
        die "pip of $pip_python does not work: $(cause_of "$work/pip-settings.log")"
    for variable in $(compgen -e PIP_ || true); do pip_command+=(-u "$variable"); done
    while IFS= read -r -d '' setting; do pip_command+=("$setting"); done <"$work/pip-settings"
    pip_command+=(PIP_CONFIG_FILE=/dev/null PIP_NO_INPUT=1 "$pip_python" -m pip --disable-pip-version-check ${onto[@]+"${onto[@]}"})
}

# pip_python: the environment's own Python, or where that has no pip (uv makes such) one beside it whose pip works on it
find_pip() {
    pip_python=$python
    ! new_enough_pip "$python" || return 0
    pip_python=$build/pip-environment/bin/python
    onto=(--python "$python")
    ! new_enough_pip "$pip_python" || return 0
    say "$python has no pip of 22.3 or newer: making an environment that has"
    local log=$build/pip-environment.log
    rm -rf "$build/pip-environment"
    reporter=''
    run_logged "$log" "$python" -m venv "$build/pip-environment" && return
    rm -rf "$build/pip-environment"
    if command -v uv >/dev/null && run_logged "$log" uv venv --seed --python "$python" "$build/pip-environment"; then return; fi
    die "$python has no pip, and none can be had: $(cause_of "$log"); $(install_hint venv)"
}
