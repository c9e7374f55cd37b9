#!/usr/bin/env bash
# The engine beside ONNX Runtime and PyTorch (bench/infer/infer.py says how). Arguments go to infer.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .cache
/usr/bin/python3 -B bench/infer/infer.py build/fakesift --json .cache/bench-infer.json --markdown .cache/bench-infer.md "$@"
