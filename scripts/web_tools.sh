#!/usr/bin/env bash
# What checks the pages and is no part of the package, from npm into build/web-tools: TypeScript's compiler, which reads the
# types in the scripts' comments, and axe-core, which the tests in a browser ask for faults of accessibility.
# usage: scripts/web_tools.sh    does nothing where both are there already; exit status 3 where there is no npm
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

typescript=5.9.3
axe=4.12.1
folder=build/web-tools
wanted="typescript@$typescript axe-core@$axe"

[ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ] && exit 0
command -v npm >/dev/null || { echo "web_tools: npm is not installed" >&2; exit 3; }
mkdir -p "$folder"
rm -f "$folder/installed"
# shellcheck disable=SC2086  # two words
npm install --prefix "$folder" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error $wanted >&2
echo "$wanted" >"$folder/installed"
