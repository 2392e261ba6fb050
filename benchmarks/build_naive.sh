#!/usr/bin/env bash
# Build llama-completion with the one-line change of 2023 instead of patches/, as a thing to measure against: the pinned
# sources, `temp <= 0` made `temp == 0` in the temperature sampler, and the clamp of --temp taken out, which is newer.
# It is wrong with any filter on (see patches/0001); with every filter off it samples what we sample, only slower.
# usage: benchmarks/build_naive.sh    result: build/naive/llama-completion
# needs: scripts/build_llama.sh --tools, which leaves the sources in vendor/ and cmake where it can be found
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=build/naive
tree=$work/llama.cpp
mkdir -p "$tree"

find_program() { command -v "$1" || echo "$PWD/build/cmake-environment/bin/$1"; }

# replace FILE OLD NEW COUNT: the first of COUNT lines, or the sources are not what this script expects
replace() {
    local count
    count=$(grep -cF -- "$2" "$tree/$1" || true)
    [ "$count" = "$4" ] || { echo "build_naive: $count lines of $1 hold '$2', expected $4" >&2 && exit 1; }
    sed -i.bak "0,/$2/s//$3/" "$tree/$1"
}

if [ ! -f "$tree/.naive" ]; then
    git -C vendor/llama.cpp archive base | tar -x -C "$tree"
    git -C vendor/llama.cpp archive HEAD ggml | tar -x -C "$tree" # nothing runs on a processor with AMX without 0016
    replace src/llama-sampler.cpp 'if (temp <= 0.0f) {' 'if (temp == 0.0f) {' 2 # the first of the two is the CPU's
    replace common/arg.cpp 'params.sampling.temp = std::max(params.sampling.temp, 0.0f);' '' 1
    touch "$tree/.naive"
fi
cmake=$(find_program cmake) ninja=$(find_program ninja)
"$cmake" -S "$tree" -B "$work/cmake" -G Ninja -DCMAKE_MAKE_PROGRAM="$ninja" -DCMAKE_BUILD_TYPE=Release \
    -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF \
    -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=ON >"$work/build.log"
"$cmake" --build "$work/cmake" --parallel "${JOBS:-2}" --target llama-completion >>"$work/build.log"
cp "$work/cmake/bin/llama-completion" "$work/llama-completion"
echo "build_naive: $work/llama-completion" >&2
