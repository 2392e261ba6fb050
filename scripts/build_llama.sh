#!/usr/bin/env bash
# Build llama-cpp-python from the pinned source distribution with patches/ applied, and install it into an environment.
# It leaves the patched llama.cpp in vendor/llama.cpp, wheels and the log in build/. Each step is skipped when its result
# is there already, so a run that was cut off is continued by the next one.
# shellcheck disable=SC1090,SC1091,SC2034,SC2154  # the parts in scripts/build/ are checked on their own
set -euo pipefail
export LC_ALL=C

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# `negtemp build` runs this from an installed package, which is no place to build in, and names itself
home=${NEGTEMP_BUILD_FOLDER:-$repo}
program=${NEGTEMP_BUILD_COMMAND:-build_llama}
command=${NEGTEMP_BUILD_COMMAND:-$0}
build=$home/build
. "$repo/scripts/upstream.env"
for part in process progress pip distribution source toolchain wheel kernel tools; do
    . "$repo/scripts/build/$part.sh"
done

usage() {
    cat <<EOF
usage: scripts/build_llama.sh [options]

Build the patched llama-cpp-python $UPSTREAM_VERSION and install it. When it is there already, nothing is done.

  --backend NAME   cpu, cuda, metal, vulkan or hip (default: cpu; macOS: always metal)
  --python PATH    environment to install into (default: .venv/bin/python if it is there, else python3)
  --jobs N         compile N files at a time (default: one for each processor)
  --tools          also build llama-server, llama-completion and their like, beside the environment's python
  --rpc            with ggml's RPC backend, for layers on other machines; with --tools, ggml-rpc-server too
  --portable       for any processor of this kind, which chooses its instructions when it runs (default: this very one)
  --wheel DIR      also put the wheel there, for machines like this one
  --rebuild        compile again even if nothing changed
  --check          only prove that patches/ apply to the pinned sources and regenerate byte for byte
  --regenerate     only write patches/ anew from the commits in vendor/
  --verbose        show everything that pip, CMake and the compiler write
  -h, --help       show this text

CMAKE_ARGS, CC, CXX, CFLAGS, CXXFLAGS and LDFLAGS are passed on; a change of them builds anew.
Exit status: 0 done, 1 failure, 2 wrong usage, 130 interrupted.
EOF
}

usage_error() {
    printf '%s: %s (see --help)\n' "$program" "$1" >&2
    exit 2
}

parse_options() {
    backend=cpu python='' jobs='' rebuild=no tools_wanted=no mode=build verbose=no portable=no rpc=no wheel_wanted=''
    while [ $# -gt 0 ]; do
        case $1 in
            --backend=* | --python=* | --jobs=* | --wheel=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
        esac
        case $1 in
            --backend | --python | --jobs | --wheel)
                [ $# -ge 2 ] || usage_error "$1 needs a value"
                case $1 in --backend) backend=$2 ;; --python) python=$2 ;; --jobs) jobs=$2 ;; --wheel) wheel_wanted=$2 ;; esac
                [ -n "$2" ] || usage_error "$1 needs a value"
                shift
                ;;
            --rebuild) rebuild=yes ;;
            --verbose) verbose=yes ;;
            --tools) tools_wanted=yes ;;
            --portable) portable=yes ;;
            --rpc) rpc=yes ;;
            --check) mode=check ;;
            --regenerate) mode=regenerate ;;
            -h | --help) usage && exit 0 ;;
            *) usage_error "unknown option: $1" ;;
        esac
        shift
    done
    case $backend in cpu | cuda | metal | vulkan | hip) ;; *) usage_error "unknown backend: $backend" ;; esac
    case $jobs in *[!0-9]* | 0*) usage_error "--jobs needs a whole number above 0, not: $jobs" ;; esac
}

main() {
    parse_options "$@"
    find_python
    need_git
    need_patches
    make_folders "$build" "$home/vendor"
    make_work_folder
    case $mode in
        build) build_and_install ;;
        check) check_patches ;;
        regenerate) regenerate_patches ;;
    esac
}

build_and_install() {
    choose_backend
    find_compiler
    compute_digests
    take_lock
    # before the first compilation, so that what is missing is said at once
    [ "$tools_wanted" = no ] || tools_are_current || find_cmake
    ensure_trees
    install_library
    install_kernel
    write_bill
    [ -z "$wheel_wanted" ] || keep_wheel
    [ "$tools_wanted" = no ] || build_tools
}

install_library() {
    if [ "$rebuild" = no ] && prove_installed 2>"$work/proof"; then
        say "up to date: $wheel_version ($backend) in $(environment)"
        return
    fi
    [ "$rebuild" = yes ] || say "to do: $(tail -n 1 "$work/proof")"
    if [ "$rebuild" = yes ] || [ -z "$(find_wheel)" ]; then build_wheel; fi
    install_wheel
    prove_installed 2>"$work/proof" || die "the build does not pass its self-test: $(tail -n 1 "$work/proof"); run $command --rebuild"
    say "done: $wheel_version ($backend) in $(environment)"
}

# in one line, so that nothing is read from a file that changed meanwhile
main "$@"; exit
