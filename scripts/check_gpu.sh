#!/usr/bin/env bash
# Prove a GPU build on the machine it runs on: build, doctor, the sampler's tests, and the paths at T = +0.001 and -0.001
# on the GPU beside those on the CPU, of the bundled model and of a random 1B shape, device sampling off and on.
# Two paths agree up to the first step whose `gap` is below 0.05 nats: there the choice hangs on rounding.
# usage: scripts/check_gpu.sh [BACKEND] [small]    default: cuda; cpu tries the script itself; small: the bundled model alone
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
backend=${1:-cuda}
bin=.venv/bin
work=build/gpu
mkdir -p "$work"

[ -x "$bin/python" ] || python3 -m venv .venv
scripts/build_llama.sh --backend "$backend" --tools
"$bin/python" -m pip --disable-pip-version-check --quiet install --editable '.[dev]'
"$bin/negtemp" doctor
device=gpu
[ "$backend" != cpu ] || device=cpu
# samplers on lavapipe's device end upstream's own test in an assertion, that a tensor is not aligned as Vulkan wants it
# (ggml-vulkan.cpp:5701, allow_misalign); who asks for no `-bs` never meets it
samplers=()
[ "$backend" != vulkan ] || samplers=(--no-device-sampling)
NEGTEMP_REQUIRE_TOOLS=1 NEGTEMP_TEST_DEVICE=$device "$bin/python" -m pytest -q tests/test_sampler.py tests/test_library.py \
    tests/test_upstream.py ${samplers[@]+--deselect tests/test_upstream.py::test_upstreams_device_sampler_tests_pass}
models=(negtemp/data/tiny.gguf "$work/random-1b.gguf")
[ "${2-}" != small ] || models=(negtemp/data/tiny.gguf)
[ "${2-}" = small ] || [ -f "$work/random-1b.gguf" ] || "$bin/python" benchmarks/random_llama.py --output "$work/random-1b.gguf"
"$bin/python" scripts/compare_paths.py ${samplers[@]+"${samplers[@]}"} "${models[@]}"
