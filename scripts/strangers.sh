#!/usr/bin/env bash
# Install the foreign wallets, issuers and verifiers that the tests speak with.
#
#   scripts/strangers.sh
#
# Does nothing when they were already installed from this very lock. Needs Node 20 or newer; npm
# checks the hash of every package, and no package's own script is run.
set -euo pipefail
cd "$(dirname "$0")/../tests/conformance/node"

stamp=node_modules/.made-from

major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/' || true)
if [ "${major:-0}" -lt 20 ]; then
    echo "Node 20 or newer is needed; the tests that need it are skipped without." >&2
    echo "A package for Python brings it too: pip install -r requirements/node.txt" >&2
    exit 1
fi

wanted=$(cat package.json package-lock.json | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

echo "Installing tests/conformance/node/package-lock.json (once, until the lock changes)"
rm -f "$stamp"
npm ci --silent --omit=dev --no-audit --no-fund --ignore-scripts
echo "$wanted" >"$stamp"
