#!/usr/bin/env bash
# CPU of whole clips, by part, beside a full decode of the same clips by ffmpeg (bench/clip.c says how).
# usage: clip.sh [FOLDER [--network N] [--rounds N] [--precision P] [--json FILE] [KEY=VALUE of the card...]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake --build build --target bench_clip >/dev/null
folder='' network=resnet50 options=() keys=()
while [ $# -gt 0 ]; do
    case $1 in
    --network) network=$2 && shift ;;
    --rounds | --precision | --json) options+=("$1" "$2") && shift ;;
    *=*) keys+=("$1") ;;
    *) folder=$1 ;;
    esac
    shift
done
if [ -z "$folder" ]; then
    echo 'clip: give a folder of clips with faces: ./run bench clip FOLDER' >&2
    exit 0
fi
detector=.cache/bench-clip
/usr/bin/python3 -B bench/clip_detector.py "$detector" "$network" ${keys[@]+"${keys[@]}"}
[[ " ${options[*]-} " == *' --precision '* ]] || ! grep -qw 'amx_bf16\|avx512_bf16' /proc/cpuinfo || options+=(--precision bf16)
build/bench/bench_clip "$detector/card.json" "$folder" ${options[@]+"${options[@]}"}
