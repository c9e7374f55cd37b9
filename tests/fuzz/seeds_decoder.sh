#!/usr/bin/env bash
# Seeds for fuzz_decoder: clips of few bytes in every container, each behind the byte that fuzz_decoder reads first.
# In: the folder to fill. Out: its files; how many on stdout.
set -euo pipefail

to=${1:?the folder to fill is missing}
mkdir -p "$to"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

seed() { # name, then ffmpeg's options
    ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=32x32:rate=25:duration=0.3 "${@:2}" "$work/$1"
    { printf '\020'; cat "$work/$1"; } > "$to/$1"
}
x264=(-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 4 -threads 1)
seed h264.mp4 "${x264[@]}"
seed fast.mp4 "${x264[@]}" -movflags +faststart
seed fragmented.mp4 "${x264[@]}" -movflags frag_keyframe+empty_moov
seed h264.mkv "${x264[@]}"
seed h264.ts "${x264[@]}"
seed h264.flv "${x264[@]}"
seed h264.264 "${x264[@]}"
seed hevc.mp4 -c:v libx265 -preset ultrafast -x265-params log-level=none
seed vp8.webm -c:v libvpx -deadline realtime -cpu-used 8
seed vp9.webm -c:v libvpx-vp9 -deadline realtime -cpu-used 8
seed vp9.ivf -c:v libvpx-vp9 -deadline realtime -cpu-used 8
seed av1.mkv -c:v libaom-av1 -cpu-used 8 -usage realtime
seed mpeg4.avi -c:v mpeg4
seed mpeg2.ts -c:v mpeg2video
seed mpeg1.mpg -c:v mpeg1video
seed mjpeg.mov -c:v mjpeg -pix_fmt yuvj420p
seed wmv2.wmv -c:v wmv2
seed theora.ogv -c:v libtheora
seed moving.gif -pix_fmt pal8
seed moving.apng -f apng
seed tiny.y4m -pix_fmt yuv420p
find "$to" -type f | wc -l
