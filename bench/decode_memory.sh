#!/usr/bin/env bash
# Peak memory of decoding an 8K clip and a video of four hours (bench/decode_memory.c says how). Limit: a lane's 1.5 GiB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake --build build --target bench_decode_memory >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make() {
    ffmpeg -nostdin -v error -y "$@"
}
make -f lavfi -i testsrc2=size=7680x4320:rate=5:duration=4 -c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p "$work/8k.mp4"
make -f lavfi -i testsrc2=size=320x240:rate=10:duration=20 -c:v libx264 -preset veryfast -g 50 -pix_fmt yuv420p "$work/part.mp4"
make -stream_loop 719 -i "$work/part.mp4" -c copy "$work/4h.mp4"
make -i "$work/4h.mp4" -c copy "$work/4h.mkv"
build/bench/bench_decode_memory "$work/8k.mp4" "$work/4h.mp4" "$work/4h.mkv"
