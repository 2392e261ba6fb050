# shellcheck shell=bash disable=SC2154  # the variables are those of build_llama.sh
# pip as the build runs it: it reaches packages as the user has set it up, and installs as this script says.

pip_command=()

# run_pip LOG ARGUMENTS...
run_pip() {
    local log=$1
    shift
    [ ${#pip_command[@]} -gt 0 ] || read_pip_settings
    run_logged "$log" "${pip_command[@]}" "$@"
}

read_pip_settings() {
    local variable setting
    pip_command=(env)
    "$python" "$repo/scripts/build/pip_settings.py" >"$work/pip-settings" 2>"$work/pip-settings.log" ||
        die "pip of $python does not work: $(cause_of "$work/pip-settings.log")"
    for variable in $(compgen -e PIP_ || true); do pip_command+=(-u "$variable"); done
    while IFS= read -r -d '' setting; do pip_command+=("$setting"); done <"$work/pip-settings"
    pip_command+=(PIP_CONFIG_FILE=/dev/null PIP_NO_INPUT=1 "$python" -m pip --disable-pip-version-check)
}
