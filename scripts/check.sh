#!/usr/bin/env bash
# What a change must pass: format, lint, types, shell scripts, then every test. It goes on after a failure, so that one
# run shows them all. `make check` sets up what it needs.
# usage: scripts/check.sh [static]    static: all but the tests
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
bin=.venv/bin
failed=()

step() {
    local name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed+=("$name")
}

mapfile -t shell_scripts < <(git ls-files '*.sh' .ci/run)
step format "$bin/ruff" format --check .
step lint "$bin/ruff" check .
step types "$bin/mypy"
step shell "$bin/shellcheck" -x "${shell_scripts[@]}"
if command -v npm >/dev/null; then
    step web-tools scripts/web_tools.sh
    step page build/web-tools/node_modules/.bin/tsc -p scripts/page_types.json
elif [ -n "${NEGTEMP_REQUIRE_TOOLS-}" ]; then
    failed+=("page: npm is not installed")
else
    echo '== page: skipped, npm is not installed'
fi
if [ "${1-}" = static ]; then
    step layers "$bin/python" -m pytest -q tests/test_layers.py
else
    step patches scripts/build_llama.sh --check
    step tests "$bin/python" -m pytest -n auto --dist worksteal
fi
[ ${#failed[@]} -eq 0 ] || { printf 'failed: %s\n' "${failed[*]}" >&2; exit 1; }
echo "all checks pass"
