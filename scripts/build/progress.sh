# shellcheck shell=bash disable=SC2154  # the variables are those of build_llama.sh
# What a long step is doing while it does it: a line that is written over in a terminal, a line every ten seconds elsewhere.

# the function that looks at a running step's log and sets `state`; none: nothing is shown
reporter=''
state=''
# what is on the screen and when it was written
shown=''
shown_at=0

# watch LOG: report on the running child until it ends
watch() {
    [ -n "$reporter" ] && [ "${verbose-no}" = no ] || return 0
    compiling_since='' state=''
    while kill -0 "$child" 2>/dev/null; do
        "$reporter" "$1"
        show_progress
        sleep 0.3
    done
    end_progress
}

is_terminal() { [ -t 2 ] && [ "${TERM-dumb}" != dumb ]; }

show_progress() {
    [ -n "$state" ] || return 0
    if is_terminal; then
        local line columns
        columns=$(stty size </dev/tty 2>/dev/null | cut -d ' ' -f 2) || true
        line=$(printf '%s: [%3d s] %s' "$program" "$SECONDS" "$state")
        printf '\r%s\033[K' "${line:0:$((${columns:-80} > 1 ? ${columns:-80} - 1 : 79))}" >&2
        shown=$state
    elif [ "$state" != "$shown" ] && [ $((SECONDS - shown_at)) -ge 10 ]; then
        printf '%s: [%3d s] %s\n' "$program" "$SECONDS" "$state" >&2
        shown=$state shown_at=$SECONDS
    fi
}

# a finished line is taken off the terminal: what follows says how the step ended
end_progress() {
    if [ -n "$shown" ] && is_terminal; then printf '\r\033[K' >&2; fi
    shown=''
}

# report_fetch LOG: bytes of the archive that pip is writing
report_fetch() {
    local bytes
    bytes=$(find "$work/tmp" -name "$(basename "$archive")" -exec wc -c {} + 2>/dev/null | awk '{ print $1; exit }') || true
    [ -n "$bytes" ] || return 0
    state="fetching: $(megabytes "$bytes") of $(megabytes "$UPSTREAM_SIZE") MB"
}

# report_compile LOG: ninja writes [done/total] before each command; what comes before that is said by name
report_compile() {
    local counts finished total left
    counts=$(grep -aoE '^ *\[[0-9]+/[0-9]+\]' "$1" 2>/dev/null | tail -n 1 | tr -dc '0-9/') || true
    if [ -z "$counts" ]; then
        if grep -aqE 'Configuring CMake|C compiler identification' "$1" 2>/dev/null; then
            state="configuring"
        else
            state="fetching the build tools"
        fi
        return
    fi
    finished=${counts%/*} total=${counts#*/}
    compiling_since=${compiling_since:-$SECONDS}
    # a project within the project counts from 0 again
    left=$(((SECONDS - compiling_since) * (total - finished) / (finished > 0 ? finished : 1)))
    state="compiling: $((100 * finished / total)) %"
    [ "$finished" -lt $((total / 20)) ] || state+=", about $(in_words "$left") left"
    [ "$finished" -lt "$total" ] || state="packing what was compiled"
}

# in_words SECONDS: in steps that do not claim to know more than they do
in_words() {
    local seconds=$((($1 + 4) / 5 * 5))
    if [ $seconds -lt 60 ]; then
        echo "$seconds s"
    elif [ $seconds -lt 300 ]; then
        echo "$((seconds / 60)) min $((seconds % 60 / 10 * 10)) s"
    else
        echo "$(((seconds + 30) / 60)) min"
    fi
}

megabytes() { echo $((($1 + 500000) / 1000000)); }
