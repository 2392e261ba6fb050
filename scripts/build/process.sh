# shellcheck shell=bash disable=SC2154  # the variables are those of build_llama.sh
# Messages, the work folder, the lock, and child processes that die with the script.

program=${program:-build_llama}
# how to call it again, for messages
command=${command:-$0}

say() {
    end_progress
    printf '%s: [%3d s] %s\n' "$program" "$SECONDS" "$*" >&2
}

die() {
    end_progress
    printf '%s: error: %s\n' "$program" "$*" >&2
    exit 1
}

child=''
work=''

clean_up() {
    [ -z "$work" ] || rm -rf "$work" 2>/dev/null || true
    [ -z "${lock_folder-}" ] || rm -rf "$lock_folder"
}

interrupted() {
    trap '' INT TERM HUP
    # a child runs in a process group of its own, so this reaches pip, ninja and every compiler
    [ -z "$child" ] || { kill -TERM -- "-$child" && wait "$child"; } 2>/dev/null || true
    end_progress
    printf '%s: interrupted; run it again to go on\n' "$program" >&2
    exit "$1"
}

trap clean_up EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM HUP

# make_folders FOLDER...: created, or told in one line why not
make_folders() {
    local reason
    reason=$(mkdir -p "$@" 2>&1 | head -n 1) || die "cannot write here: ${reason#mkdir: }; take a folder of your own"
}

# Everything unfinished lives in a folder of this run alone; folders of runs that were killed are removed.
make_work_folder() {
    local old made
    for old in "$build"/work.*; do
        [ ! -d "$old" ] || is_in_use "$old" || rm -rf "$old" 2>/dev/null || true
    done
    make_folders "$build"
    made=$(mktemp -d "$build/work.$$.XXXXXX" 2>&1) || die "cannot write here: ${made#mktemp: }; take a folder of your own"
    work=$made
    if command -v flock >/dev/null; then
        exec 8>"$work/alive"
        flock 8
    fi
    make_folders "$work/tmp"
}

# is_in_use WORK_FOLDER: told by a lock, since the number of a process in another container says nothing here
is_in_use() {
    if command -v flock >/dev/null && [ -e "$1/alive" ]; then
        ! flock -n "$1/alive" true
    else
        local name=${1##*/work.}
        kill -0 "${name%%.*}" 2>/dev/null
    fi
}

# run_logged LOG COMMAND...: output to LOG, with --verbose to the screen too; exit status of COMMAND. The lock is not
# handed on: a child that outlives a killed script must not hold up the next run.
run_logged() {
    local log=$1 status=0
    shift
    set -m
    if [ "${verbose-no}" = yes ]; then
        (set -o pipefail && TMPDIR=$work/tmp "$@" 2>&1 </dev/null | tee "$log" >&2) 9>&- &
    else
        TMPDIR=$work/tmp "$@" >"$log" 2>&1 </dev/null 9>&- &
    fi
    child=$!
    set +m
    watch "$log"
    wait "$child" || status=$?
    child=''
    return "$status"
}

take_lock() {
    if command -v flock >/dev/null; then
        exec 9>"$build/lock"
        flock -n 9 && return
        say "another build is running here: waiting for it"
        flock 9
        return
    fi
    local folder=$build/lock.d waiting=no holder
    until mkdir "$folder" 2>/dev/null; do
        holder=$(cat "$folder/pid" 2>/dev/null || true)
        if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
            rm -rf "$folder"
            continue
        fi
        [ $waiting = yes ] || say "another build is running here: waiting for it (remove $folder if that is wrong)"
        waiting=yes
        sleep 1
    done
    lock_folder=$folder
    echo $$ >"$folder/pid"
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi | cut -d ' ' -f 1
}

# need_space FOLDER MEGABYTES WHAT
need_space() {
    local free
    free=$(df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "$2" ] || die "not enough disk space to $3: $free MB free in $1, about $2 MB needed; free some and run it again"
}

# cause_of LOG: the line of it that says why, with what to do about it, and where the whole log is
cause_of() { "$python" "$repo/scripts/build/cause.py" "$1"; }
