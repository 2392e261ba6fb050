#!/usr/bin/env bash
# Prove layers on other machines: build with RPC into an environment beside the usual one, start two servers on loopback,
# and hold the tokens against those of one process. It takes about four minutes on two cores the first time.
# usage: scripts/check_rpc.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$PWD/build/rpc
bin=$folder/environment/bin

mkdir -p "$folder/build/downloads"
cp -n build/downloads/*.tar.gz "$folder/build/downloads/" 2>/dev/null || true
[ -x "$bin/python" ] || python3 -m venv "$folder/environment"
NEGTEMP_BUILD_FOLDER=$folder NEGTEMP_TOOLS=ggml-rpc-server scripts/build_llama.sh --rpc --tools --python "$bin/python"
"$bin/python" -m pip --disable-pip-version-check --quiet install --editable '.[dev]'
"$bin/python" -m pytest -q tests/test_rpc.py
