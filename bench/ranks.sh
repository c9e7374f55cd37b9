#!/usr/bin/env bash
# Two ranks beside one (bench/ranks.py says how). Arguments go to it: --clips N, --rounds N.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .cache
/usr/bin/python3 -B bench/ranks.py build/fakesift . --json .cache/bench-ranks.json "$@"
