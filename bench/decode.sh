#!/usr/bin/env bash
# CPU of a whole run beside a full decode of the same clips (bench/decode.py says how).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
/usr/bin/python3 -B bench/decode.py build/fakesift . --json .cache/bench-decode.json
