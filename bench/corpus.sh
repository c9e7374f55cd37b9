#!/usr/bin/env bash
# A folder of clips by fakesift and by a Python pipeline (bench/corpus.py says how).
# usage: corpus.sh [FOLDER [--rounds N] [--network resnet50|mobilenet_v2] [--json FILE]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -eq 0 ]; then
    echo 'corpus: give a folder of clips with faces: ./run bench corpus FOLDER' >&2
    exit 0
fi
if ! /usr/bin/python3 -c 'import cv2, torch, torchvision' 2>/dev/null; then
    echo 'corpus: the peer needs python3-opencv, python3-torch and python3-torchvision' >&2
    exit 0
fi
mkdir -p .cache/bench-clip
exec /usr/bin/python3 -B bench/corpus.py build/fakesift "$@"
