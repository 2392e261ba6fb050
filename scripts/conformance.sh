#!/usr/bin/env bash
# Nothing moves above zero: build the stock tree (the same archive, no patches) beside the patched one, draw from both with
# the same seeds through llama_cpp.Llama, llama-server and llama-completion, and hold every token id of one against the other.
# What is built and drawn stays in build/stock; a build that is there already is used again.
# usage: scripts/conformance.sh    exit status: 0 no difference, 1 a difference or a failure
# shellcheck disable=SC1090,SC1091,SC2034,SC2154  # the parts in scripts/build/ are checked on their own
set -euo pipefail
export LC_ALL=C

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$repo/build
. "$repo/scripts/upstream.env"
for part in process progress pip distribution source toolchain wheel tools; do
    . "$repo/scripts/build/$part.sh"
done
# the archive stays where the patched build has it; all else is the stock build's own
build=$repo/build/stock
tools=(llama-completion llama-server)
upstream_tests=()
# shellcheck disable=SC2329  # the parts call these two
tree_of() { printf '%s\n' "$build/$1"; }
# shellcheck disable=SC2329
list_patches() { :; }

build_stock() {
    backend=cpu mode=build python=$repo/.venv/bin/python jobs='' rebuild=no
    find_python
    choose_backend
    find_compiler
    compute_digests
    take_lock
    wheel_version=$UPSTREAM_VERSION
    stamp+=" ggml $(git -C "$repo/vendor/llama.cpp" rev-parse HEAD:ggml)"
    if [ "$(cat "$build/stamp" 2>/dev/null)" = "$stamp" ]; then
        say "up to date: the stock build in $build"
        return
    fi
    rm -rf "$build/stamp" "$build/llama.cpp" "$build/llama-cpp-python" "$build/python"
    fetch_archive
    unpack_archive
    mv "$work"/trees/* "$build/"
    # samplers are held against each other; ggml has one patch (0016), without which nothing runs on some processors
    git -C "$repo/vendor/llama.cpp" archive HEAD ggml | tar -x -C "$build/llama.cpp"
    build_wheel
    "$python" -m pip --disable-pip-version-check --quiet install --no-deps --target "$build/python" "$(find_wheel)"
    find_cmake
    compile_tools
    mkdir -p "$build/bin"
    local tool
    for tool in "${tools[@]}"; do put_executable "$tool" "$build/bin"; done
    printf '%s\n' "$stamp" >"$build/stamp"
    say "done: the stock build in $build"
}

# tokens FRONT_END: what each build draws through it, into build/stock/tokens
tokens() {
    say "drawing through $1"
    PYTHONPATH=$build/python "$python" "$repo/scripts/conformance_tokens.py" "$1" "$build/bin" >"$build/tokens/$1.stock"
    "$python" "$repo/scripts/conformance_tokens.py" "$1" "$(dirname "$python")" >"$build/tokens/$1.patched"
}

mkdir -p "$build/tokens"
"$repo/scripts/build_llama.sh" --tools
make_work_folder
build_stock
status=0
for front_end in bindings server completion; do
    tokens "$front_end"
    "$python" "$repo/scripts/conformance_compare.py" "$front_end" "$build/tokens/$front_end".{stock,patched} || status=1
done
exit $status
