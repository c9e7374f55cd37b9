#!/usr/bin/env bash
# CPU a file of `fakesift scan --probe` beside ffprobe called once for each file, on one core, interleaved, FILES tiny files
# (default 5,000) of which ffprobe reads 100. Limit: a twentieth of ffprobe's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
files=${FILES:-5000}
/usr/bin/python3 -B bench/make_tree.py "$files" "$work/tree"
find "$work/tree/real" "$work/tree/fake" -type f | sort | sed -n 1,100p >"$work/sample"
# cpu COMMAND...: seconds of user and system time
cpu() {
    local TIMEFORMAT='%U %S'
    { time taskset -c 0 "$@" >/dev/null; } 2>&1 | awk '{ print $1 + $2 }'
}
# shellcheck disable=SC2016 # for the inner shell
for _ in 1 2 3 4 5; do
    probe=$(cpu bash -c 'while read -r f; do ffprobe -v error -show_format -show_streams -of json "$f"; done <"$1"' - "$work/sample")
    scan=$(cpu build/fakesift scan --probe --lanes 1 "$work/tree" -o "$work/manifest.csv")
    awk -v p="$probe" -v s="$scan" -v n="$files" \
        'BEGIN { printf "ffprobe %.2f ms a file, scan %.3f ms a file: %.0f times less\n", p * 10, s * 1000 / n, (p / 100) / (s / n) }'
done | sort -t: -k2 -n | sed -n 3p
