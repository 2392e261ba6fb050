#!/usr/bin/env bash
# Write scripts/dev.lock anew: every package that negtemp and its extra "dev" need, at one version each, with the hashes of
# all its files. CI installs from it. It names no index, so that any will do. Needs uv, whose resolver covers every Python
# and platform at once.
# usage: scripts/lock.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=$(command -v uv || echo .venv/bin/uv)
[ -x "$uv" ] || { echo "lock: uv is missing: pip install uv" >&2; exit 1; }
"$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
    --upgrade --extra dev --output-file scripts/dev.lock pyproject.toml
echo "scripts/dev.lock: $(grep -c '^[a-z0-9]' scripts/dev.lock) packages"
