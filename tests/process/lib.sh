# shellcheck shell=bash disable=SC2034 # what the scripts that source this use
# lib.sh: what the process tests share. Sourced by bash scripts that ctest starts as: SCRIPT FAKESIFT SOURCE_FOLDER.
# Each test works in a folder of its own, which is removed when it passes, and kept and named when it fails.
set -euo pipefail

FAKESIFT=$1
SOURCE=$2
WORK=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-test.XXXXXX")
DETECTOR=$SOURCE/tests/data/detectors/tiny-gru/card.json
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none
# Open MPI leaves what it allocated to the end of the process; fakesift's own leaks show where it runs alone.
mpi() { ASAN_OPTIONS=detect_leaks=0 mpirun "$@"; }
cd "$WORK"

at_end() {
    local code=$?

    # Whatever a failed test left running.
    if [ -n "${PIDS:-}" ]; then kill -9 "$PIDS" 2>/dev/null || true; fi
    if [ $code -eq 0 ] || [ $code -eq 77 ]; then rm -rf "$WORK"; else echo "kept: $WORK"; fi
}
trap at_end EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# expect_code CODE COMMAND...: its output goes to ./out and ./err.
expect_code() {
    local want=$1 got=0

    shift
    "$@" >out 2>err || got=$?
    [ "$got" -eq "$want" ] || { cat out err; fail "exit code $got, not $want: $*"; }
}

# expect_text FILE TEXT: the file holds the text.
expect_text() {
    grep -qF -- "$2" "$1" || { cat "$1"; fail "$1 does not say: $2"; }
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1))

    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "not within time: $*"
        read -rt 0.02 <> <(:) || true
    done
}

# clip FILE SECONDS [SIZE]: a small H.264 clip of a moving pattern; FILE's name seeds the pattern.
clip() {
    local rate
    rate=$(( $(echo "$1" | cksum | cut -d' ' -f1) % 90 + 10 ))

    ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=${3:-64x64}:rate=25:duration=$2" \
        -vf "hue=H=$rate/15,eq=brightness=$rate/300-0.15" -c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1 \
        -movflags +faststart "$1"
}

# corpus FOLDER N SECONDS [SIZE]: N labelled clips and four files that are no good.
corpus() {
    local i

    mkdir -p "$1/real" "$1/fake/blend"
    for i in $(seq 1 "$2"); do
        if [ $((i % 2)) -eq 0 ]; then clip "$1/real/$i.mp4" "$3" "${4:-}"; else clip "$1/fake/blend/$i.mp4" "$3" "${4:-}"; fi
    done
    echo 'not a video' > "$1/real/text.mp4"
    : > "$1/real/empty.mp4"
    head -c 400 "$1/real/2.mp4" > "$1/real/stump.mp4"
    mkfifo "$1/real/fifo.mp4"
}

# outcome RUN PATH: that video's outcome, from scores.csv.
outcome() {
    awk -F, -v path="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "outcome") c = i } $1 == path { print $c }' "$1/scores.csv"
}
