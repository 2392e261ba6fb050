#!/usr/bin/env bash
# Try the README's commands on a machine that has nothing: a minimal Debian made by debootstrap, with the packages that the
# README names and an ordinary user who clones this tree. Of this machine it takes the apt mirror, pip's settings, proxies
# and certificates. Everything happens in a mount and process namespace of its own, so that nothing stays mounted or
# running however it ends. Only what is committed is tried. Source: debootstrap(8), unshare(1).
# shellcheck disable=SC2329  # timed and trap call what looks uncalled
set -euo pipefail
export LC_ALL=C

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# the README's line for Debian; tests/test_fresh_machine.py holds the two together
packages=(python3 python3-venv g++ git make)
vulkan_packages=(mesa-vulkan-drivers libvulkan-dev glslc spirv-headers)
# beside those of the package ca-certificates, which writes its own anew when it is installed
certificates=/etc/ssl/this-machine.pem
# system, digest of what decides whether the suite must be run again, what passed there
record=$repo/scripts/fresh_machine.tested

usage() {
    cat <<EOF_USAGE
usage: scripts/fresh_machine.sh debian-12|debian-13|debian-14 [options]

Run \`make demo\` on a fresh, minimal Debian, and print how long each part took. debian-14 is in testing.

  --install      instead of it, install the wheel without a clone, \`negtemp build --portable\`, and take what that made
                 to an environment that compiles nothing
  --vulkan       instead of it, run scripts/check_gpu.sh vulkan on a device that Mesa's lavapipe computes on the CPU
  --test         then run \`make test\`, and note in scripts/fresh_machine.tested that it passed
  --needs-test   only tell, by that note, whether dependencies or build have changed since: status 0 yes, 1 no
  --digest       only print what that note holds of dependencies and build
  --mirror URL   Debian's mirror (default: that of this machine's apt)
  --folder DIR   make the machine in DIR (default: a temporary folder), about 3 GB
  --keep         leave the machine in its folder
  -h, --help     show this text

It needs root, debootstrap and the right to mount. Exit status: 0 passed, 1 failure, 2 wrong usage.
EOF_USAGE
}

say() { printf 'fresh_machine: [%4d s] %s\n' "$SECONDS" "$*"; }

die() {
    printf 'fresh_machine: error: %s\n' "$*" >&2
    exit 1
}

usage_error() {
    printf 'fresh_machine: %s (see --help)\n' "$1" >&2
    exit 2
}

parse_options() {
    system='' test=no install=no vulkan=no mirror='' parent=${TMPDIR:-/tmp} keep=no mode=run
    while [ $# -gt 0 ]; do
        case $1 in
            --test) test=yes ;;
            --install) install=yes ;;
            --vulkan) vulkan=yes packages+=("${vulkan_packages[@]}") ;;
            --needs-test) mode=ask ;;
            --digest) mode=digest ;;
            --keep) keep=yes ;;
            --mirror | --folder)
                [ -n "${2-}" ] || usage_error "$1 needs a value"
                if [ "$1" = --mirror ]; then mirror=$2; else parent=$2; fi
                shift
                ;;
            -h | --help) usage && exit 0 ;;
            -*) usage_error "unknown option: $1" ;;
            *) system=$1 ;;
        esac
        shift
    done
    root=${FRESH_MACHINE_ROOT-}
    [ -z "$root" ] || mode=inside
    case $system in
        debian-12) suite=bookworm ;;
        debian-13) suite=trixie ;;
        debian-14) suite=forky ;;
        '') usage_error "name a system: debian-12, debian-13 or debian-14" ;;
        *) usage_error "unknown system: $system" ;;
    esac
}

main() {
    parse_options "$@"
    case $mode in
        digest) digest ;;
        ask) ! grep -qF "$system $(digest) " "$record" 2>/dev/null ;;
        run) in_namespace "$@" ;;
        inside) inside ;;
    esac
}

# digest: of what is committed and decides whether the suite must be run there again. Of pyproject.toml only what is
# installed counts: a linter's rule changes nothing there.
digest() {
    {
        git -C "$repo" ls-tree -r HEAD -- Makefile patches scripts/upstream.env scripts/build scripts/build_llama.sh scripts/environment.sh
        git -C "$repo" show HEAD:pyproject.toml | python3 -c 'import sys, tomllib
file = tomllib.load(sys.stdin.buffer)
names = ("requires-python", "dependencies", "optional-dependencies", "scripts")
print(file["build-system"], *(file["project"].get(name) for name in names))'
    } | sha256sum | cut -d ' ' -f 1
}

# Run this script again as process 1 of namespaces of its own: when it ends, so does every process and mount in them.
in_namespace() {
    local reason status=0
    [ "$(id -u)" = 0 ] || die "making a machine needs root: run it with sudo"
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
    reason=$(unshare --mount --pid --fork true 2>&1) ||
        die "nothing can be mounted here (${reason##*: }): run it in a virtual machine, or in a container that has CAP_SYS_ADMIN"
    root=$(mktemp -d "$parent/negtemp-$system.XXXXXX") || die "cannot write in $parent: name a folder with --folder"
    chmod 755 "$root"
    trap end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # a job in the background would ignore Ctrl-C, and so would what is tried in it
    FRESH_MACHINE_ROOT=$root unshare --mount --pid --fork --kill-child --propagation private \
        env --default-signal=INT,QUIT bash "${BASH_SOURCE[0]}" "$@" </dev/null &
    child=$!
    wait "$child" || status=$?
    child=''
    return "$status"
}

end() {
    # unshare holds the other signals back, and takes all that it started with it
    [ -z "${child-}" ] || { kill -KILL "$child" && wait "$child"; } 2>/dev/null || true
    if [ "$keep" = yes ]; then say "the machine is in $root"; else rm -rf --one-file-system "$root"; fi
}

inside() {
    make_base
    take_settings
    mount_system
    timed packages install_packages
    clone_tree
    if [ $install = yes ]; then
        try_install
    elif [ $vulkan = yes ]; then
        # ggml takes a device that is the CPU only where it is named
        timed "check_gpu vulkan" as_newcomer env GGML_VK_VISIBLE_DEVICES=0 scripts/check_gpu.sh vulkan small
    else
        timed "make demo" as_newcomer make demo
        nothing_else_compiled
        [ $test = no ] || timed "make test" run_tests
    fi
    say "passed on $system: $(as_newcomer python3 --version), $times"
}

# timed NAME COMMAND...
times=''
timed() {
    local name=$1 from=$SECONDS
    shift
    say "$name"
    "$@" || die "$name failed on $system"
    times+="${times:+, }$name $((SECONDS - from)) s"
}

make_base() {
    local -a script=()
    [ -n "$mirror" ] || find_mirror
    # a release that debootstrap does not know yet is made like unstable
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=(sid)
    use_apt_proxy
    timed "base system" logged debootstrap --variant=minbase "$suite" "$root" "$mirror" "${script[@]}"
}

find_mirror() {
    local id
    # shellcheck disable=SC1091
    id=$(. /etc/os-release && echo "$ID")
    [ "$id" = debian ] || die "this machine is no Debian, so its apt names no mirror of it: give --mirror URL"
    # shellcheck disable=SC2016  # apt expands these
    mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | awk '$2 !~ /-/ { print $1; exit }')
    [ -n "$mirror" ] || die "apt of this machine names no mirror: give --mirror URL"
}

use_apt_proxy() {
    local proxy=''
    eval "$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null)"
    [ -z "$proxy" ] || [ -n "${http_proxy-}" ] || export http_proxy=$proxy
}

# logged COMMAND...: quiet, but for the end of its log where it fails
logged() {
    "$@" >"$root.log" 2>&1 && rm -f "$root.log" && return
    tail -n 15 "$root.log" >&2
    rm -f "$root.log"
    return 1
}

# what this machine needs to reach anything: names, proxies, certificates, apt's and pip's settings
take_settings() {
    local bundle=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    mkdir -p "$root$(dirname "$certificates")"
    apt-config dump | grep -iE '^Acquire::(http|https)::' >"$root/etc/apt/apt.conf.d/90machine" || true
    [ ! -f "$bundle" ] || cp -L "$bundle" "$root$certificates"
    python3 "$repo/scripts/build/pip_settings.py" 2>/dev/null | write_pip_settings
}

# NAME=VALUE, each ended by a NUL, to the machine's pip.conf. What lies on this machine's disk would not be on a fresh one.
write_pip_settings() {
    local setting name value place
    local -a places
    echo "[global]" >"$root/etc/pip.conf"
    while IFS= read -r -d '' setting; do
        name=$(tr 'A-Z_' 'a-z-' <<<"${setting%%=*}")
        places=()
        for place in ${setting#*=}; do
            case $place in file:* | /*) ;; *) places+=("$place") ;; esac
        done
        value=${places[*]-}
        [ "$name" != pip-cert ] || value=$certificates
        [ -z "$value" ] || printf '%s = %s\n' "${name#pip-}" "$value" >>"$root/etc/pip.conf"
    done
}

mount_system() {
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
    ln -sf pts/ptmx "$root/dev/ptmx"
}

install_packages() {
    logged on_machine apt-get update -q &&
        logged on_machine apt-get install -q -y --no-install-recommends "${packages[@]}"
}

proxies() {
    local name
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        [ -z "${!name-}" ] || printf '%s=%s\0' "$name" "${!name}"
    done
}

# on_machine COMMAND...: as root there; as_newcomer COMMAND...: as an ordinary user, in the clone
on_machine() { enter root /root "$@"; }
as_newcomer() { enter newcomer /home/newcomer/negtemp "$@"; }

# enter USER FOLDER COMMAND...: with nothing of this machine's environment but its proxies
enter() {
    local user=$1 folder=$2
    local -a environment
    mapfile -d '' environment < <(proxies)
    shift 2
    # shellcheck disable=SC2016  # the inner shell expands it
    chroot --userspec="$user" "$root" /usr/bin/env -i "${environment[@]}" DEBIAN_FRONTEND=noninteractive \
        HOME="$([ "$user" = root ] && echo /root || echo "/home/$user")" USER="$user" LOGNAME="$user" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        bash -c 'cd "$1" && shift && "$@"' bash "$folder" "$@"
}

clone_tree() {
    [ -z "$(git -C "$repo" status --porcelain)" ] || say "what is not committed here is not tried"
    on_machine useradd --create-home --shell /bin/bash newcomer
    git clone --quiet --bare --depth 1 "file://$repo" "$root/home/newcomer/negtemp.git"
    on_machine chown -R newcomer: /home/newcomer/negtemp.git
    enter newcomer /home/newcomer git clone --quiet negtemp.git negtemp
}

nothing_else_compiled() {
    local others
    others=$(as_newcomer bash -c 'grep -h "Building wheel for" build/*.log | grep -v "llama_cpp_python"' || true)
    [ -z "$others" ] || die "more was compiled than llama.cpp and its bindings: $others"
}

# without a clone: negtemp's wheel in an environment, the library built into it, and both wheels in a second one
try_install() {
    as_newcomer python3 -m venv ../env
    timed "wheel" logged as_newcomer ../env/bin/pip wheel --no-deps --wheel-dir ../wheels .
    timed "pip install" logged as_newcomer bash -c 'cd .. && env/bin/pip install wheels/negtemp-*.whl'
    timed "negtemp build" as_newcomer ../env/bin/negtemp build --portable --wheel ../wheels
    timed "negtemp compare" as_newcomer ../env/bin/negtemp compare
    as_newcomer python3 -m venv ../second
    timed "both wheels" logged as_newcomer bash -c 'cd .. && second/bin/pip install wheels/*.whl'
    timed "negtemp doctor" as_newcomer ../second/bin/negtemp doctor
}

run_tests() {
    local log=$root/home/newcomer/tests.log
    as_newcomer make test 2>&1 | tee "$log" || return 1
    printf '%s %s  %s, %s\n' "$system" "$(digest)" "$(as_newcomer .venv/bin/python --version)" \
        "$(grep -aoE '[0-9]+ passed' "$log" | tail -n 1)" | update_record
}

# one line a system, the newest run
update_record() {
    local line
    line=$(cat)
    { grep -v "^$system " "$record" 2>/dev/null || true; echo "$line"; } | sort >"$record.new"
    mv "$record.new" "$record"
}

# in one line, so that nothing is read from a file that changed meanwhile
main "$@"; exit
